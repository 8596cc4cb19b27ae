/** The chosen grid: its figures, what can be done with it, and with the cells chosen of it. */

import { h } from '../dom.js';
import { number, percent, t } from '../i18n.js';
import { CLASSES } from '../layers/grids.js';
import { swatchPicture } from '../swatch.js';
import { toleranceClass } from './plan.js';
import { release, repair, split } from './steps.js';

/** @typedef {import('./board.js').Board} Board */

const MOST_PARTS = 20;

/** @param {Board} board */
export function gridTab(board) {
  const { selected, grid } = board;
  return [
    finder(board),
    selected === null ? h('p', { class: 'hint' }, t(board.canEdit ? 'desk.choose_hint' : 'desk.choose_hint_read'))
      : selected === 0 ? free(board) : grid && facts(board, grid),
    board.canEdit && selected !== null && chosenCells(board),
    grid && board.canEdit && actions(board, grid),
    board.canEdit && h('div', { class: 'buttons' },
      button(board, 'outline', 'desk.outline', () => board.setMode({ kind: 'outline' }))),
    legend(board),
  ];
}

/** @param {Board} board */
function finder(board) {
  const field = h('input', { id: 'desk-find', type: 'search', 'aria-label': t('desk.find'), placeholder: t('desk.find') });
  return h('form', { class: 'find', role: 'search', onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    const found = board.plan.find(field.value);
    if (found === null) return board.say(t('desk.not_found', { code: field.value }));
    board.zoomTo([found.id]);
    return board.select(found.id);
  } }, field, h('button', { type: 'submit', class: 'small', id: 'desk-find-go' }, t('desk.find_go')));
}

/** @param {Board} board @param {any} grid */
function facts(board, { properties }) {
  const {
    code, name, households, target, deviation, compactness, buildings, area_m2: area, locked_by: lockedBy, tolerance,
  } = properties;
  const said = board.comments.filter((one) => one.closed_at === null && one.lon !== null && board.holds(one));
  return h('section', { class: 'grid-facts', id: 'desk-grid', 'aria-live': 'polite' },
    h('p', { class: 'grid-code' }, h('b', {}, code), name && name !== code && ` ${name}`),
    h('dl', { class: 'facts' },
      h('dt', {}, t('desk.households')), h('dd', {}, t('desk.of_target', { n: number(households), target: number(target) })),
      h('dt', {}, t('desk.deviation')), h('dd', {}, h('span', { class: `deviation ${toleranceClass(properties)}` }, percent(deviation, { signed: true })),
        ` ${t('desk.tolerance', { tolerance: percent(tolerance) })}`),
      h('dt', {}, t('desk.buildings')), h('dd', {}, number(buildings)),
      h('dt', {}, t('desk.cells')), h('dd', {}, number(board.cells.size)),
      h('dt', {}, t('desk.area')), h('dd', {}, t('desk.km2', { n: number(area / 1e6, 3) })),
      h('dt', {}, t('desk.compactness')), h('dd', {}, number(compactness, 2)),
      h('dt', {}, t('desk.lock')), h('dd', {}, lockedBy ? t('desk.locked_by', { who: lockedBy }) : t('desk.unlocked')),
      h('dt', {}, t('desk.tab_talk')), h('dd', {}, said.length === 0 ? '0' : h('button', {
        type: 'button', class: 'line', id: 'desk-grid-talk', onclick: () => board.open('talk', `desk-comment-${said[0].id}`),
      }, number(said.length)))));
}

/** @param {Board} board */
function free(board) {
  const households = [...board.cells.values()].reduce((sum, { properties }) => sum + properties.households, 0);
  return h('section', { class: 'grid-facts', id: 'desk-grid' },
    h('p', { class: 'grid-code' }, h('b', {}, t('desk.free'))),
    h('p', {}, t('desk.free_what', { cells: number(board.cells.size), n: number(households) })),
    board.canEdit && h('div', { class: 'buttons' }, button(board, 'repair-all', 'desk.repair_free', () => repair(board, null))));
}

