/** All layers of the map, in the order they lie on one another. */

import { borders } from './borders.js';
import { cameras } from './cameras.js';
import { context } from './context.js';
import { density } from './density.js';
import { gridmap } from './gridmap.js';
import { grids } from './grids.js';
import { hotspots } from './hotspots.js';
import { incidents } from './incidents.js';
import { routes } from './routes.js';
import { units } from './units.js';

/**
 * @typedef {object} Swatch what stands for an entry of the legend: a filled box, a line, or a mark
 * @property {string} [fill]
 * @property {number} [opacity] of the fill over the ground; opaque when left out
 * @property {string} [line]
 * @property {number} [width]
 * @property {boolean} [dashed]
 * @property {string} [camera]
 * @property {string} [wedge]
 * @property {string} [border]
 * @property {boolean} [checkpoint]
 * @property {'hidden' | 'unknown'} [pattern] of what has no value
 * @property {string} [label] colour of a grid's label
 */
/** @typedef {{swatch: Swatch, text: string, count?: number}} LegendEntry */
/** @typedef {(key: string, values?: Record<string, string | number>) => string} Translate */
/**
 * @typedef {object} MapLayer one entry of the layer list
 * @property {string} id
 * @property {string[]} tiles names of the vector tile sources it draws
 * @property {(view: {language: import('../i18n.js').Language}) => any[]} specs MapLibre layers,
 *   each with its `order` in the pile
 * @property {() => {id: string, image: any}[]} [images]
 * @property {(t: Translate, figures: {counts: Record<string, any>}) => LegendEntry[]} legend
 */

/** Layers that colour the ground: one at a time can be read. */
export const COLOURINGS = ['density', 'gridmap', 'hotspots'];

/** In the order of the panel. @type {MapLayer[]} */
export const LAYERS = [
  grids, incidents, density, gridmap, hotspots, cameras, routes, borders, units, context,
];

/**
 * Every MapLibre layer of the wanted sources, lowest first.
 * @param {import('../i18n.js').Language} language
 * @param {Set<string>} sources names of the vector tile sources there are
 * @returns {{owner: string, order: number, spec: any}[]}
 */
export function pile(language, sources) {
  return LAYERS.flatMap(({ id, specs }) =>
    specs({ language })
      .filter(({ source }) => sources.has(source))
      .map(({ order, ...spec }) => ({ owner: id, order, spec })),
  ).sort((a, b) => a.order - b.order);
}
