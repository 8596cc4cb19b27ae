/** Hot spots and the attention list: grids coloured by what the server found, with its reasons. */

import { TEXT_FONT } from './text.js';

const ID = 'hotspots';

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
  for (const id of [`${ID}-ranks`, `${ID}-lines`, ID]) if (map.getLayer(id)) map.removeLayer(id);
  if (map.getSource(ID)) map.removeSource(ID);
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
  map.addLayer({
    id: `${ID}-ranks`, type: 'symbol', source: ID, filter: ['==', ['typeof', ['get', 'rank']], 'number'],
    layout: {
      'text-field': ['to-string', ['get', 'rank']], 'text-font': TEXT_FONT, 'text-size': 18,
      'text-allow-overlap': true, 'text-ignore-placement': true, 'text-offset': [0, -1.5],
    },
    paint: { 'text-color': '#3b1505', 'text-halo-color': '#ffffff', 'text-halo-width': 2.4 },
  });
}