/** @param {Board} board */
function chosenCells(board) {
  const { chosen, cells, grid } = board;
  const households = [...chosen].reduce((sum, id) => sum + (cells.get(id)?.properties.households ?? 0), 0);
  return h('section', { class: 'cells-chosen', 'aria-labelledby': 'desk-cells-title' },
    h('h3', { id: 'desk-cells-title' }, t('desk.cells_title')),
    chosen.size === 0 ? h('p', { class: 'hint' }, t('desk.cells_hint'))
      : h('p', { id: 'desk-chosen', 'aria-live': 'polite' }, t('desk.chosen', { cells: number(chosen.size), n: number(households) }),
        grid && ` ${t('desk.would_leave', { n: number(grid.properties.households - households), share: percent((grid.properties.households - households) / grid.properties.target - 1, { signed: true }) })}`),
    h('div', { class: 'buttons' },
      chosen.size > 0 && [
        button(board, 'move', 'desk.move', () => board.setMode({ kind: 'move' }), 'primary'),
        grid && button(board, 'release', 'desk.release', () => release(board)),
        button(board, 'none', 'desk.choose_none', () => board.choose([]))],
      button(board, 'lasso', 'desk.lasso', () => board.setMode({ kind: 'lasso' })),
      chosen.size < cells.size && button(board, 'all', 'desk.choose_all', () => board.choose(cells.keys()))),
    h('label', { class: 'check' },
      h('input', { type: 'checkbox', id: 'desk-along', checked: board.takeAlong, onchange: (/** @type {any} */ { target }) => {
        board.takeAlong = target.checked;
      } }), t('desk.take_along')));
}

/** @param {Board} board @param {any} grid */
function actions(board, { id, properties }) {
  const isLocked = Boolean(properties.locked_by);
  const parts = h('input', { id: 'desk-parts', type: 'number', min: 2, max: MOST_PARTS, value: '2', 'aria-label': t('desk.parts') });
  return h('section', { class: 'actions', 'aria-labelledby': 'desk-actions-title' },
    h('h3', { id: 'desk-actions-title' }, t('desk.actions')),
    h('div', { class: 'buttons' },
      button(board, 'lock', isLocked ? 'desk.unlock' : 'desk.do_lock', () => board.act(() => board.plan.lock([id], !isLocked))),
      !isLocked && [
        h('span', { class: 'split' }, button(board, 'split', 'desk.split', () => parts.reportValidity() && split(board, Number(parts.value))), parts),
        button(board, 'line', 'desk.split_line', () => board.setMode({ kind: 'line' })),
        button(board, 'merge', 'desk.merge', () => board.setMode({ kind: 'merge' })),
        button(board, 'rebalance', 'desk.rebalance', () => board.setMode({ kind: 'rebalance' })),
        button(board, 'repair', 'desk.repair', () => repair(board, [id]))]));
}

/**
 * @param {Board} board @param {string} name of its id @param {string} key of its words
 * @param {() => any} onclick @param {string} [kind]
 */
export const button = (board, name, key, onclick, kind = '') =>
  h('button', { type: 'button', id: `desk-${name}`, class: kind || null, disabled: board.busy, onclick }, t(key));

/** What the colours mean: deviation in percent of the target, by the tolerance that passes. @param {Board} board */
function legend(board) {
  const tolerances = [...new Set([...board.plan.grids.values()].map(({ properties }) => properties.tolerance))].sort();
  const counts = new Map();
  for (const { properties } of board.plan.grids.values()) {
    const key = toleranceClass(properties);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  // One tolerance for all: its figures; else in words.
  const one = tolerances.length === 1;
  const blanks = { much: percent(2 * (tolerances[0] ?? 0)), some: percent(tolerances[0] ?? 0) };
  return h('section', { class: 'desk-legend', 'aria-labelledby': 'desk-legend-title' },
    h('h3', { id: 'desk-legend-title' }, t('desk.legend')),
    h('ul', { class: 'entries' },
      ...CLASSES.map(({ key, colour }) => h('li', {},
        swatchPicture({ fill: colour, opacity: 0.85 }), one ? t(`desk.class_${key}`, blanks) : t(`desk.norm_${key}`),
        h('span', { class: 'count' }, number(counts.get(key) ?? 0)))),
      h('li', {}, h('span', { class: 'stripe locked', 'aria-hidden': 'true' }), t('desk.legend_locked')),
      h('li', {}, h('span', { class: 'stripe free', 'aria-hidden': 'true' }), t('desk.legend_free'))),
    !one && h('p', { class: 'hint' }, t('desk.norms')));
}
