/** How a plan is drawn: grids by deviation, locks, ground without a grid, cells, marks. */

import { CLASSES } from '../layers/grids.js';
import { TEXT_FONT } from '../layers/text.js';
import { t } from '../i18n.js';
import { toleranceClass } from './plan.js';

/** Outline of what is chosen, of what a refusal is about, and of what is picked beside it. */
const CHOSEN = '#0b3d91';
const WRONG = '#b3001b';
const CELL_CHOSEN = '#0b5cad';
const SOURCES = ['grids', 'labels', 'free', 'cells', 'marks', 'difference', 'comments', 'sketch'];
const NOTHING = { type: 'FeatureCollection', features: [] };
const SIDE_PX = 16;

/** Stripes, upwards for locked grids and downwards for ground without a grid. */
const STRIPES = [
  { id: 'desk-locked', colour: [22, 34, 46, 200], down: false, gap: 8, bold: 1.2 },
  { id: 'desk-free', colour: [179, 0, 27, 230], down: true, gap: 8, bold: 3 },
];

/** @param {typeof STRIPES[0]} stripe */
function stripes({ colour, down, gap, bold }) {
  const data = new Uint8ClampedArray(SIDE_PX * SIDE_PX * 4);
  for (let y = 0; y < SIDE_PX; y += 1) {
    for (let x = 0; x < SIDE_PX; x += 1) {
      const along = (down ? x - y + SIDE_PX : x + y) % gap;
      if (along < bold) data.set(colour, (y * SIDE_PX + x) * 4);
    }
  }
  return { width: SIDE_PX, height: SIDE_PX, data };
}

const is = (/** @type {string} */ key) => ['==', ['get', 'class'], key];
const none = ['==', ['id'], -1];

/** MapLibre layers, lowest first; `at` says where among those of the ground and the units. */
const SPECS = [
  { at: 'bottom', id: 'desk-areas', type: 'fill', source: 'desk-grids', paint: {
    'fill-color': ['case',
      ...CLASSES.slice(0, -1).flatMap(({ key, colour }) => [is(key), colour]),
      CLASSES[CLASSES.length - 1].colour],
    'fill-opacity': 0.85, 'fill-antialias': false,
  } },
  { at: 'bottom', id: 'desk-locked', type: 'fill', source: 'desk-grids', filter: ['has', 'locked'],
    paint: { 'fill-pattern': 'desk-locked' } },
  { at: 'bottom', id: 'desk-free', type: 'fill', source: 'desk-free', paint: { 'fill-pattern': 'desk-free' } },
  { id: 'desk-free-line', type: 'line', source: 'desk-free', paint: { 'line-color': WRONG, 'line-width': 1.6 } },
  { id: 'desk-lines', type: 'line', source: 'desk-grids', layout: { 'line-join': 'round' }, paint: {
    'line-color': '#33475b',
    'line-width': ['interpolate', ['linear'], ['zoom'], 9, 0.3, 12, 0.9, 15, 2],
  } },
  { id: 'desk-difference', type: 'fill', source: 'desk-difference', paint: {
    'fill-color': '#7b1fa2', 'fill-opacity': 0.45, 'fill-outline-color': '#4a148c',
  } },
  { id: 'desk-cells', type: 'fill', source: 'desk-cells', paint: { 'fill-color': '#ffffff', 'fill-opacity': 0.01 } },
  { id: 'desk-cells-chosen', type: 'fill', source: 'desk-cells', filter: none, paint: {
    'fill-color': CELL_CHOSEN, 'fill-opacity': 0.5,
  } },
  { id: 'desk-cells-wrong', type: 'fill', source: 'desk-cells', filter: none, paint: {
    'fill-color': WRONG, 'fill-opacity': 0.45,
  } },
  { id: 'desk-cell-lines', type: 'line', source: 'desk-cells', minzoom: 13, paint: {
    'line-color': '#2c3e50', 'line-width': ['interpolate', ['linear'], ['zoom'], 13, 0.3, 16, 1], 'line-dasharray': [3, 2],
  } },
  { id: 'desk-picked', type: 'line', source: 'desk-marks', filter: ['==', ['get', 'mark'], 'picked'], layout: { 'line-join': 'round' },
    paint: { 'line-color': CHOSEN, 'line-width': 4, 'line-dasharray': [2, 1] } },
  { id: 'desk-chosen', type: 'line', source: 'desk-marks', filter: ['==', ['get', 'mark'], 'chosen'], layout: { 'line-join': 'round' },
    paint: { 'line-color': CHOSEN, 'line-width': 4.5 } },
  { id: 'desk-wrong', type: 'line', source: 'desk-marks', filter: ['==', ['get', 'mark'], 'wrong'], layout: { 'line-join': 'round' },
    paint: { 'line-color': WRONG, 'line-width': 5 } },
  { id: 'desk-cell-households', type: 'symbol', source: 'desk-cells', minzoom: 16, layout: {
    'text-field': ['to-string', ['get', 'households']], 'text-font': TEXT_FONT, 'text-size': 11,
  }, paint: { 'text-color': '#16222e', 'text-halo-color': '#ffffff', 'text-halo-width': 1.2 } },
  { at: 'top', id: 'desk-labels', type: 'symbol', source: 'desk-labels', minzoom: 11, layout: {
    'text-field': ['step', ['zoom'], ['get', 'short'], 14, ['get', 'label']],
    'text-font': TEXT_FONT, 'text-size': ['interpolate', ['linear'], ['zoom'], 11, 11, 16, 15],
    'text-line-height': 1.25, 'text-padding': 2,
  }, paint: { 'text-color': '#16222e', 'text-halo-color': '#ffffff', 'text-halo-width': 1.6 } },
  { at: 'top', id: 'desk-comments', type: 'circle', source: 'desk-comments', paint: {
    'circle-radius': 8, 'circle-color': '#ffd54f', 'circle-stroke-color': '#3e2723', 'circle-stroke-width': 2,
  } },
  { at: 'top', id: 'desk-comment-marks', type: 'symbol', source: 'desk-comments', layout: {
    'text-field': '!', 'text-font': TEXT_FONT, 'text-size': 13, 'text-allow-overlap': true, 'text-ignore-placement': true,
  }, paint: { 'text-color': '#3e2723' } },
  { at: 'top', id: 'desk-sketch-area', type: 'fill', source: 'desk-sketch', filter: ['==', ['geometry-type'], 'Polygon'],
    paint: { 'fill-color': '#d81b60', 'fill-opacity': 0.12 } },
  { at: 'top', id: 'desk-sketch', type: 'line', source: 'desk-sketch', filter: ['==', ['geometry-type'], 'LineString'],
    paint: { 'line-color': '#d81b60', 'line-width': 3 } },
  { at: 'top', id: 'desk-sketch-corners', type: 'circle', source: 'desk-sketch', filter: ['==', ['geometry-type'], 'Point'],
    paint: { 'circle-radius': 5, 'circle-color': '#ffffff', 'circle-stroke-color': '#d81b60', 'circle-stroke-width': 2.5 } },
];

