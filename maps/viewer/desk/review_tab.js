/** From the table to an edition: compare, hand in, approve or return, put in force. */

import { h } from '../dom.js';
import { number, percent, t, when } from '../i18n.js';
import { button } from './grid_tab.js';

/** @param {import('./board.js').Board} board */
export function reviewTab(board) {
  const { info } = board.plan;
  const may = board.may('editions.publish');
  return [
    h('h3', {}, t('desk.compare')),
    h('div', { class: 'buttons' }, button(board, 'compare', 'desk.compare_go', () => board.compare())),
    board.comparison && comparison(board, board.comparison),
    h('h3', {}, t('desk.tab_review')),
    h('p', {}, t(`desk.next_${info.state}`)),
    info.state === 'open' && board.canEdit && remark(board, 'submit', 'desk.submit', async (words) => {
      // What is said on handing in stands among the comments, where the reviewer answers it.
      if (words) await board.api.post(`${board.plan.path}/comments`, { words });
      return board.api.send('POST', `${board.plan.path}/submit`);
    }),
    info.state === 'submitted' && may && remark(board, 'approve', 'desk.approve', (note) => board.api.post(`${board.plan.path}/approve`, { note })),
    ['submitted', 'approved'].includes(info.state) && may && remark(board, 'return', 'desk.return', (note) => board.api.post(`${board.plan.path}/return`, { note }), true),
    info.state === 'approved' && may && publishing(board),
    board.reviews.length > 0 && h('ul', { class: 'places', id: 'desk-reviews' }, ...board.reviews.map((one) => h('li', {},
      h('b', {}, t(`desk.step_${one.kind}`)), ` · ${one.author} · ${when(one.at)}`, one.note && h('p', { class: 'words' }, one.note)))),
  ];
}

/**
 * A remark and a button.
 * @param {import('./board.js').Board} board @param {string} name @param {string} key of the button's words
 * @param {(words: string) => Promise<any>} send @param {boolean} [required]
 */
function remark(board, name, key, send, required = false) {
  const words = h('textarea', { id: `desk-${name}-words`, rows: 2, maxlength: 2000, required, 'aria-label': `${t(key)}: ${t('desk.remark')}`, placeholder: t('desk.remark') });
  return h('form', { class: 'talk-form', onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    board.send(() => send(words.value.trim()), async () => {
      await board.took(await board.plan.sync());
      await Promise.all([board.readReviews(), board.readTalk()]);
      board.clear(`desk-${name}-words`);
    });
  } }, words, h('div', { class: 'buttons' }, h('button', { type: 'submit', id: `desk-${name}`, class: 'primary', disabled: board.busy }, t(key))));
}

/** @param {import('./board.js').Board} board */
function publishing(board) {
  const day = h('input', { id: 'desk-day', type: 'date', 'aria-label': t('desk.publish_day') });
  return h('form', { class: 'talk-form', onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    board.send(() => board.api.post(`${board.plan.path}/publish`, day.value ? { effective: `${day.value}T00:00:00` } : {}), async () => {
      await board.took(await board.plan.sync());
      await board.readReviews();
    });
  } },
  h('label', { for: 'desk-day' }, t('desk.publish_day')), day,
  h('p', { class: 'hint' }, t('desk.publish_hint')),
  h('div', { class: 'buttons' }, h('button', { type: 'submit', id: 'desk-publish', class: 'primary', disabled: board.busy }, t('desk.publish'))));
}

/** @param {import('./board.js').Board} board @param {any} found */
function comparison(board, found) {
  const row = (/** @type {string} */ key, /** @type {(load: any) => string} */ of) =>
    h('tr', {}, h('th', { scope: 'row' }, t(key)), h('td', {}, of(found.before)), h('td', {}, of(found.after)));
  const moved = /** @type {[string, number | null][]} */ ([
    ['desk.households', found.households_moved], ['desk.buildings', found.buildings_moved],
    ['desk.incidents', found.incidents_moved], ['desk.key_places', found.places_moved], ['desk.workers', found.workers_concerned],
  ]).filter(([, n]) => n !== null);
  return h('section', { class: 'comparison', id: 'desk-comparison' },
    h('table', {},
      h('thead', {}, h('tr', {}, h('td', {}), h('th', { scope: 'col' }, t('desk.before', { id: found.first })), h('th', { scope: 'col' }, t('desk.after')))),
      h('tbody', {},
        row('desk.grids', ({ grids }) => number(grids)),
        row('desk.within_short', ({ within_tolerance: share }) => percent(share)),
        row('desk.mean_deviation', ({ mean_deviation: share }) => `${number(share * 100, 1)}%`),
        row('desk.fewest', ({ fewest, most }) => `${number(fewest)}–${number(most)}`))),
    h('p', {}, t('desk.moved')),
    h('dl', { class: 'facts' }, ...moved.flatMap(([key, n]) => [h('dt', {}, t(key)), h('dd', {}, number(n ?? 0))])),
    h('p', { class: 'hint' }, t('desk.difference')),
    h('ul', { class: 'places' },
      h('li', {}, h('a', { href: board.api.url(`${board.plan.path}/letters`, { beside: found.first, format: 'xlsx' }).href }, t('desk.letters'))),
      h('li', {}, h('a', { href: board.api.url(`${board.plan.path}/export`, { layer: 'grids', format: 'gpkg' }).href }, t('desk.export')))));
}
