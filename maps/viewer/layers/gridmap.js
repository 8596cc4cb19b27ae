/** Incidents by grid: counts or rates in classes; stripes where hidden, dots where unknown. */

import { Popup } from 'maplibre-gl';

import { h } from '../dom.js';
import { figure, number, t } from '../i18n.js';

const ID = 'gridmap';

/** What the colours may show. The first is what a reader is misled by least. */
export const MEASURES = ['smoothed', 'local', 'rate', 'count'];
/** Of the colours over the ground: the legend has to show the same. */
export const GRIDMAP_OPACITY = 0.85;

const tip = new Popup({
  closeButton: false, closeOnClick: false, offset: 12, className: 'tip', maxWidth: '300px',
});

/** Ground and marks of what has no value, as in print (maps/palettes.py). */
export const NOT_KNOWN = '#eeeeec';
export const NOT_KNOWN_MARK = '#969aa0';
/** Side of a pattern's tile at two pixels a CSS pixel, and how much of it is stripe or dot. */
const TILE_PX = 14;
const STRIPE_PX = 4;
const DOT_RADIUS_PX = 3;

/** @type {import('./index.js').MapLayer} */
export const gridmap = {
  id: ID,
  tiles: ['grids'],
  specs: () => [],
  images: () => [
    { id: `${ID}-hidden`, image: pattern((x, y) => (x + y) % TILE_PX < STRIPE_PX) },
    {
      id: `${ID}-unknown`,
      image: pattern((x, y) => Math.hypot(x - TILE_PX / 2, y - TILE_PX / 2) < DOT_RADIUS_PX),
    },
  ],
  legend: () => [],
};

/**
 * @param {(x: number, y: number) => boolean} isMark of the pixel with this middle
 * @returns {{width: number, height: number, data: Uint8ClampedArray}}
 */
function pattern(isMark) {
  const data = new Uint8ClampedArray(4 * TILE_PX * TILE_PX);
  for (let place = 0; place < TILE_PX * TILE_PX; place += 1) {
    const marked = isMark((place % TILE_PX) + 0.5, Math.floor(place / TILE_PX) + 0.5);
    const colour = Number.parseInt((marked ? NOT_KNOWN_MARK : NOT_KNOWN).slice(1), 16);
    data.set([colour >> 16, (colour >> 8) & 255, colour & 255, 255], 4 * place);
  }
  return { width: TILE_PX, height: TILE_PX, data };
}

/**
 * Where to ask, and what: the same for the figures and for the shapes.
 * @param {import('../state.js').State} state
 * @param {{start: string | null, end: string | null}} period
 * @returns {{path: string, query: Record<string, any>}}
 */
export const gridmapQuestion = (state, period) => ({
  path: 'api/v1/gridmaps',
  query: {
    ...period,
    category: state.categories ? [...state.categories].sort() : null,
    measure: state.measure,
    shared: state.shared || null,
  },
});

/**
 * Lay the grids into the map, or take them away.
 * @param {any} map
 * @param {{legend: {class: number, color: string}[], layer: any} | null} found
 * @param {string | undefined} below id of the layer that the colours lie under
 */
export function showGridmap(map, found, below) {
  for (const id of [`${ID}-lines`, `${ID}-unknown`, `${ID}-hidden`, ID]) {
    if (map.getLayer(id)) map.removeLayer(id);
  }
  if (map.getSource(ID)) map.removeSource(ID);
  // Its numbers are of the colours that go.
  tip.remove();
  if (!found) return;
  map.addSource(ID, { type: 'geojson', data: found.layer });
  map.addLayer({
    id: ID, type: 'fill', source: ID,
    paint: {
      'fill-color': [
        'match', ['to-number', ['get', 'class'], -1],
        ...found.legend.flatMap((one) => [one.class, one.color]), NOT_KNOWN,
      ],
      'fill-opacity': GRIDMAP_OPACITY,
    },
  }, below);
  for (const kind of ['hidden', 'unknown']) {
    map.addLayer({
      id: `${ID}-${kind}`, type: 'fill', source: ID, filter: ['==', ['get', 'state'], kind],
      paint: { 'fill-pattern': `${ID}-${kind}`, 'fill-opacity': GRIDMAP_OPACITY },
    }, below);
  }
  map.addLayer({
    id: `${ID}-lines`, type: 'line', source: ID,
    paint: {
      'line-color': '#8b857c',
      'line-width': ['interpolate', ['linear'], ['zoom'], 9, 0.2, 12, 0.6, 15, 1.4],
    },
  }, below);
}

/**
 * What is known of a grid: its number with its doubt, or why it has none.
 * @param {any} grid properties of its feature
 * @returns {[string, string][]}
 */
export function gridmapFacts(grid) {
  if (grid.state === 'hidden') return [[t('gridmap.incidents'), t('gridmap.hidden')]];
  /** @type {[string, string][]} */
  const facts = [[t('gridmap.incidents'), number(grid.incidents)]];
  if (typeof grid.households === 'number') facts.push([t('gridmap.households'), number(grid.households)]);
  if (grid.state === 'unknown') return [...facts, [t(`gridmap.${grid.measure}`), t('gridmap.unknown')]];
  const doubt = `${figure(grid.low)} – ${figure(grid.high)}`;
  if (grid.measure === 'count') return [...facts, [t('gridmap.interval'), doubt]];
  return [
    ...facts,
    [t(`gridmap.${grid.measure}`), figure(grid.value)],
    [t('gridmap.interval'), doubt],
    [t('gridmap.unit'), t('gridmap.per_households')],
  ];
}

/** Show what is known of the grid under the pointer. @param {any} map */
export function tellGridmap(map) {
  map.on('mousemove', ID, (/** @type {any} */ { lngLat, features: [grid] }) => {
    tip.setLngLat(lngLat)
      .setDOMContent(h('div', {},
        h('b', {}, t('hotspots.grid', { code: grid.properties.code })),
        h('dl', { class: 'facts' }, ...gridmapFacts(grid.properties).flatMap(
          ([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))))
      .addTo(map);
  });
  map.on('mouseleave', ID, () => tip.remove());
  // A click opens the card, which tells the same; a finger never leaves.
  map.on('click', () => tip.remove());
}
