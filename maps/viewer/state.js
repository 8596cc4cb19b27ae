/** What is shown, kept in the address so that a link opens the same map. Never a person's id. */

import { MEASURES } from './layers/gridmap.js';
import { METHODS } from './layers/hotspots.js';
import { PRESETS } from './period.js';
import { chosenLanguage } from './remembered.js';

/** @typedef {import('./period.js').Period} Period */
/**
 * @typedef {object} State
 * @property {import('./i18n.js').Language} language
 * @property {{zoom: number, lat: number, lon: number} | null} view null: not chosen yet
 * @property {Set<string>} layers
 * @property {Period | null} period null: not chosen yet
 * @property {Set<string> | null} categories null: all
 * @property {number} bandwidth metres
 * @property {string} per what a density is of: square kilometres, households or km of street
 * @property {string} method of the hot spots
 * @property {string} measure of the map by grid
 * @property {boolean} shared whether the map by grid is the one that may leave the case team
 */

export const LAYER_IDS = [
  'grids', 'incidents', 'density', 'gridmap', 'hotspots', 'cameras', 'routes', 'borders', 'units', 'context',
];
/** At first: who answers for what, and what happened there. The rest is one click away. */
export const DEFAULT_LAYERS = ['grids', 'incidents', 'routes', 'borders', 'units', 'context'];
export const BANDWIDTHS = [150, 300, 600];
export const PER = ['km2', 'inhabited', 'households', 'streets'];
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Read the address; whatever in it makes no sense counts as not said.
 * @param {string} hash `location.hash`
 * @returns {State}
 */
export function readState(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ''));
  const [zoom, lat, lon] = (said.get('map') ?? '').split('/').map(Number);
  const layers = said.get('layers');
  const categories = said.get('cat');
  const bandwidth = Number(said.get('bandwidth'));
  return {
    language: chosenLanguage(said.get('lang')),
    view:
      [zoom, lat, lon].every(Number.isFinite) && Math.abs(lat) <= 85 && Math.abs(lon) <= 180
        ? { zoom, lat, lon }
        : null,
    layers: new Set(
      layers === null ? DEFAULT_LAYERS : layers.split(',').filter((id) => LAYER_IDS.includes(id)),
    ),
    period: readPeriod(said.get('period')),
    categories:
      categories === null
        ? null
        : new Set(categories.split(',').filter((code) => /^[a-z][a-z0-9_]*$/.test(code))),
    bandwidth: BANDWIDTHS.includes(bandwidth) ? bandwidth : 300,
    per: PER.find((one) => one === said.get('per')) ?? PER[0],
    method: METHODS.find((one) => one === said.get('method')) ?? METHODS[0],
    measure: MEASURES.find((one) => one === said.get('measure')) ?? MEASURES[0],
    shared: said.get('shared') === 'true',
  };
}

/**
 * @param {State} state
 * @returns {string} for `location.hash`
 */
export function writeState(state) {
  const parts = [];
  if (state.view) {
    const { zoom, lat, lon } = state.view;
    parts.push(`map=${zoom.toFixed(2)}/${lat.toFixed(5)}/${lon.toFixed(5)}`);
  }
  parts.push(`layers=${LAYER_IDS.filter((id) => state.layers.has(id)).join(',')}`);
  if (state.period) {
    const { period } = state;
    parts.push(`period=${'preset' in period ? period.preset : `${period.from}..${period.to}`}`);
  }
  if (state.categories) parts.push(`cat=${[...state.categories].sort().join(',')}`);
  if (state.bandwidth !== 300) parts.push(`bandwidth=${state.bandwidth}`);
  if (state.per !== PER[0]) parts.push(`per=${state.per}`);
  if (state.method !== METHODS[0]) parts.push(`method=${state.method}`);
  if (state.measure !== MEASURES[0]) parts.push(`measure=${state.measure}`);
  if (state.shared) parts.push('shared=true');
  parts.push(`lang=${state.language}`);
  return `#${parts.join('&')}`;
}

/**
 * @param {string | null} said
 * @returns {Period | null}
 */
function readPeriod(said) {
  if (said === null) return null;
  const preset = /** @type {import('./period.js').Preset} */ (said);
  if (PRESETS.has(preset)) return { preset };
  const [from, to] = said.split('..');
  return DAY.test(from) && DAY.test(to ?? '') && from <= to ? { from, to } : null;
}
