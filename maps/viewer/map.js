/** The map itself: sources, layers, controls, and what a click hits. */

import {
  AttributionControl, GPUInitializationError, Map as MapLibreMap, Marker, NavigationControl,
  ScaleControl,
} from 'maplibre-gl';

import { t } from './i18n.js';
import { pile } from './layers/index.js';
import { DENSITY_ORDER } from './layers/density.js';
import { COLOURINGS, LAYERS } from './layers/index.js';
import { MOST_PLACES, middleOf, townOf } from './town.js';
import { addTo } from './api.js';

export { GPUInitializationError };

/** Layers that a click asks about, beside the place itself. */
const CLICKABLE = [
  'incidents', 'cameras', 'checkpoints', 'routes-recent', 'routes-overdue', 'routes-unknown',
];
/** Colours of whole grids: of the one that holds the place, not of those a finger's width away. */
const GROUND = ['hotspots', 'gridmap'];
const CLICK_PX = 5;
/** Room left between a marked place and what lies over the map. */
const CLEAR_PX = 60;
/** How often a busy map is looked after. */
const BEAT_MS = 100;

export class GridMap {
  /**
   * @param {HTMLElement} container
   * @param {any} style
   * @param {{bounds: import('./town.js').Bounds | null, view: import('./state.js').State['view']}} start
   */
  constructor(container, style, { bounds, view }) {
    this.home = bounds;
    this.map = new MapLibreMap({
      container,
      style,
      ...(view
        ? { center: [view.lon, view.lat], zoom: view.zoom }
        : { bounds: bounds ?? [73, 18, 135, 54], fitBoundsOptions: { padding: 24 } }),
      attributionControl: false,
      dragRotate: false,
      touchPitch: false,
      pitchWithRotate: false,
      localIdeographFontFamily: '"Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif',
      // A driven browser waits for stillness; a person likes the soft appearing of labels.
      fadeDuration: navigator.webdriver ? 0 : 200,
      maxZoom: 19,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new NavigationControl({ showCompass: false }), 'top-right');
    this.map.addControl(new ScaleControl({ unit: 'metric', maxWidth: 120 }), 'bottom-left');
    this.map.addControl(
      new AttributionControl({ compact: false, customAttribution: 'wangge · MapLibre' }),
      'bottom-right',
    );
    /** @type {Map<string, any>} TileJSON by source */
    this.tilesets = new Map();
    /** @type {{owner: string, order: number, spec: any}[]} */
    this.pile = [];
    this.pin = new Marker({ color: '#0b3d91' });
    /** Addresses that a source waits for, by its name. @type {Map<string, string[]>} */
    this.awaited = new Map();
    /** While the map is busy. @type {ReturnType<typeof setInterval> | undefined} */
    this.beat = undefined;
    this.map.on('idle', () => {
      // Awaited tiles make it busy again at once; what is drawn now is not yet what was asked for.
      if (this.awaited.size > 0) return this.ask();
      clearInterval(this.beat);
      this.beat = undefined;
      return this.tell('idle');
    });
    this.map.on('sourcedata', (/** @type {any} */ { sourceDataType }) => {
      // 'metadata' says that a source has its new address; its tiles are still those of the last
      // one until 'content' follows, and seem to be there.
      if (sourceDataType !== 'metadata') this.ask();
    });
    this.map.on('dataloading', () => this.stir());
    this.map.on('movestart', () => this.tell('busy'));
  }

  /** Say in the page whether the map is at rest. @param {'idle' | 'busy'} mood */
  tell(mood) {
    this.map.getContainer().dataset.map = mood;
  }

  /**
   * The map is about to change: busy until it is 'idle' again, which comes after a frame. Tiles that
   * the server calls unchanged come without a frame or any other event, so it is asked for one.
   */
  stir() {
    this.tell('busy');
    this.map.triggerRepaint();
    this.beat ??= setInterval(() => {
      this.ask();
      this.map.triggerRepaint();
    }, BEAT_MS);
  }

  /** Once layers can be added; the ground need not have been drawn yet. */
  styled() {
    return this.map.isStyleLoaded()
      ? Promise.resolve()
      : new Promise((resolve) => this.map.once('style.load', resolve));
  }

  /**
   * Add the sources and every layer.
   * @param {Map<string, any>} tilesets TileJSON by name
   * @param {import('./i18n.js').Language} language
   * @param {Set<string>} visible ids of the layer list
   * @param {Map<string, Parameters<typeof addTo>[1]>} queries what to ask a source's tiles for
   */
  addLayers(tilesets, language, visible, queries) {
    this.tilesets = tilesets;
    for (const [name, { minzoom, maxzoom }] of tilesets) {
      const tiles = this.tilesOf(name, queries.get(name) ?? {});
      this.map.addSource(name, { type: 'vector', tiles, minzoom, maxzoom });
    }
    for (const { images } of LAYERS) {
      for (const { id, image } of images?.() ?? []) this.map.addImage(id, image, { pixelRatio: 2 });
    }
    this.pile = pile(language, new Set(tilesets.keys()));
    for (const { owner, spec } of this.pile) {
      const shown = visible.has(owner) ? 'visible' : 'none';
      this.map.addLayer({ ...spec, layout: { ...spec.layout, visibility: shown } });
    }
  }

  /** The layer that the density picture lies under. */
  get aboveDensity() {
    return this.pile.find(({ order }) => order > DENSITY_ORDER)?.spec.id;
  }

  /** @param {import('./i18n.js').Language} language */
  setLanguage(language) {
    const next = pile(language, new Set(this.tilesets.keys()));
    for (const { spec } of next) {
      const text = spec.layout?.['text-field'];
      if (text !== undefined) this.map.setLayoutProperty(spec.id, 'text-field', text);
    }
    /** @type {[string, string][]} */
    const labels = [
      ['.maplibregl-ctrl-zoom-in', t('map.zoom_in')],
      ['.maplibregl-ctrl-zoom-out', t('map.zoom_out')],
      ['.maplibregl-canvas', t('map.title')],
    ];
    this.pin.getElement().setAttribute('aria-label', t('map.pin'));
    for (const [selector, label] of labels) {
      const element = this.map.getContainer().querySelector(selector);
      element?.setAttribute('aria-label', label);
      if (element?.tagName === 'BUTTON') element.setAttribute('title', label);
    }
  }

  /** @param {Set<string>} visible ids of the layer list */
  setVisible(visible) {
    this.stir();
    for (const { owner, spec } of this.pile) {
      // Two colourings of one ground cannot be read: the surface takes the place of the grid fill.
      const hidden =
        !visible.has(owner) ||
        (spec.id === 'grid-areas' && COLOURINGS.some((id) => visible.has(id)));
      this.map.setLayoutProperty(spec.id, 'visibility', hidden ? 'none' : 'visible');
    }
  }

  /**
   * Ask for the tiles of a source again, with these parameters.
   * @param {string} name
   * @param {Parameters<typeof addTo>[1]} values
   */
  refresh(name, values) {
    if (!this.tilesets.has(name)) return;
    this.awaited.set(name, this.tilesOf(name, values));
    this.stir();
    this.ask();
  }

  /**
   * Give the sources their awaited addresses, each once its last tiles are there: MapLibre keeps
   * the old content of a tile, or waits for it for ever, when it is told while that one loads.
   */
  ask() {
    for (const [name, tiles] of this.awaited) {
      if (!this.map.isSourceLoaded(name)) continue;
      this.awaited.delete(name);
      /** @type {import('maplibre-gl').VectorTileSource} */ (this.map.getSource(name)).setTiles(tiles);
    }
  }

  /**
   * @param {string} name
   * @param {Parameters<typeof addTo>[1]} values
   * @returns {string[]} address templates
   */
  tilesOf(name, values) {
    const { round, ...asked } = values;
    const query = String(addTo(new URLSearchParams(), asked));
    /** @type {string[]} */
    const plain = this.tilesets.get(name).tiles;
    // The fragment makes it another address to the map, and is not sent.
    return plain.map((url) => url + (query && `?${query}`) + (round ? `#${round}` : ''));
  }

  /** @param {number | null} gridId whose outline is drawn bold */
  choose(gridId) {
    if (this.map.getLayer('grid-chosen')) {
      this.map.setFilter('grid-chosen', ['==', ['id'], gridId ?? -1]);
      this.stir();
    }
  }

  /** @param {{lon: number, lat: number} | null} place */
  mark(place) {
    if (place) this.pin.setLngLat([place.lon, place.lat]).addTo(this.map);
    else this.pin.remove();
  }

  /**
   * Features under a click, the topmost first, each once; what colours the ground comes last.
   * @param {{x: number, y: number}} point
   */
  under({ x, y }) {
    const drawn = (/** @type {string[]} */ ids) => ids.filter((id) => this.map.getLayer(id));
    const box = [[x - CLICK_PX, y - CLICK_PX], [x + CLICK_PX, y + CLICK_PX]];
    const found = [
      ...this.map.queryRenderedFeatures(box, { layers: drawn(CLICKABLE) }),
      ...this.map.queryRenderedFeatures([x, y], { layers: drawn(GROUND) }),
    ];
    const seen = new Set();
    return found.filter((/** @type {any} */ { source, sourceLayer, id, properties, geometry }) => {
      const key = `${source}/${sourceLayer}/${id ?? properties.id ?? JSON.stringify(geometry)}`;
      return !seen.has(key) && seen.add(key);
    });
  }

  /** What is in view: grids by class of deviation, incidents by number. */
  inView() {
    const bounds = this.map.getBounds();
    /** @type {Map<number, any>} */
    const grids = new Map();
    let incidents = 0;
    const layers = ['grid-areas', 'incidents'].filter((id) => this.map.getLayer(id));
    for (const feature of /** @type {any[]} */ (this.map.queryRenderedFeatures({ layers }))) {
      if (feature.source === 'grids') grids.set(feature.id, feature.properties);
      else if (bounds.contains(feature.geometry.coordinates)) incidents += feature.properties.n;
    }
    return { grids: [...grids.values()], incidents };
  }

  /** Where the grids lie closest together: the town in a wide county. */
  densestBounds() {
    /** @type {Map<number, [number, number]>} */
    const centres = new Map();
    const found = this.map.querySourceFeatures('grids', { sourceLayer: 'grids' });
    for (const { id, geometry } of /** @type {any[]} */ (found)) {
      const ring = geometry.type === 'Polygon' ? geometry.coordinates[0] : geometry.coordinates[0][0];
      centres.set(id, middleOf(ring));
    }
    return townOf([...centres.values()].slice(0, MOST_PLACES));
  }

  /** @param {import('./town.js').Bounds} bounds @param {number} [padding] */
  fit([west, south, east, north], padding = 40) {
    this.map.fitBounds([[west, south], [east, north]], {
      padding,
      maxZoom: 15,
      animate: !this.still,
    });
  }

  /**
   * Move a place out from under something that lies over the map.
   * @param {{lon: number, lat: number}} point
   * @param {HTMLElement} over at the right side or, on phones, at the bottom
   */
  keepClear({ lon, lat }, over) {
    const room = this.map.getContainer().getBoundingClientRect();
    const taken = over.getBoundingClientRect();
    const { x, y } = this.map.project([lon, lat]);
    const atBottom = taken.width > room.width / 2;
    const right = atBottom ? room.width : taken.left - room.left;
    const bottom = atBottom ? taken.top - room.top : room.height;
    const by = [Math.max(0, x - (right - CLEAR_PX)), Math.max(0, y - (bottom - CLEAR_PX))];
    if (by[0] > 0 || by[1] > 0) this.map.panBy(by, { animate: !this.still });
  }

  /** Whether movement should be left out. */
  get still() {
    return navigator.webdriver || matchMedia('(prefers-reduced-motion: reduce)').matches;
  }

  /** @returns {{zoom: number, lat: number, lon: number}} */
  get view() {
    const { lng, lat } = this.map.getCenter();
    return { zoom: this.map.getZoom(), lat, lon: lng };
  }
}
