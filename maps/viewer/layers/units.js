/** Administrative units: their lines, bolder the higher the level, and their names. */

import { TEXT_FONT, named } from './text.js';

/** @type {import('./index.js').MapLayer} */
export const units = {
  id: 'units',
  tiles: ['units'],
  specs: ({ language }) => [
    {
      order: 44, id: 'unit-lines', type: 'line', source: 'units', 'source-layer': 'units',
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': ['match', ['get', 'level'], 12, '#8a4f9e', 9, '#6f2c86', '#4a1760'],
        'line-width': ['match', ['get', 'level'], 12, 1.4, 9, 2.2, 3],
        'line-dasharray': [4, 2],
        'line-opacity': 0.85,
      },
    },
    {
      order: 90, id: 'unit-names', type: 'symbol', source: 'units', 'source-layer': 'unit_labels',
      // A county's name when its villages are in view would say little.
      filter: [
        '==', ['get', 'level'],
        ['step', ['zoom'], 6, 8, 9, 12, 12],
      ],
      maxzoom: 15,
      layout: {
        'text-field': named(language), 'text-font': TEXT_FONT, 'text-padding': 8,
        'text-size': ['interpolate', ['linear'], ['zoom'], 8, 12, 14, 16],
        'text-letter-spacing': language === 'zh' ? 0.15 : 0.02, 'text-max-width': 8,
      },
      paint: { 'text-color': '#4a1760', 'text-halo-color': '#ffffff', 'text-halo-width': 1.8 },
    },
  ],
  legend: (t) => [
    { swatch: { line: '#4a1760', width: 3, dashed: true }, text: t('units.county') },
    { swatch: { line: '#6f2c86', width: 2.2, dashed: true }, text: t('units.township') },
    { swatch: { line: '#8a4f9e', width: 1.4, dashed: true }, text: t('units.village') },
  ],
};
