/** Periods of days in the place's own time zone, as the server wants them: moments, half-open. */

import { h } from './dom.js';
import { timezone } from './i18n.js';

/** @typedef {'30d' | '90d' | '12m' | 'all'} Preset */
/** Days of each; null: all there is. @type {Map<Preset, number | null>} */
export const PRESETS = new Map([['30d', 30], ['90d', 90], ['12m', 365], ['all', null]]);

/**
 * What the user chose: a preset, or days from and to (both included).
 * @typedef {{preset: Preset} | {from: string, to: string}} Period
 */

/**
 * The day of a moment, `2026-05-31`, in the place's zone.
 * @param {number | string | Date} moment
 */
export function dayOf(moment) {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: timezone(),
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(new Date(moment));
  /** @param {string} type */
  const part = (type) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
}

/**
 * A day so many days later.
 * @param {string} day @param {number} days
 */
export function addDays(day, days) {
  const moment = new Date(`${day}T00:00:00Z`);
  moment.setUTCDate(moment.getUTCDate() + days);
  return moment.toISOString().slice(0, 10);
}

/**
 * The moment a day begins in the place's zone, ISO with its offset.
 * @param {string} day
 */
export function midnight(day) {
  const guess = new Date(`${day}T00:00:00Z`);
  const name = new Intl.DateTimeFormat('en', { timeZone: timezone(), timeZoneName: 'longOffset' })
    .formatToParts(guess)
    .find((part) => part.type === 'timeZoneName')?.value;
  const offset = /GMT([+-]\d\d:\d\d)/.exec(name ?? '')?.[1] ?? '+00:00';
  return `${day}T00:00:00${offset}`;
}

/**
 * The moments a period begins and ends at; null is open.
 * @param {Period} period
 * @param {string} now ISO
 * @returns {{start: string | null, end: string | null}}
 */
export function moments(period, now) {
  if ('preset' in period) {
    const days = PRESETS.get(period.preset) ?? null;
    return { start: days === null ? null : midnight(addDays(dayOf(now), -days)), end: null };
  }
  return { start: midnight(period.from), end: midnight(addDays(period.to, 1)) };
}

/**
 * The first and last day of a month, `2026-05`.
 * @param {string} month
 */
export function daysOfMonth(month) {
  const [year, number] = month.split('-').map(Number);
  const last = new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10);
  return { from: `${month}-01`, to: last };
}

/**
 * Every month from one moment's to another's, `['2025-01', …]`.
 * @param {string} first ISO @param {string} last ISO
 */
export function months(first, last) {
  const result = [];
  let month = dayOf(first).slice(0, 7);
  const end = dayOf(last).slice(0, 7);
  while (month <= end && result.length < 600) {
    result.push(month);
    month = addDays(daysOfMonth(month).to, 1).slice(0, 7);
  }
  return result;
}

/**
 * First and last day of what an answer of the server counted: half-open moments, as people say it.
 * @param {{start: string, end: string}} answer
 * @returns {any[]} of which a line ends between the days only
 */
export const daysOf = ({ start, end }) => [
  h('time', {}, dayOf(start)), ' – ', h('time', {}, dayOf(new Date(end).getTime() - 1)),
];

/**
 * The last 30 days; where nothing has come in for longer, the month of the latest incident.
 * @param {any} meta
 * @returns {Period}
 */
export function latestMonth({ incidents, now }) {
  if (incidents.last === null || dayOf(incidents.last) > addDays(dayOf(now), -30)) return { preset: '30d' };
  return daysOfMonth(dayOf(incidents.last).slice(0, 7));
}
