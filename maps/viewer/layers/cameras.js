/** Cameras, and the wedge each one nominally sees. */

export const STATUSES = /** @type {const} */ ({
  online: '#00796b',
  offline: '#c62828',
  unknown: '#616161',
});

/** @type {import('./index.js').MapLayer} */
export const cameras = {
  id: 'cameras',
  tiles: ['cameras'],
  specs: () => [
    {
      order: 50, id: 'camera-wedges', type: 'fill', source: 'cameras',
      'source-layer': 'camera_wedges', minzoom: 13,
      paint: { 'fill-color': byStatus(), 'fill-opacity': 0.12 },
    },
    {
      order: 51, id: 'camera-wedge-lines', type: 'line', source: 'cameras',
      'source-layer': 'camera_wedges', minzoom: 14,
      paint: { 'line-color': byStatus(), 'line-width': 1, 'line-opacity': 0.6, 'line-dasharray': [3, 2] },
    },
    {
      order: 91.5, id: 'cameras', type: 'symbol', source: 'cameras', 'source-layer': 'cameras',
      minzoom: 12,
      layout: {
        'icon-image': [
          'concat', 'camera-', ['get', 'status'],
          ['case', ['has', 'heading_deg'], '-heading', ''],
        ],
        'icon-rotate': ['coalesce', ['get', 'heading_deg'], 0],
        'icon-rotation-alignment': 'map', 'icon-allow-overlap': true,
        'icon-size': ['interpolate', ['linear'], ['zoom'], 12, 0.45, 15, 0.9, 17, 1.1],
      },
    },
  ],
  images: () =>
    Object.entries(STATUSES).flatMap(([status, colour]) => [
      { id: `camera-${status}`, image: cameraImage(colour, false) },
      { id: `camera-${status}-heading`, image: cameraImage(colour, true) },
    ]),
  legend: (t) => [
    ...Object.entries(STATUSES).map(([status, colour]) => ({
      swatch: { camera: colour },
      text: t(`camera.${status}`),
    })),
    { swatch: { wedge: STATUSES.online }, text: t('camera.wedge') },
  ],
};

const byStatus = () => [
  'match', ['get', 'status'], 'online', STATUSES.online, 'offline', STATUSES.offline, STATUSES.unknown,
];

/**
 * A round mark; with a heading, a beak that points north before it is turned.
 * @param {string} colour @param {boolean} heading
 * @returns {{width: number, height: number, data: Uint8ClampedArray}} at two pixels a CSS pixel
 */
function cameraImage(colour, heading) {
  const size = 48;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  pen.translate(size / 2, size / 2);
  pen.lineWidth = 3;
  pen.strokeStyle = '#ffffff';
  pen.fillStyle = colour;
  pen.lineJoin = 'round';
  if (heading) {
    pen.beginPath();
    pen.moveTo(0, -22);
    pen.lineTo(11, -6);
    pen.lineTo(-11, -6);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }
  pen.beginPath();
  pen.arc(0, 2, 11, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
  pen.beginPath();
  pen.arc(0, 2, 4, 0, 2 * Math.PI);
  pen.fillStyle = '#ffffff';
  pen.fill();
  return pen.getImageData(0, 0, size, size);
}
