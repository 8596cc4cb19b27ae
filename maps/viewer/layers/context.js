/** The plain base map: our own streets, rivers, rails and buildings, no tiles of anyone else. */

import { TEXT_FONT } from './text.js';

/** @type {import('./index.js').MapLayer} */
export const context = {
  id: 'context',
  tiles: ['barriers', 'buildings'],
  specs: () => [
    {
      order: 10, id: 'buildings', type: 'fill', source: 'buildings', 'source-layer': 'buildings',
      filter: ['!=', ['geometry-type'], 'Point'],
      paint: {
        'fill-color': ['case', ['>', ['coalesce', ['get', 'households'], 0], 0], '#d6cbb8', '#e3ddd2'],
        'fill-outline-color': '#b9ad98',
      },
    },
    {
      order: 10, id: 'building-points', type: 'circle', source: 'buildings',
      'source-layer': 'buildings', filter: ['==', ['geometry-type'], 'Point'],
      paint: { 'circle-radius': 2, 'circle-color': '#b9ad98' },
    },
    line('river', 11, '#9cc7e4', [8, 1, 13, 5, 16, 18], { 'line-blur': 0.5 }),
    line('street', 12, '#cfc7b8', [12, 0.6, 14, 2.4, 16, 7], {}, '-casing', 13),
    line('arterial', 12, '#b99a4a', [8, 0.8, 13, 3.4, 16, 12], {}, '-casing'),
    line('street', 13, '#ffffff', [13, 0.3, 14, 1.4, 16, 5.2], {}, '', 13),
    line('arterial', 14, '#fbe4a6', [8, 0.4, 13, 2.2, 16, 9.6]),
    line('rail', 15, '#5f5f66', [8, 0.8, 13, 1.6, 16, 3]),
    line('rail', 16, '#ffffff', [12, 0, 13, 0.8, 16, 1.8], { 'line-dasharray': [4, 4] }, '-ties'),
    line('wall', 15, '#7d6b5d', [12, 0.6, 16, 1.6], { 'line-dasharray': [2, 1] }),
    {
      order: 17, id: 'bridges', type: 'circle', source: 'barriers', 'source-layer': 'barriers',
      minzoom: 13, filter: ['==', ['get', 'kind'], 'bridge'],
      paint: {
        'circle-radius': 3.5, 'circle-color': '#ffffff', 'circle-stroke-color': '#5f5f66',
        'circle-stroke-width': 1.5,
      },
    },
    {
      order: 82, id: 'street-names', type: 'symbol', source: 'barriers', 'source-layer': 'barriers',
      minzoom: 14.5, filter: ['in', ['get', 'kind'], ['literal', ['arterial', 'river', 'rail']]],
      layout: {
        'symbol-placement': 'line', 'symbol-spacing': 420, 'text-field': ['get', 'name'],
        'text-font': TEXT_FONT, 'text-size': 11.5, 'text-padding': 6,
      },
      paint: {
        'text-color': ['case', ['==', ['get', 'kind'], 'river'], '#1d5f8a', '#5c4d20'],
        'text-halo-color': '#ffffff', 'text-halo-width': 1.4,
      },
    },
    {
      order: 83, id: 'building-households', type: 'symbol', source: 'buildings',
      'source-layer': 'buildings', minzoom: 16.5, filter: ['>', ['get', 'households'], 0],
      layout: {
        'text-field': ['to-string', ['get', 'households']], 'text-font': TEXT_FONT, 'text-size': 11,
      },
      paint: { 'text-color': '#5a4a33', 'text-halo-color': '#efe9df', 'text-halo-width': 1 },
    },
  ],
  legend: (t) => [
    { swatch: { line: '#b99a4a', width: 4 }, text: t('context.arterial') },
    { swatch: { line: '#5f5f66', width: 3 }, text: t('context.rail') },
    { swatch: { line: '#9cc7e4', width: 5 }, text: t('context.river') },
    { swatch: { fill: '#d6cbb8', line: '#b9ad98' }, text: t('context.building') },
  ],
};

/**
 * @param {string} kind
 * @param {number} order
 * @param {string} colour
 * @param {number[]} widths zoom, width, zoom, width ...
 * @param {Record<string, any>} [paint]
 * @param {string} [suffix]
 * @param {number} [minzoom]
 */
function line(kind, order, colour, widths, paint = {}, suffix = '', minzoom = 0) {
  return {
    order, id: `${kind}${suffix}`, type: 'line', source: 'barriers', 'source-layer': 'barriers',
    minzoom, filter: ['==', ['get', 'kind'], kind],
    layout: { 'line-cap': 'dasharray' in paint || 'line-dasharray' in paint ? 'butt' : 'round', 'line-join': 'round' },
    paint: {
      'line-color': colour,
      'line-width': ['interpolate', ['exponential', 1.4], ['zoom'], ...widths],
      ...paint,
    },
  };
}
