/** Hot spots and the attention list: grids coloured by what the server found, with its reasons. */

import { TEXT_FONT } from './text.js';

const ID = 'hotspots';
const RANKS = `${ID}-ranks`;

/** What can be looked for. The first is of the week; the others are of the period that is shown. */
export const METHODS = ['attention', 'hot_grids', 'emerging', 'scan', 'gi_star', 'local_moran'];

/** @type {import('./index.js').MapLayer} */
export const hotspots = { id: ID, tiles: ['grids'], specs: () => [], legend: () => [] };

/**
 * Where to ask, and what: the same for the figures and for the shapes.
 * @param {import('../state.js').State} state
 * @param {{start: string | null, end: string | null}} period
 * @returns {{path: string, query: Record<string, any>}}
 */
export function hotspotQuestion(state, period) {
  const category = state.categories ? [...state.categories].sort() : null;
  if (state.method === 'attention') return { path: 'api/v1/attention', query: { category } };
  return { path: 'api/v1/hotspots', query: { method: state.method, category, ...period } };
}

/**
 * Lay the grids into the map, or take them away.
 * @param {any} map
 * @param {{legend: {key: string, color: string}[], layer: any} | null} found
 * @param {string | undefined} below id of the layer that the colours lie under
 */
export function showHotspots(map, found, below) {
  for (const id of [RANKS, `${ID}-lines`, ID]) if (map.getLayer(id)) map.removeLayer(id);
  for (const id of [RANKS, ID]) if (map.getSource(id)) map.removeSource(id);
  if (!found) return;
  map.addSource(ID, { type: 'geojson', data: found.layer });
  const colours = found.legend.filter(({ key }) => key !== 'none');
  map.addLayer({
    id: ID, type: 'fill', source: ID,
    paint: {
      'fill-color': colours.length > 0
        ? ['match', ['get', 'class'], ...colours.flatMap(({ key, color }) => [key, color]), '#f7f7f7']
        : '#f7f7f7',
      'fill-opacity': ['case', ['==', ['get', 'class'], 'none'], 0.3, 0.75],
    },
  }, below);
  map.addLayer({
    id: `${ID}-lines`, type: 'line', source: ID, filter: ['!=', ['get', 'class'], 'none'],
    paint: { 'line-color': '#3b1505', 'line-width': 1.6 },
  });
  // Some twenty, kept whole: a grid smaller than a pixel is left out of simplified shapes, and the
  // first of the list may well be the smallest.
  const listed = found.layer.features.filter(({ properties }) => typeof properties.rank === 'number');
  map.addSource(RANKS, { type: 'geojson', tolerance: 0, data: { ...found.layer, features: listed } });
  map.addLayer({
    id: RANKS, type: 'symbol', source: RANKS,
    layout: {
      'text-field': ['to-string', ['get', 'rank']], 'text-font': TEXT_FONT, 'text-size': 18,
      'text-offset': [0, -1.5], 'text-padding': 1,
      // From afar there is not room for all: of two that would overlap the higher rank is shown.
      'symbol-sort-key': ['get', 'rank'],
    },
    paint: { 'text-color': '#3b1505', 'text-halo-color': '#ffffff', 'text-halo-width': 2.4 },
  });
}
