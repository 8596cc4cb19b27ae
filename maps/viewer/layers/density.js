/** The density: tiles that the server draws in metres, as pictures or as streets. */

const ID = 'density';

/** @type {import('./index.js').MapLayer} */
export const density = { id: ID, tiles: [], specs: () => [], legend: () => [] };

/** Where it goes: above the ground and its buildings, below streets, marks and names. */
export const DENSITY_ORDER = 10;

/**
 * Where to ask, and what; the answer tells where its tiles are.
 * @param {import('../state.js').State} state
 * @param {{start: string | null, end: string | null}} period
 * @returns {{path: string, query: Record<string, any>}}
 */
export function densityQuestion(state, period) {
  const along = state.per === 'streets';
  const query = {
    category: state.categories ? [...state.categories].sort() : null,
    start: period.start,
    end: period.end,
    bandwidth_m: state.bandwidth,
  };
  return along
    ? { path: 'api/v1/heatmaps/streets', query }
    : {
      path: 'api/v1/heatmaps',
      query: state.per === 'inhabited' ? { ...query, per: 'km2', inhabited: true } : { ...query, per: state.per },
    };
}

/**
 * Lay a density into the map, or take it away. The map asks for its tiles as the page does for
 * everything, with the session's cookie; the server has just kept what they are cut from.
 * @param {any} map
 * @param {{bounds: number[], tiles: string, kernel?: string} | null} surface along streets it has
 *   a kernel
 * @param {import('../api.js').Api} api
 * @param {string | undefined} below id of the layer it lies under
 */
export function showDensity(map, surface, api, below) {
  if (map.getLayer(ID)) map.removeLayer(ID);
  if (map.getSource(ID)) map.removeSource(ID);
  if (!surface) return;
  // Not as a URL, which would write the braces of {z} {x} {y} in another way.
  const tiles = [api.base.href + surface.tiles.replace(/^\//, '')];
  const { bounds } = surface;
  if (surface.kernel === undefined) {
    map.addSource(ID, { type: 'raster', tiles, tileSize: 256, bounds });
    // Its transparency is its own, so that its colours stay those of the legend.
    const paint = { 'raster-opacity': 1, 'raster-fade-duration': 0 };
    map.addLayer({ id: ID, type: 'raster', source: ID, paint }, below);
  } else {
    map.addSource(ID, { type: 'vector', tiles, bounds, maxzoom: 16 });
    map.addLayer({
      id: ID, type: 'line', source: ID, 'source-layer': 'streets',
      layout: { 'line-cap': 'round', 'line-join': 'round', 'line-sort-key': ['coalesce', ['get', 'from'], 0] },
      paint: {
        'line-color': ['get', 'color'],
        'line-width': [
          'interpolate', ['linear'], ['zoom'], 11, ['get', 'width'], 16, ['*', 3, ['get', 'width']],
        ],
      },
    }, below);
  }
}
