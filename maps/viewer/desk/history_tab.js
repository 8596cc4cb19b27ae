/** What was done to the plan: moves to go back to, and states with a name. */

import { h } from '../dom.js';
import { number, t, when } from '../i18n.js';
import { button } from './grid_tab.js';

/** @param {import('./board.js').Board} board */
export function historyTab(board) {
  const { moves, savePoints, plan: { info } } = board;
  const goTo = (/** @type {any} */ where) => board.act(() => board.plan.step('go-to', where));
  const name = h('input', { id: 'desk-save-name', maxlength: 100, required: true, 'aria-label': t('desk.save_name'), placeholder: t('desk.save_name') });
  return [
    h('h3', {}, t('desk.save_points')),
    board.may('drafts.write') && h('form', { class: 'find', onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      board.send(() => board.api.post(`${board.plan.path}/save-points`, { name: name.value.trim() }), async () => {
        await board.readHistory();
        board.clear('desk-save-name');
      });
    } }, name, h('button', { type: 'submit', class: 'small', id: 'desk-save' }, t('desk.save'))),
    savePoints.length === 0 ? h('p', { class: 'hint' }, t('desk.no_save_points'))
      : h('ul', { class: 'places' }, ...savePoints.map((point, index) => h('li', {},
        h('b', {}, point.name), ` · ${point.author} · ${when(point.at)} `,
        board.canEdit && point.move !== info.head && button(board, `save-${index}`, 'desk.go_to', () => goTo({ save_point: point.name }), 'line')))),
    h('h3', {}, t('desk.moves')),
    h('ol', { class: 'places moves', id: 'desk-moves' },
      ...moves.map((move) => entry(board, move.seq, move.holds, t('desk.move_line', { n: number(move.seq), kind: t(`desk.kind_${move.kind}`), cells: number(move.cells) }),
        `${move.author} · ${when(move.at)}`, goTo)),
      moves.at(-1)?.seq === 1 || moves.length === 0 ? entry(board, 0, true, t('desk.beginning'), '', goTo) : null),
    moves.length > 0 && (moves.at(-1)?.seq ?? 1) > 1 && h('p', { class: 'hint' }, t('desk.older')),
  ];
}

/**
 * @param {import('./board.js').Board} board @param {number} seq @param {boolean} holds @param {string} words
 * @param {string} who @param {(where: any) => any} goTo
 */
function entry(board, seq, holds, words, who, goTo) {
  const isHead = seq === board.plan.info.head;
  return h('li', { class: isHead ? 'head' : holds ? null : 'taken-back' },
    words, !holds && ` · ${t('desk.taken_back')}`, who && h('span', { class: 'hint' }, who),
    isHead ? h('b', {}, t('desk.here')) : board.canEdit && button(board, `go-${seq}`, 'desk.go_to', () => goTo({ move: seq }), 'line'));
}
