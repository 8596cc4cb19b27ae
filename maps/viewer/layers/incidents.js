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
      order: 60, id: 'incidents', type: 'circle', source: 'incidents', 'source-layer': 'incidents',
      layout: { 'circle-sort-key': ['-', ['get', 'n']] },
      paint: {
        'circle-color': [
          'case',
          ['>', ['get', 'categories'], 1], SEVERAL,
          ['match', ['get', 'category'], ...GROUPS.slice(0, -1).flatMap(({ codes, colour }) => [codes, colour]), GROUPS[GROUPS.length - 1].colour],
        ],
        'circle-radius': [
          'interpolate', ['linear'], ['get', 'n'], 1, 5, 2, 7.5, 10, 10, 100, 15, 1000, 21,
        ],
        'circle-opacity': 0.92,
        'circle-stroke-color': ['case', ['>', ['get', 'categories'], 1], '#ffffff', '#1d2b36'],
        'circle-stroke-width': 1.1,
      },
    },
    {
      order: 61, id: 'incident-counts', type: 'symbol', source: 'incidents',
      'source-layer': 'incidents', filter: ['>', ['get', 'n'], 1],
      layout: {
        'text-field': ['to-string', ['get', 'n']], 'text-font': TEXT_FONT, 'text-size': 11,
        'text-allow-overlap': true, 'text-ignore-placement': true,
      },
      paint: {
        // White on the dark mark of several categories, dark on the light ones of one.
        'text-color': ['case', ['>', ['get', 'categories'], 1], '#ffffff', '#101820'],
      },
    },
  ],
  legend: () => [], // its legend is the choice of categories, in the panel
};
