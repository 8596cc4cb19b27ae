/** The density surface: a picture computed by the server in metres, laid into the map. */

import { addTo } from '../api.js';

const ID = 'density';

/** @type {import('./index.js').MapLayer} */
export const density = { id: 'density', tiles: [], specs: () => [], legend: () => [] };

/** Where the picture goes: above the ground and its buildings, below streets, marks and names. */
export const DENSITY_ORDER = 10;

/**
 * What the server is asked: the same for the figures and the picture.
 * @param {import('../state.js').State} state
 * @param {{start: string | null, end: string | null}} period
 */
export const densityQuery = (state, period) => ({
  category: state.categories ? [...state.categories].sort() : null,
  start: period.start,
  end: period.end,
  bandwidth_m: state.bandwidth,
  per: state.per,
});

/**
 * Lay a surface into the map, or take it away.
 * @param {any} map
 * @param {{bounds: number[], image: string} | null} surface
 * @param {import('../api.js').Api} api
 * @param {string | undefined} below id of the layer it lies under
 * @param {number} round number that changes when an incident has come in
 */
export function showDensity(map, surface, api, below, round) {
  if (map.getLayer(ID)) map.removeLayer(ID);
  if (map.getSource(ID)) map.removeSource(ID);
  if (!surface) return;
  const [west, south, east, north] = surface.bounds;
  const url = api.url(surface.image);
  if (round > 0) url.hash = String(round);
  map.addSource(ID, {
    type: 'image',
    url: url.href,
    coordinates: [[west, north], [east, north], [east, south], [west, south]],
  });
  // Its transparency is its own, so that its colours stay those of the legend.
  const paint = { 'raster-opacity': 1, 'raster-fade-duration': 0 };
  map.addLayer({ id: ID, type: 'raster', source: ID, paint }, below);
}
