/** Grids, coloured by how far their households are from the target, with code and worker. */

import { percent } from '../i18n.js';
import { TEXT_FONT } from './text.js';

/** Deviations up to NEAR are as good as none; beyond FAR something has to be done. */
const NEAR = 0.1;
const FAR = 0.2;

/**
 * Classes of the deviation: a diverging palette (ColorBrewer BrBG) that colour-blind eyes tell
 * apart, and white in the middle, where nothing has to be done.
 */
export const CLASSES = [
  { key: 'far_below', colour: '#01665e', test: ['<', ['get', 'deviation'], -FAR] },
  { key: 'below', colour: '#80cdc1', test: ['<', ['get', 'deviation'], -NEAR] },
  { key: 'within', colour: '#f7f7f7', test: ['<=', ['get', 'deviation'], NEAR] },
  { key: 'above', colour: '#dfc27d', test: ['<=', ['get', 'deviation'], FAR] },
  { key: 'far_above', colour: '#8c510a', test: null },
];

/** Colour of the label of a grid that nobody answers for. */
const NOBODY = '#8a1020';
/** The worker's name joins the code from this zoom on; from further off codes alone fit. */
const WORKERS_FROM_ZOOM = 15;

/**
 * The class a deviation falls into, as the map colours it.
 * @param {number} deviation
 */
export function classOf(deviation) {
  if (deviation < -FAR) return 'far_below';
  if (deviation < -NEAR) return 'below';
  if (deviation <= NEAR) return 'within';
  return deviation <= FAR ? 'above' : 'far_above';
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
      order: 90, id: 'grid-labels', type: 'symbol', source: 'grids', 'source-layer': 'grid_labels',
      minzoom: 13,
      layout: {
        'text-field': [
          'step', ['zoom'],
          ['get', 'short_code'],
          WORKERS_FROM_ZOOM,
          [
            'format',
            ['get', 'short_code'], { 'font-scale': 0.92 },
            '\n', {},
            ['coalesce', ['get', 'worker'], '—'], {},
          ],
        ],
        'text-font': TEXT_FONT, 'text-line-height': 1.25, 'text-padding': 2,
        'text-size': ['interpolate', ['linear'], ['zoom'], 13, 11, 16, 15],
        // Where a mark lies on the middle, beside it; from afar that would be in the next grid.
        'text-variable-anchor': [
          'step', ['zoom'],
          ['literal', ['center']],
          14,
          ['literal', ['center', 'top', 'bottom']],
          WORKERS_FROM_ZOOM,
          ['literal', ['center', 'top', 'bottom', 'left', 'right']],
        ],
        'text-radial-offset': 0.9, 'text-justify': 'center',
      },
      paint: {
        'text-color': ['case', ['has', 'worker'], '#14222f', NOBODY],
        'text-halo-color': '#ffffff', 'text-halo-width': 1.8,
      },
    },
  ],
  legend: (t, { counts }) => {
    const limits = {
      near: percent(NEAR),
      more: percent(NEAR, { signed: true }),
      less: percent(-NEAR, { signed: true }),
      much_more: percent(FAR, { signed: true }),
      much_less: percent(-FAR, { signed: true }),
    };
    return [
      ...CLASSES.map(({ key, colour }) => ({
        swatch: { fill: colour, line: '#33475b' },
        text: t(`grids.${key}`, limits),
        count: counts.grids?.get(key) ?? 0,
      })),
      { swatch: { label: NOBODY }, text: t('grids.nobody') },
    ];
  },
};
