/** Rules that the plan breaks, by name; each leads to its place. */

import { h } from '../dom.js';
import { number, percent, t } from '../i18n.js';
import { button } from './grid_tab.js';
import { toleranceClass } from './plan.js';

/** Grids listed of those off target; the rest is counted. */
const SHOWN = 60;
const CODE = /\d{13,15}/g;
/** A place in a sentence, longitude first. */
const PLACE = /(-?\d+\.\d+), (-?\d+\.\d+)/;

/** @param {import('./board.js').Board} board */
export function rulesTab(board) {
  const off = board.plan.offTarget();
  const { unassigned } = board.plan.info.figures;
  return [
    h('h3', {}, t('desk.off_target', { n: number(off.length) })),
    off.length === 0 && h('p', { class: 'hint' }, t('desk.all_within')),
    h('ol', { class: 'places', id: 'desk-off' }, ...off.slice(0, SHOWN).map((grid) => place(board, grid.id, `desk-off-${grid.id}`,
      grid.properties.code, h('span', { class: `deviation ${toleranceClass(grid.properties)}` }, percent(grid.properties.deviation, { signed: true })),
      t('desk.of_target', { n: number(grid.properties.households), target: number(grid.properties.target) })))),
    off.length > SHOWN && h('p', { class: 'hint' }, t('desk.more', { n: number(off.length - SHOWN) })),
    h('h3', {}, t('desk.free_title', { n: number(unassigned) })),
    unassigned > 0 && h('ul', { class: 'places' }, h('li', {}, h('button', { type: 'button', class: 'line', id: 'desk-free-show', onclick: () => {
      board.showFree();
    } }, t('desk.free_show')))),
    h('h3', {}, t('desk.breaches')),
    h('p', { class: 'hint' }, t('desk.breaches_hint')),
    h('div', { class: 'buttons' }, button(board, 'check', 'desk.check', async () => {
      const found = await board.send(() => board.api.get(`api/v1/editions/${board.plan.id}/breaches`));
      if (found) board.breaches = found;
      board.draw();
    })),
    board.breaches !== null && (board.breaches.length === 0 ? h('p', { id: 'desk-breaches' }, t('desk.no_breaches'))
      : h('ul', { class: 'places', id: 'desk-breaches' }, ...board.breaches.map(({ reason, remedy }, index) => {
        const named = [...reason.matchAll(CODE)].map(([code]) => board.plan.find(code)?.id).filter(Boolean);
        const at = PLACE.exec(reason);
        const words = [reason, remedy && h('em', {}, ` ${remedy}`)];
        return h('li', {}, named.length === 0 && at === null ? words : h('button', { type: 'button', class: 'line', id: `desk-breach-${index}`, onclick: () => {
          board.marks(named, []);
          if (at) board.lookAt({ lon: Number(at[1]), lat: Number(at[2]) });
          else board.zoomTo(named);
        } }, ...words));
      }))),
  ];
}

/**
 * A line that leads to a grid.
 * @param {import('./board.js').Board} board @param {number} grid @param {string} id @param {string} code
 * @param {...any} words
 */
const place = (board, grid, id, code, ...words) => h('li', {},
  h('button', { type: 'button', class: 'line', id, onclick: () => {
    board.zoomTo([grid]);
    board.select(grid, { stay: true });
  } }, code), ' ', ...words.flatMap((word) => [word, ' ']));
