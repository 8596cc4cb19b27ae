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
    // Before the grids' labels: their codes count within a unit and say little without its name.
    names(language, {
      order: 91.1, id: 'unit-names', maxzoom: 13,
      // A county's name when its townships are in view would say little.
      filter: ['==', ['get', 'level'], ['step', ['zoom'], 6, 8, 9]],
    }, [1.6, 3.2, 4.8]),
    // A village's is not moved far: the name would stand on its neighbour's ground.
    names(language, {
      order: 91, id: 'village-names', minzoom: 12, maxzoom: 15,
      filter: ['==', ['get', 'level'], 12],
    }, [1.2, 2.4]),
  ],
  legend: (t) => [
    { swatch: { line: LINES.county, width: 3.2 }, text: t('units.county') },
    { swatch: { line: LINES.township, width: 2.4 }, text: t('units.township') },
    { swatch: { line: LINES.village, width: 1.6 }, text: t('units.village') },
  ],
};

/**
 * Names over the middle of their units or, where marks of incidents lie there, above or below it.
 * @param {import('../i18n.js').Language} language
 * @param {Record<string, any>} spec
 * @param {number[]} distances how far above or below, em, nearest first
 */
function names(language, spec, distances) {
  return {
    ...spec, type: 'symbol', source: 'units', 'source-layer': 'unit_labels',
    layout: {
      'text-field': named(language), 'text-font': TEXT_FONT, 'text-padding': 8,
      'text-size': ['interpolate', ['linear'], ['zoom'], 8, 12, 14, 16],
      'text-letter-spacing': language === 'zh' ? 0.15 : 0.02, 'text-max-width': 8,
      'text-variable-anchor-offset': [
        'center', [0, 0], ...distances.flatMap((off) => ['top', [0, off], 'bottom', [0, -off]]),
      ],
    },
    paint: { 'text-color': '#4a1760', 'text-halo-color': '#ffffff', 'text-halo-width': 1.8 },
  };
}
