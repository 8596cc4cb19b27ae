/** Administrative units: their lines, bolder the higher the level, and their names. */

import { TEXT_FONT, named } from './text.js';

const LINES = { county: '#4a1760', township: '#86459b', village: '#b78cc6' };

/** @type {import('./index.js').MapLayer} */
export const units = {
  id: 'units',
  tiles: ['units'],
  specs: ({ language }) => [
    {
      order: 44, id: 'unit-lines', type: 'line', source: 'units', 'source-layer': 'units',
      // The lines of two neighbours lie on one another, so dashes would fill each other's gaps.
      layout: { 'line-join': 'round', 'line-sort-key': ['-', ['get', 'level']] },
      paint: {
        'line-color': ['match', ['get', 'level'], 12, LINES.village, 9, LINES.township, LINES.county],
        'line-width': [
          'interpolate', ['linear'], ['zoom'],
          8, ['match', ['get', 'level'], 12, 0.8, 9, 1.2, 1.6],
          13, ['match', ['get', 'level'], 12, 1.6, 9, 2.4, 3.2],
        ],
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
    { swatch: { line: LINES.county, width: 3.2 }, text: t('units.county') },
    { swatch: { line: LINES.township, width: 2.4 }, text: t('units.township') },
    { swatch: { line: LINES.village, width: 1.6 }, text: t('units.village') },
  ],
};