export class PlanLayers {
  /**
   * @param {import('../map.js').GridMap} view whose own layers have been added
   * @param {import('./plan.js').Plan} plan
   */
  constructor(view, plan) {
    this.view = view;
    this.plan = plan;
    this.map = view.map;
    /** What of the marks is on the map. @type {any[][]} */
    this.drawn = [];
    /** Numbers of marked grids, by how they are marked. @type {Map<string, number[]>} */
    this.marked = new Map();
    for (const stripe of STRIPES) this.map.addImage(stripe.id, stripes(stripe), { pixelRatio: 2 });
    for (const name of SOURCES) this.map.addSource(`desk-${name}`, { type: 'geojson', data: NOTHING });
    const ids = view.pile.map(({ spec }) => spec.id);
    const bottom = ids.at(0);
    // Under the lines and names of units; streets and buildings lie between them and the colours.
    const middle = ids.find((id) => id === 'unit-lines');
    for (const { at, ...spec } of /** @type {any[]} */ (SPECS)) {
      this.map.addLayer(spec, at === 'top' ? undefined : at === 'bottom' ? bottom : middle);
    }
  }

  /** @param {string} name @param {any[]} features */
  show(name, features) {
    this.view.stir();
    /** @type {any} */ (this.map.getSource(`desk-${name}`)).setData({ type: 'FeatureCollection', features });
  }

  /** All grids anew. */
  drawAll() {
    const all = [...this.plan.grids.values()];
    this.show('grids', all.map(area));
    this.show('labels', all.map(label));
    this.drawFree();
  }

  drawFree() {
    this.show('free', [...this.plan.free.values()]);
  }

  /** Only what changed. @param {any[]} changed grids @param {number[]} gone */
  draw(changed, gone) {
    this.view.stir();
    for (const [name, made] of /** @type {[string, (grid: any) => any][]} */ ([['grids', area], ['labels', label]])) {
      const ids = [...gone, ...changed.map(({ id }) => id)];
      /** @type {any} */ (this.map.getSource(`desk-${name}`)).updateData({ remove: ids, add: changed.map(made) });
    }
    this.drawFree();
  }

  /**
   * Outline grids; in a source of their own, as the thousands of all grids would be laid out anew.
   * @param {'chosen' | 'picked' | 'wrong'} mark @param {Iterable<number>} ids
   */
  mark(mark, ids) {
    this.marked.set(mark, [...ids]);
    const features = [...this.marked].flatMap(([name, all]) => all
      .map((id) => this.plan.grids.get(id)).filter(Boolean)
      .map(({ id, geometry }) => ({ type: 'Feature', id, geometry, properties: { mark: name } })));
    // As it is drawn already: the panel is drawn more often than marks change.
    const drawn = features.map(({ id, geometry, properties }) => [id, geometry, properties.mark]);
    if (drawn.length === this.drawn.length && drawn.flat().every((one, index) => one === this.drawn.flat().at(index))) return;
    this.drawn = drawn;
    this.show('marks', features);
  }

  /** Fill cells of the chosen grid. @param {string} layer @param {Iterable<number>} ids */
  filter(layer, ids) {
    this.view.stir();
    this.map.setFilter(layer, ['in', ['id'], ['literal', [...ids]]]);
  }

  /** What lies under a point of the screen. @param {{x: number, y: number}} point */
  under({ x, y }) {
    const one = (/** @type {string} */ layer) => this.map.queryRenderedFeatures([x, y], { layers: [layer] })[0]?.id ?? null;
    return {
      grid: /** @type {number | null} */ (one('desk-areas')),
      free: /** @type {number | null} */ (one('desk-free')),
      cell: /** @type {number | null} */ (one('desk-cells')),
      comment: /** @type {number | null} */ (one('desk-comments')),
    };
  }
}

/** @param {any} grid what the map needs to know of it */
function area({ id, geometry, properties }) {
  return {
    type: 'Feature', id, geometry,
    properties: { class: toleranceClass(properties), ...(properties.locked_by ? { locked: true } : {}) },
  };
}

/** @param {any} grid */
function label({ id, properties }) {
  const { short, name, households, lon, lat } = properties;
  const lines = [short, name && name !== properties.code ? name : '', t('desk.label_households', { n: households })];
  return {
    type: 'Feature', id, geometry: { type: 'Point', coordinates: [lon, lat] },
    properties: { short, label: lines.filter(Boolean).join('\n') },
  };
}
