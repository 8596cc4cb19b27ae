/** The panel beside the map: the plan in figures, what is being done, and a part for each purpose. */

import { fill, h } from '../dom.js';
import { number, percent, t, when } from '../i18n.js';
import { gridTab } from './grid_tab.js';
import { historyTab } from './history_tab.js';
import { areaName, titleOf } from './list.js';
import { reviewTab } from './review_tab.js';
import { rulesTab } from './rules_tab.js';
import { border, rebalance, redo, undo } from './steps.js';
import { talkTab } from './talk_tab.js';

/** @typedef {import('./board.js').Board} Board */

const MOST_STEPS = 5;
/** @type {[string, (board: Board) => any][]} */
const TABS = [
  ['grid', gridTab], ['rules', rulesTab], ['history', historyTab], ['talk', talkTab], ['review', reviewTab],
];

/** @param {Board} board */
export function drawPanel(board) {
  const { panel, plan: { info } } = board;
  keepingFocus(panel, () => fill(panel,
    head(board, info), wholePlan(info), toolbar(board), told(board), modeBar(board), tabs(board)));
}

/** @param {Board} board @param {any} info */
function head(board, info) {
  return h('div', { class: 'desk-head' },
    h('button', { type: 'button', class: 'small', id: 'desk-leave', onclick: () => board.onleave() }, t('desk.back')),
    h('h2', { id: 'desk-title' }, titleOf(info)),
    h('p', { class: 'hint' }, `${areaName(info)} · `, h('b', { id: 'desk-state' }, t(`desk.state_${info.state}`))));
}

/** @param {any} info */
function wholePlan({ figures, tolerance }) {
  const share = figures.within_tolerance;
  return h('dl', { class: 'desk-figures', id: 'desk-figures', 'aria-live': 'polite' },
    pair('desk.grids', number(figures.grids)),
    pair('desk.households', number(figures.households)),
    pair(tolerance === null ? 'desk.within_norm' : 'desk.within', share === null ? '—' : percent(share), { tolerance: percent(tolerance ?? 0) }),
    pair('desk.mean_deviation', figures.mean_deviation === null ? '—' : `${number(figures.mean_deviation * 100, 1)}%`),
    pair('desk.compactness', figures.mean_compactness === null ? '—' : number(figures.mean_compactness, 2)),
    pair('desk.unassigned', number(figures.unassigned)));
}

/** @param {Board} board */
function toolbar(board) {
  if (!board.canEdit) return h('p', { class: 'hint', id: 'desk-closed' }, t(board.may('drafts.write') ? 'desk.closed' : 'desk.read_only'));
  return h('div', { class: 'buttons' },
    h('button', { type: 'button', id: 'desk-undo', disabled: board.busy || board.plan.info.head === 0, title: 'Ctrl+Z', onclick: () => undo(board) }, t('desk.undo')),
    h('button', { type: 'button', id: 'desk-redo', disabled: board.busy || !board.canRedo, title: 'Ctrl+Shift+Z', onclick: () => redo(board) }, t('desk.redo')),
    board.busy && h('span', { class: 'hint' }, t('desk.working')));
}

/** @param {Board} board */
function told(board) {
  if (board.notice === null) return null;
  return h('div', { class: 'notice', id: 'desk-notice' }, board.notice(),
    h('button', { type: 'button', class: 'close', id: 'desk-notice-close', 'aria-label': t('desk.close'), onclick: () => {
      board.notice = null;
      board.marks([], []);
      board.draw();
    } }, '×'));
}

/** @param {Board} board */
function modeBar(board) {
  const { kind, ring } = board.mode;
  if (kind === 'look') return null;
  return h('div', { class: 'mode', role: 'group', 'aria-labelledby': 'desk-how' },
    h('p', { id: 'desk-how' }, t(`desk.how_${kind}`)),
    h('div', { class: 'buttons' },
      board.sketch.isOn && [
        h('button', { type: 'button', id: 'desk-finish', class: 'primary', disabled: !board.sketch.enough, onclick: () => board.sketch.finish() }, t('desk.finish')),
        h('button', { type: 'button', id: 'desk-corner', disabled: board.sketch.corners.length === 0, onclick: () => board.sketch.back() }, t('desk.corner_back'))],
      kind === 'border' && h('button', { type: 'button', id: 'desk-new', class: 'primary', onclick: () => border(board, ring ?? [], null) }, t('desk.new_grid')),
      kind === 'rebalance' && h('button', { type: 'button', id: 'desk-rebalance-go', class: 'primary', disabled: board.picked.size === 0, onclick: () => rebalance(board) }, t('desk.rebalance_go', { n: number(board.picked.size + 1) })),
      h('button', { type: 'button', id: 'desk-cancel', onclick: () => board.setMode({ kind: 'look' }) }, t('desk.cancel'))));
}

/** @param {Board} board */
function tabs(board) {
  const step = (/** @type {KeyboardEvent} */ event) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    const place = TABS.findIndex(([name]) => name === board.tab);
    const [name] = TABS.at((place + by) % TABS.length) ?? TABS[0];
    board.open(name, `desk-tab-${name}`);
  };
  const [, content] = TABS.find(([name]) => name === board.tab) ?? TABS[0];
  return [
    h('div', { role: 'tablist', class: 'tabs', 'aria-label': t('desk.tabs'), onkeydown: step },
      ...TABS.map(([name]) => h('button', {
        type: 'button', role: 'tab', id: `desk-tab-${name}`, 'aria-selected': String(name === board.tab), 'aria-controls': 'desk-part',
        tabindex: name === board.tab ? '0' : '-1', onclick: () => board.open(name),
      }, t(`desk.tab_${name}`)))),
    h('div', { role: 'tabpanel', id: 'desk-part', 'aria-labelledby': `desk-tab-${board.tab}` }, content(board)),
  ];
}

/** @param {any[]} steps who did what, the newest first */
export const stepList = (steps) => h('ul', { class: 'steps' }, ...steps.slice(0, MOST_STEPS).map(({ author, kind, at }) =>
  h('li', {}, t('desk.step', { author, what: t(`desk.step_${kind}`), at: when(at) }))));

/** @param {string} key @param {string} value @param {Record<string, string>} [blanks] */
export const pair = (key, value, blanks = {}) => h('div', {}, h('dt', {}, t(key, blanks)), h('dd', {}, value));

/**
 * Draw anew, with the focus, what was typed and the scroll where they were.
 * @param {HTMLElement} root @param {() => void} draw
 */
function keepingFocus(root, draw) {
  const { scrollTop } = root;
  const focused = root.contains(document.activeElement) ? document.activeElement?.id : '';
  const at = /** @type {any} */ (document.activeElement);
  const caret = focused ? [at?.selectionStart ?? null, at?.selectionEnd ?? null] : [null, null];
  const typed = new Map();
  for (const field of /** @type {any} */ (root.querySelectorAll('input, textarea'))) typed.set(field.id, field.value);
  draw();
  for (const [id, value] of typed) {
    const field = /** @type {any} */ (document.getElementById(id));
    if (field && field.type !== 'checkbox') field.value = value;
  }
  root.scrollTop = scrollTop;
  if (!focused) return;
  const field = /** @type {any} */ (document.getElementById(focused));
  field?.focus({ preventScroll: true });
  if (caret[0] !== null) field?.setSelectionRange?.(caret[0], caret[1]);
}
