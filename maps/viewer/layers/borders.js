/** The country border, drawn as maps draw it: dash and dots over a soft band. */

import { TEXT_FONT } from './text.js';

/** @type {import('./index.js').MapLayer} */
export const borders = {
  id: 'borders',
  tiles: ['borders'],
  specs: () => [
    {
      order: 54, id: 'border-band', type: 'line', source: 'borders', 'source-layer': 'borders',
      layout: { 'line-join': 'round' },
      paint: { 'line-color': '#d81b60', 'line-width': 9, 'line-opacity': 0.18 },
    },
    {
      // Between the dashes it is light, not the colour of the county line below.
      order: 54.5, id: 'border-gaps', type: 'line', source: 'borders', 'source-layer': 'borders',
      layout: { 'line-join': 'round' },
      paint: { 'line-color': '#fbe9f0', 'line-width': 3.6 },
    },
    {
      order: 55, id: 'border-line', type: 'line', source: 'borders', 'source-layer': 'borders',
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': '#880e4f', 'line-width': 2.6, 'line-dasharray': [6, 1.6, 0.8, 1.6, 0.8, 1.6],
      },
    },
    {
      order: 84, id: 'border-names', type: 'symbol', source: 'borders', 'source-layer': 'borders',
      minzoom: 8,
      layout: {
        'symbol-placement': 'line', 'symbol-spacing': 500, 'text-field': ['get', 'name'],
        'text-font': TEXT_FONT, 'text-size': 12, 'text-offset': [0, -1],
      },
      paint: { 'text-color': '#880e4f', 'text-halo-color': '#ffffff', 'text-halo-width': 1.6 },
    },
  ],
  legend: (t) => [{ swatch: { border: '#880e4f' }, text: t('borders.line') }],
};
