/** Incidents by category, in groups few enough to tell apart by colour. */

import { TEXT_FONT } from './text.js';

/**
 * Groups of categories. Colours after Okabe and Ito, which colour-blind eyes tell apart; the dark
 * rim lets the light ones stand out.
 */
export const GROUPS = [
  { key: 'home', colour: '#e69f00', codes: ['marriage_family', 'neighbour', 'property_management'] },
  {
    key: 'land', colour: '#009e73',
    codes: ['housing', 'land_forest', 'land_acquisition', 'environment'],
  },
  { key: 'work', colour: '#0072b2', codes: ['migrant_wages', 'labour'] },
  {
    key: 'trade', colour: '#56b4e9',
    codes: ['contract', 'business', 'tourism', 'e_commerce', 'consumer'],
  },
  { key: 'harm', colour: '#cc79a7', codes: ['damages', 'medical', 'traffic'] },
  { key: 'safety', colour: '#d55e00', codes: ['hazard', 'crime'] },
  { key: 'service', colour: '#f0e442', codes: ['service'] },
  { key: 'other', colour: '#9e9e9e', codes: ['other'] },
];
export const SEVERAL = '#37474f';

/** Radius of a mark by the number of incidents in it, CSS pixels. */
const RADIUS_PX = [1, 5, 2, 7.5, 10, 10, 100, 15, 1000, 21];
const RIM_PX = 1.1;
/** Side of the invisible picture that keeps names off a mark, CSS pixels. */
const ROOM_PX = 10;

/**
 * The group of a category; one that the installation has added itself is "other".
 * @param {string} code
 */
export const groupOf = (code) =>
  GROUPS.find(({ codes }) => codes.includes(code)) ?? GROUPS[GROUPS.length - 1];

/** @type {import('./index.js').MapLayer} */
export const incidents = {
  id: 'incidents',
  tiles: ['incidents'],
  specs: () => [
    {
      order: 92, id: 'incidents', type: 'circle', source: 'incidents', 'source-layer': 'incidents',
      layout: { 'circle-sort-key': ['-', ['get', 'n']] },
      paint: {
        'circle-color': [
          'case',
          ['>', ['get', 'categories'], 1], SEVERAL,
          ['match', ['get', 'category'], ...GROUPS.slice(0, -1).flatMap(({ codes, colour }) => [codes, colour]), GROUPS[GROUPS.length - 1].colour],
        ],
        'circle-radius': byNumber(RADIUS_PX),
        'circle-opacity': 0.92,
        'circle-stroke-color': ['case', ['>', ['get', 'categories'], 1], '#ffffff', '#1d2b36'],
        'circle-stroke-width': RIM_PX,
      },
    },
    {
      // The topmost labels are placed first: these keep their place, and the others give way to
      // the whole mark, which a circle alone could not make them do.
      order: 93, id: 'incident-counts', type: 'symbol', source: 'incidents',
      'source-layer': 'incidents',
      layout: {
        'icon-image': 'incident-room', 'icon-allow-overlap': true, 'icon-padding': 0,
        'icon-size': byNumber(
          RADIUS_PX.map((value, at) => (at % 2 ? (2 * (value + RIM_PX)) / ROOM_PX : value)),
        ),
        'text-field': ['case', ['>', ['get', 'n'], 1], ['to-string', ['get', 'n']], ''],
        'text-font': TEXT_FONT, 'text-size': 11, 'text-padding': 0, 'text-allow-overlap': true,
      },
      paint: {
        // White on the dark mark of several categories, dark on the light ones of one.
        'text-color': ['case', ['>', ['get', 'categories'], 1], '#ffffff', '#101820'],
      },
    },
  ],
  images: () => [{
    id: 'incident-room',
    image: { width: 2 * ROOM_PX, height: 2 * ROOM_PX, data: new Uint8Array(16 * ROOM_PX ** 2) },
  }],
  legend: () => [], // its legend is the choice of categories, in the panel
};

/** @param {number[]} stops number of incidents, value, number of incidents, value ... */
function byNumber(stops) {
  return ['interpolate', ['linear'], ['get', 'n'], ...stops];
}
