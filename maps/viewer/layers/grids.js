/** Grids, coloured by how far their households are from the target, with code and worker. */

import { TEXT_FONT } from './text.js';

/**
 * Classes of the deviation: a diverging palette (ColorBrewer RdBu) that colour-blind eyes tell
 * apart, and white in the middle, where nothing has to be done.
 */
export const CLASSES = [
  { key: 'far_below', colour: '#01665e', test: ['<', ['get', 'deviation'], -0.2] },
  { key: 'below', colour: '#80cdc1', test: ['<', ['get', 'deviation'], -0.1] },
  { key: 'within', colour: '#f7f7f7', test: ['<=', ['get', 'deviation'], 0.1] },
  { key: 'above', colour: '#dfc27d', test: ['<=', ['get', 'deviation'], 0.2] },
  { key: 'far_above', colour: '#8c510a', test: null },
];

/**
 * The class a deviation falls into, as the map colours it.
 * @param {number} deviation
 */
export function classOf(deviation) {
  if (deviation < -0.2) return 'far_below';
  if (deviation < -0.1) return 'below';
  if (deviation <= 0.1) return 'within';
  return deviation <= 0.2 ? 'above' : 'far_above';
}

/** @type {import('./index.js').MapLayer} */
export const grids = {
  id: 'grids',
  tiles: ['grids'],
  specs: () => [
    {
      order: 5, id: 'grid-areas', type: 'fill', source: 'grids', 'source-layer': 'grids',
      paint: {
        'fill-color': [
          'case',
          ...CLASSES.flatMap(({ test, colour }) => (test ? [test, colour] : [])),
          CLASSES[CLASSES.length - 1].colour,
        ],
        'fill-opacity': ['interpolate', ['linear'], ['zoom'], 12, 0.85, 16, 0.65],
        'fill-antialias': false,
      },
    },
    {
      order: 40, id: 'grid-lines', type: 'line', source: 'grids', 'source-layer': 'grids',
      minzoom: 9,
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': '#33475b',
        'line-width': ['interpolate', ['linear'], ['zoom'], 9, 0.2, 12, 0.6, 15, 1.6],
        'line-opacity': ['interpolate', ['linear'], ['zoom'], 9, 0.4, 13, 0.85],
      },
    },
    {
      order: 46, id: 'grid-chosen', type: 'line', source: 'grids', 'source-layer': 'grids',
      filter: ['==', ['id'], -1],
      layout: { 'line-join': 'round' },
      paint: { 'line-color': '#0b3d91', 'line-width': 4 },
    },
    {
      order: 91, id: 'grid-labels', type: 'symbol', source: 'grids', 'source-layer': 'grid_labels',
      minzoom: 13,
      layout: {
        'text-field': [
          'step', ['zoom'],
          ['get', 'short_code'],
          14,
          [
            'format',
            ['get', 'short_code'], { 'font-scale': 0.92 },
            '\n', {},
            ['coalesce', ['get', 'worker'], '—'], {},
          ],
        ],
        'text-font': TEXT_FONT, 'text-line-height': 1.25, 'text-padding': 3,
        'text-size': ['interpolate', ['linear'], ['zoom'], 13, 11, 16, 15],
      },
      paint: {
        'text-color': ['case', ['has', 'worker'], '#14222f', '#8a1020'],
        'text-halo-color': '#ffffff', 'text-halo-width': 1.8,
      },
    },
  ],
  legend: (t, { counts }) =>
    CLASSES.map(({ key, colour }) => ({
      swatch: { fill: colour, line: '#33475b' },
      text: t(`grids.${key}`),
      count: counts.grids?.[key] ?? 0,
    })),
};
