/** The part of the panel for the map by grid: what it shows, and what its colours mean. */

import { fill, h } from './dom.js';
import { either, number, t } from './i18n.js';
import { GRIDMAP_OPACITY, MEASURES } from './layers/gridmap.js';
import { daysOf } from './period.js';
import { swatchPicture } from './swatch.js';

/**
 * The choices. Who sees no incidents is shown the shared map whatever they ask for.
 * @param {import('./state.js').State} state changed in place
 * @param {boolean} isCaseTeam
 * @param {() => void} onchange
 * @returns {HTMLElement[]}
 */
export function gridmapControls(state, isCaseTeam, onchange) {
  const measures = MEASURES.map((measure) => {
    const radio = h('input', {
      type: 'radio', name: 'measure', value: measure,
      onchange: () => {
        state.measure = measure;
        onchange();
      },
    });
    radio.checked = measure === state.measure;
    return h('label', { class: 'check' }, radio, t(`gridmap.${measure}`));
  });
  const shared = h('input', {
    type: 'checkbox', id: 'gridmap-shared',
    onchange: () => {
      state.shared = shared.checked;
      onchange();
    },
  });
  shared.checked = state.shared;
  return [
    h('fieldset', { class: 'measures' }, h('legend', {}, t('gridmap.measure')), ...measures),
    ...(isCaseTeam ? [h('label', { class: 'check' }, shared, t('gridmap.shared'))] : []),
  ];
}

/**
 * @param {HTMLElement} box
 * @param {{loading: boolean, found: any, problem: string | null}} answer
 */
export function drawGridmap(box, { loading, found, problem }) {
  if (loading) return fill(box, h('p', { class: 'loading' }, t('gridmap.loading')));
  if (problem) return fill(box, h('p', { class: 'problem', role: 'alert' }, problem));
  if (!found) return fill(box);
  const grids = (/** @type {(grid: any) => boolean} */ which) => found.grids.filter(which).length;
  const entry = (/** @type {any} */ swatch, /** @type {string} */ text, /** @type {number} */ count) =>
    count > 0 && h('li', {},
      swatchPicture({ ...swatch, opacity: GRIDMAP_OPACITY, line: '#8b857c' }),
      h('span', {}, text),
      h('span', { class: 'count', title: t('hotspots.count') }, number(count)));
  return fill(box,
    h('p', { class: 'unit' }, either(found.unit)),
    h('ul', { class: 'entries' },
      ...found.legend.map((/** @type {any} */ one) =>
        entry({ fill: one.color }, one.label, grids((grid) => grid.class === one.class))),
      entry({ pattern: 'hidden' }, t('gridmap.hidden'), grids(({ state }) => state === 'hidden')),
      entry({ pattern: 'unknown' }, t('gridmap.unknown'), grids(({ state }) => state === 'unknown'))),
    h('dl', { class: 'facts' },
      h('dt', {}, t('gridmap.period')), h('dd', {}, ...daysOf(found)),
      h('dt', {}, t(found.shared ? 'gridmap.n_shown' : 'gridmap.n')), h('dd', {}, number(found.n)),
      h('dt', {}, t('gridmap.grids')), h('dd', {}, number(found.grids.length))),
    h('p', { class: 'hint' }, either(found.note)));
}
