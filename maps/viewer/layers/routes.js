/** Border patrol routes by the age of their last patrol, and their checkpoints. */

import { TEXT_FONT } from './text.js';

const STATES = {
  recent: { colour: '#00695c', dash: null, test: ['==', ['get', 'overdue'], false] },
  overdue: { colour: '#e65100', dash: [3, 1.2], test: ['==', ['get', 'overdue'], true] },
  // No patrol on record is "unknown", never "not patrolled".
  unknown: { colour: '#5d5d5d', dash: [1, 1.4], test: ['!', ['has', 'overdue']] },
};

/** @type {import('./index.js').MapLayer} */
export const routes = {
  id: 'routes',
  tiles: ['routes'],
  specs: () => [
    {
      order: 56, id: 'route-casing', type: 'line', source: 'routes', 'source-layer': 'routes',
      layout: { 'line-join': 'round' },
      paint: { 'line-color': '#ffffff', 'line-width': 5.5, 'line-opacity': 0.8 },
    },
    ...Object.entries(STATES).map(([key, { colour, dash, test }]) => ({
      order: 57, id: `routes-${key}`, type: 'line', source: 'routes', 'source-layer': 'routes',
      filter: test,
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': colour, 'line-width': 3, ...(dash ? { 'line-dasharray': dash } : {}),
      },
    })),
    {
      order: 91.6, id: 'checkpoints', type: 'symbol', source: 'routes', 'source-layer': 'checkpoints',
      minzoom: 9,
      layout: {
        'icon-image': 'checkpoint', 'icon-allow-overlap': true,
        'icon-size': ['interpolate', ['linear'], ['zoom'], 9, 0.55, 13, 1],
        'text-field': ['step', ['zoom'], '', 11, ['get', 'name']], 'text-font': TEXT_FONT,
        'text-size': 12, 'text-offset': [0, 1.1], 'text-anchor': 'top', 'text-optional': true,
      },
      paint: { 'text-color': '#3e2723', 'text-halo-color': '#ffffff', 'text-halo-width': 1.6 },
    },
    {
      order: 85, id: 'route-names', type: 'symbol', source: 'routes', 'source-layer': 'routes',
      minzoom: 9,
      layout: {
        'symbol-placement': 'line', 'symbol-spacing': 420, 'text-field': ['get', 'name'],
        'text-font': TEXT_FONT, 'text-size': 12, 'text-offset': [0, 1],
      },
      paint: { 'text-color': '#1d3b36', 'text-halo-color': '#ffffff', 'text-halo-width': 1.6 },
    },
  ],
  images: () => [{ id: 'checkpoint', image: checkpointImage() }],
  legend: (t) => [
    ...Object.entries(STATES).map(([key, { colour, dash }]) => ({
      swatch: { line: colour, width: 3, dashed: dash !== null },
      text: t(`routes.${key}`),
    })),
    { swatch: { checkpoint: true }, text: t('routes.checkpoint') },
  ],
};

function checkpointImage() {
  const size = 32;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  pen.translate(size / 2, size / 2);
  pen.rotate(Math.PI / 4);
  pen.fillStyle = '#ffd54f';
  pen.strokeStyle = '#3e2723';
  pen.lineWidth = 3;
  pen.fillRect(-8, -8, 16, 16);
  pen.strokeRect(-8, -8, 16, 16);
  return pen.getImageData(0, 0, size, size);
}
