/** Comments on the plan, pinned to places. */

import { h } from '../dom.js';
import { number, t, when } from '../i18n.js';
import { button } from './grid_tab.js';

/** @param {import('./board.js').Board} board */
export function talkTab(board) {
  const { comments, pinned } = board;
  const open = comments.filter((one) => one.closed_at === null);
  const closed = comments.filter((one) => one.closed_at !== null);
  return [
    board.may('drafts.write') && form(board, pinned),
    h('h3', {}, t('desk.open_comments', { n: number(open.length) })),
    h('ul', { class: 'places talk' }, ...open.map((one) => line(board, one))),
    closed.length > 0 && h('details', {}, h('summary', { id: 'desk-closed-comments' }, t('desk.closed_comments', { n: number(closed.length) })),
      h('ul', { class: 'places talk' }, ...closed.map((one) => line(board, one)))),
  ];
}

/** @param {import('./board.js').Board} board @param {{lon: number, lat: number} | null} pinned */
function form(board, pinned) {
  const words = h('textarea', { id: 'desk-words', rows: 3, maxlength: 2000, required: true, 'aria-label': t('desk.comment'), placeholder: t('desk.comment') });
  return h('form', { class: 'talk-form', onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    board.send(() => board.api.post(`${board.plan.path}/comments`, { words: words.value.trim(), ...pinned }), async () => {
      board.pinned = null;
      await board.readTalk();
      board.clear('desk-words');
    });
  } }, words,
  h('p', { class: 'hint' }, pinned ? t('desk.pinned', { lon: number(pinned.lon, 5), lat: number(pinned.lat, 5) }) : t('desk.not_pinned')),
  h('div', { class: 'buttons' },
    h('button', { type: 'submit', class: 'primary', id: 'desk-comment' }, t('desk.comment_send')),
    button(board, 'pin', pinned ? 'desk.pin_again' : 'desk.pin', () => board.setMode({ kind: 'comment' })),
    pinned && button(board, 'unpin', 'desk.unpin', () => {
      board.pinned = null;
      board.draw();
    })));
}

/** @param {import('./board.js').Board} board @param {any} one */
function line(board, one) {
  return h('li', { id: `desk-comment-${one.id}`, tabindex: '-1' },
    h('p', { class: 'words' }, one.words),
    h('p', { class: 'hint' }, `${one.author} · ${when(one.at)}`, one.closed_at && ` · ${t('desk.closed_by', { who: one.closed_by, at: when(one.closed_at) })}`),
    h('div', { class: 'buttons' },
      one.lon !== null && button(board, `look-${one.id}`, 'desk.look', () => board.lookAt(one)),
      one.closed_at === null && board.may('drafts.write') && button(board, `close-${one.id}`, 'desk.resolve', () =>
        board.send(() => board.api.post(`${board.plan.path}/comments/${one.id}/close`, {}), () => board.readTalk()))));
}
