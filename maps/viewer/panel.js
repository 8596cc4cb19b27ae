/** The panel of layers: switches, legends, period, categories, bandwidth. */

import { fill, h } from './dom.js';
import { drawGridmap, gridmapControls } from './gridmap_panel.js';
import { either, figure, monthName, number, ownPart, percent, t, when } from './i18n.js';
import { METHODS } from './layers/hotspots.js';
import { COLOURINGS, LAYERS } from './layers/index.js';
import { GROUPS, SEVERAL, groupOf } from './layers/incidents.js';
import { PRESETS, addDays, dayOf, daysOf, daysOfMonth, moments, months } from './period.js';
import { BANDWIDTHS, PER } from './state.js';
import { dotPicture, swatchPicture } from './swatch.js';

/**
 * @typedef {object} PanelEvents
 * @property {() => void} onlayers
 * @property {() => void} onperiod
 * @property {() => void} oncategories
 * @property {() => void} onbandwidth
 * @property {() => void} onmethod
 * @property {() => void} onmeasure
 * @property {(path: string) => string} href address of a page of the service
 * @property {(() => void) | null} onrepeats null: may not read what was said
 * @property {() => void} onclose
 */

export class Panel {
  /**
   * @param {HTMLElement} root
   * @param {import('./state.js').State} state changed in place, then told of by an event
   * @param {any} meta
   * @param {Set<string>} available ids of the layers that the server offers; `streets` and
   *   `inhabited` for densities along them, and on such ground alone
   * @param {PanelEvents} events
   */
  constructor(root, state, meta, available, events) {
    this.root = root;
    this.state = state;
    this.meta = meta;
    this.available = available;
    this.events = events;
    /** @type {{grids: any, incidents: number | null, total: number | null}} */
    this.figures = { grids: new Map(), incidents: null, total: null };
    /** @type {{loading: boolean, surface: any, problem: string | null}} */
    this.heat = { loading: false, surface: null, problem: null };
    /** @type {{loading: boolean, found: any, problem: string | null}} */
    this.spots = { loading: false, found: null, problem: null };
    /** @type {{loading: boolean, found: any, problem: string | null}} */
    this.byGrid = { loading: false, found: null, problem: null };
  }

  /** Draw the whole panel, as at first or in another language. */
  draw() {
    const { meta } = this;
    /** @type {Map<string, HTMLElement>} */
    this.legends = new Map();
    const entries = LAYERS.filter(({ id }) => this.available.has(id)).map(({ id }) => this.entry(id));
    fill(
      this.root,
      h('div', { class: 'place-head' },
        h('h2', { class: 'quiet' }, t('panel.title')),
        h('button', {
          type: 'button', class: 'close', 'aria-label': t('panel.close'), onclick: this.events.onclose,
        }, '×')),
      meta.edition &&
        h('p', { class: 'edition', title: meta.edition.title }, this.edition(meta.edition)),
      ...entries,
    );
    this.update();
  }

  /** @param {{title: string, valid_from: string, grids: number}} edition */
  edition({ title, valid_from: from, grids }) {
    const facts = { day: when(from, false), n: number(grids) };
    const own = ownPart(title);
    return own ? t('panel.edition', { title: own, ...facts }) : t('panel.edition_untitled', facts);
  }

  /** @param {string} id */
  entry(id) {
    const on = this.state.layers.has(id);
    const body = h('div', { class: 'legend', id: `legend-${id}`, hidden: !on });
    const box = h('input', {
      type: 'checkbox', id: `layer-${id}`, 'aria-controls': `legend-${id}`,
      onchange: () => {
        if (box.checked) {
          this.state.layers.add(id);
          if (COLOURINGS.includes(id)) {
            for (const other of COLOURINGS) if (other !== id) this.switch(other, false);
          }
        }
        else this.state.layers.delete(id);
        body.hidden = !box.checked;
        this.update();
        this.events.onlayers();
      },
    });
    box.checked = on;
    this.legends?.set(id, body);
    if (id === 'incidents') this.incidentControls(body);
    if (id === 'density') this.densityControls(body);
    if (id === 'hotspots') this.hotspotControls(body);
    if (id === 'gridmap') {
      this.gridmapBox = h('div', { id: 'gridmap-legend', 'aria-live': 'polite' });
      const isCaseTeam = this.available.has('incidents');
      fill(body, ...gridmapControls(this.state, isCaseTeam, this.events.onmeasure), this.gridmapBox);
    }
    return h('section', { class: 'layer' },
      h('label', { class: 'switch', for: `layer-${id}` }, box, h('span', {}, t(`layer.${id}`))),
      body);
  }

  /** @param {string} id @param {boolean} on as if the user had switched it */
  switch(id, on) {
    const box = /** @type {HTMLInputElement | null} */ (document.getElementById(`layer-${id}`));
    if (box && box.checked !== on) box.click();
  }

  // -- incidents: period and categories ---------------------------------------------------------

  /** @param {HTMLElement} body */
  incidentControls(body) {
    this.count = h('p', { class: 'figure', 'aria-live': 'polite' });
    this.periodBox = h('div', { class: 'period' });
    this.categoryBox = h('div', {});
    fill(body, this.count, this.periodBox, this.categoryBox,
      this.events.onrepeats && h('div', { class: 'buttons' }, h('button', {
        type: 'button', id: 'repeats-open', 'aria-controls': 'repeats', onclick: this.events.onrepeats,
      }, t('repeats.button'))));
    this.drawPeriod();
    this.drawCategories();
  }

  drawPeriod() {
    const { state, meta } = this;
    const period = state.period ?? { preset: /** @type {const} */ ('12m') };
    const custom = !('preset' in period);
    const { from, to } = this.days(period);
    const choose = (/** @type {import('./period.js').Period} */ next) => {
      state.period = next;
      this.drawPeriod();
      this.events.onperiod();
    };
    const select = h('select', {
      id: 'period',
      onchange: () =>
        choose(select.value === 'custom' ? { from, to } : { preset: select.value }),
    });
    for (const key of [...PRESETS.keys(), 'custom']) {
      select.append(h('option', { value: key }, t(`period.${key}`)));
    }
    select.value = custom ? 'custom' : period.preset;
    const dates = () => {
      if (first.value && last.value && first.value <= last.value) choose({ from: first.value, to: last.value });
      else last.setCustomValidity(first.value > last.value ? t('period.order') : '');
      last.reportValidity();
    };
    const first = h('input', { type: 'date', id: 'period-from', value: from, onchange: dates });
    const last = h('input', { type: 'date', id: 'period-to', value: to, onchange: dates });
    const all = meta.incidents.first ? months(meta.incidents.first, meta.now) : [];
    const which = custom ? all.indexOf(from.slice(0, 7)) : -1;
    const isMonth = which >= 0 && to === daysOfMonth(all[which]).to && from.endsWith('-01');
    const slider = h('input', {
      type: 'range', id: 'period-month', min: 0, max: Math.max(all.length - 1, 0), step: 1,
      'aria-valuetext': isMonth ? monthName(all[which]) : t('period.no_month'),
      onchange: () => {
        choose(daysOfMonth(all[Number(slider.value)]));
        document.getElementById('period-month')?.focus();
      },
      oninput: () => {
        output.textContent = monthName(all[Number(slider.value)]);
      },
    });
    slider.value = String(isMonth ? which : all.length - 1);
    const output = h('output', { for: 'period-month' }, isMonth ? monthName(all[which]) : t('period.no_month'));
    const focused = document.activeElement?.id;
    fill(this.periodBox,
      h('label', { for: 'period' }, t('period.label')), select,
      h('div', { class: 'dates' },
        h('label', { for: 'period-from' }, t('period.from')), first,
        h('label', { for: 'period-to' }, t('period.to')), last),
      all.length > 1 &&
        h('div', { class: 'month' },
          h('label', { for: 'period-month' }, t('period.month')), output, slider));
    if (focused?.startsWith('period')) document.getElementById(focused)?.focus();
  }

  /**
   * The first and last day of a period, for people.
   * @param {import('./period.js').Period} period
   */
  days(period) {
    if (!('preset' in period)) return period;
    const { start } = moments(period, this.meta.now);
    const today = dayOf(this.meta.now);
    const first = this.meta.incidents.first ? dayOf(this.meta.incidents.first) : today;
    return { from: start === null ? first : start.slice(0, 10), to: today };
  }

  drawCategories() {
    const { state, meta } = this;
    const codes = meta.categories.map((/** @type {any} */ one) => one.code);
    const isOn = (/** @type {string} */ code) => state.categories === null || state.categories.has(code);
    const set = (/** @type {string[]} */ some, /** @type {boolean} */ on) => {
      const next = new Set(codes.filter(isOn));
      for (const code of some) {
        if (on) next.add(code);
        else next.delete(code);
      }
      state.categories = next.size === codes.length ? null : next;
      sync();
      this.events.oncategories();
    };
    /** @type {(() => void)[]} */
    const syncs = [];
    const sync = () => syncs.forEach((one) => one());
    const open = this.categoryBox.querySelector('details')?.open ?? false;
    const groups = GROUPS.map((group) => {
      const mine = meta.categories.filter((/** @type {any} */ one) => groupOf(one.code) === group);
      if (mine.length === 0) return { group: null, details: null };
      const own = mine.map((/** @type {any} */ one) => one.code);
      const box = h('input', { type: 'checkbox', onchange: () => set(own, box.checked) });
      syncs.push(() => {
        const on = own.filter(isOn).length;
        box.checked = on === own.length;
        box.indeterminate = on > 0 && on < own.length;
      });
      const singles = mine.map((/** @type {any} */ one) => {
        const single = h('input', {
          type: 'checkbox', value: one.code, onchange: () => set([one.code], single.checked),
        });
        syncs.push(() => { single.checked = isOn(one.code); });
        return h('label', { class: 'check' }, single, either({ zh: one.name_zh, en: one.name_en }));
      });
      return {
        group: h('label', { class: 'check' }, box, dotPicture(group.colour), t(`group.${group.key}`)),
        details: h('div', { class: 'singles' }, h('strong', {}, t(`group.${group.key}`)), ...singles),
      };
    });
    fill(this.categoryBox,
      h('fieldset', { class: 'groups' },
        h('legend', {}, t('categories.label')),
        ...groups.map(({ group }) => group),
        h('p', { class: 'hint' }, dotPicture(SEVERAL), t('categories.several'))),
      h('p', { class: 'buttons' },
        h('button', { type: 'button', class: 'small', onclick: () => set(codes, true) }, t('categories.all')),
        h('button', { type: 'button', class: 'small', onclick: () => set(codes, false) }, t('categories.none'))),
      h('details', { open }, h('summary', {}, t('categories.each')), ...groups.map(({ details }) => details)));
    sync();
  }

  // -- density ----------------------------------------------------------------------------------

  /** @param {HTMLElement} body */
  densityControls(body) {
    this.heatBox = h('div', { id: 'density-legend', 'aria-live': 'polite' });
    fill(body,
      h('fieldset', { class: 'bandwidths' },
        h('legend', {}, t('density.per')),
        ...PER.filter((per) => !['streets', 'inhabited'].includes(per) || this.available.has(per)).map((per) => {
          const radio = h('input', {
            type: 'radio', name: 'per', value: per,
            onchange: () => {
              this.state.per = per;
              this.events.onbandwidth();
            },
          });
          radio.checked = per === this.state.per;
          return h('label', { class: 'check' }, radio, t(`density.${per}`));
        })),
      h('fieldset', { class: 'bandwidths' },
        h('legend', {}, t('density.bandwidth')),
        ...BANDWIDTHS.map((metres) => {
          const radio = h('input', {
            type: 'radio', name: 'bandwidth', value: metres,
            onchange: () => {
              this.state.bandwidth = metres;
              this.events.onbandwidth();
            },
          });
          radio.checked = metres === this.state.bandwidth;
          return h('label', { class: 'check' }, radio, `${metres} m`);
        })),
      this.heatBox);
  }

  /** Text of a class: of streets, the lowest has no lower bound. @param {any} one */
  classOf({ from, to }) {
    if (from === null) return to === null ? '0' : t('density.below_plain', { n: figure(to) });
    return to === null || to === undefined ? `≥ ${figure(from)}` : `${figure(from)} – ${figure(to)}`;
  }

  /** @param {any} surface of a density on the ground */
  rampOf(surface) {
    return [
      surface.legend.length > 0 && h('li', {},
        swatchPicture({ fill: 'none', line: '#7a6a5a' }),
        t('density.below', { n: figure(surface.legend[0].from) })),
      ...surface.legend.map((/** @type {any} */ one) => h('li', {},
        swatchPicture({ fill: one.color, opacity: surface.opacity, line: '#7a6a5a' }),
        this.classOf(one))),
    ];
  }

  drawHeat() {
    if (!this.heatBox) return;
    const { loading, surface, problem } = this.heat;
    if (loading) return fill(this.heatBox, h('p', { class: 'loading' }, t('density.loading')));
    if (problem) return fill(this.heatBox, h('p', { class: 'problem', role: 'alert' }, problem));
    if (!surface) return fill(this.heatBox);
    fill(this.heatBox,
      h('p', { class: 'unit' }, either(surface.unit)),
      h('ul', { class: 'ramp' }, ...(surface.kernel === undefined
        ? this.rampOf(surface)
        : surface.legend.map((/** @type {any} */ one) => h('li', {},
          swatchPicture({ line: one.color, width: 2 * one.width }), this.classOf(one))))),
      h('dl', { class: 'facts' },
        h('dt', {}, t('density.bandwidth_short')), h('dd', {}, `${number(surface.bandwidth_m)} m`),
        h('dt', {}, t('density.period')), h('dd', {}, ...daysOf(surface)),
        h('dt', {}, t('density.n')),
        // What is not counted is in the note.
        h('dd', {}, number(surface.n))),
      surface.suppressed && h('p', { class: 'hint' }, t('density.suppressed')),
      surface.note && h('p', { class: 'hint' }, either(surface.note)));
    return undefined;
  }

  // -- hot spots and attention list ---------------------------------------------------------------

  /** @param {HTMLElement} body */
  hotspotControls(body) {
    const select = h('select', {
      id: 'method',
      onchange: () => {
        this.state.method = select.value;
        this.events.onmethod();
      },
    });
    for (const key of METHODS) select.append(h('option', { value: key }, t(`hotspots.${key}`)));
    select.value = this.state.method;
    this.spotBox = h('div', { id: 'hotspot-legend', 'aria-live': 'polite' });
    fill(body, h('label', { for: 'method' }, t('hotspots.method')), select, this.spotBox);
  }

  drawSpots() {
    if (!this.spotBox) return;
    const { loading, found, problem } = this.spots;
    if (loading) return fill(this.spotBox, h('p', { class: 'loading' }, t('hotspots.loading')));
    if (problem) return fill(this.spotBox, h('p', { class: 'problem', role: 'alert' }, problem));
    if (!found) return fill(this.spotBox);
    const ofWeek = found.week !== undefined;
    const category = either(found.category);
    fill(this.spotBox,
      h('ul', { class: 'entries' }, ...found.legend.map((/** @type {any} */ one) =>
        h('li', {},
          swatchPicture({ fill: one.color, opacity: one.key === 'none' ? 0.3 : 0.75, line: '#3b1505' }),
          h('span', {}, either(one.text)),
          h('span', { class: 'count', title: t('hotspots.count') }, number(one.count))))),
      h('dl', { class: 'facts' },
        ofWeek
          ? [h('dt', {}, t('hotspots.week')), h('dd', {}, found.week),
            h('dt', {}, t('hotspots.expected')), h('dd', {}, figure(found.expected)),
            h('dt', {}, t('hotspots.learnt')), h('dd', {}, t('hotspots.weeks', { n: number(found.weeks) }))]
          : [h('dt', {}, t('hotspots.period')), h('dd', {}, ...daysOf(found)),
            h('dt', {}, t('hotspots.level')), h('dd', {}, percent(found.level)),
            h('dt', {}, t('hotspots.n')), h('dd', {}, number(found.n))],
        category && [h('dt', {}, t('hotspots.category')), h('dd', {}, category)]),
      h('p', { class: 'hint' }, ofWeek ? t('hotspots.click') : t('hotspots.question')),
      ...found.notes.map((/** @type {any} */ one) => h('p', { class: 'hint' }, either(one))),
      ofWeek && h('p', {}, h('a', {
        id: 'backtest', href: this.events.href('attention/backtest'), target: '_blank', rel: 'noopener',
      }, t('hotspots.backtest'))));
    return undefined;
  }

  // -- figures ----------------------------------------------------------------------------------

  /** Redraw what changes as the map moves. */
  update() {
    const { figures, state } = this;
    for (const layer of LAYERS) {
      const body = this.legends?.get(layer.id);
      const entries = layer.legend(t, { counts: { grids: figures.grids } });
      if (!body || entries.length === 0) continue;
      const counted = entries.some(({ count }) => count !== undefined);
      const covered = layer.id === 'grids' && COLOURINGS.some((id) => state.layers.has(id));
      fill(body,
        counted && h('p', { class: 'hint' }, covered ? t('grids.under_density') : t('grids.title')),
        !covered &&
          h('ul', { class: 'entries' }, ...entries.map(({ swatch, text, count }) =>
            h('li', {}, swatchPicture(swatch), h('span', {}, text),
              count !== undefined &&
                h('span', { class: 'count', title: t('grids.count') }, number(count))))));
    }
    if (this.count) {
      fill(this.count,
        figures.total === 0
          ? h('span', { class: 'problem' }, this.meta.incidents.last
            ? t('incidents.none', { day: when(this.meta.incidents.last, false) })
            : t('incidents.never'))
          : [
            h('strong', {}, figures.incidents === null ? '…' : number(figures.incidents)),
            t('incidents.in_view'),
            figures.total === null ? '' : t('incidents.of', { n: number(figures.total) }),
          ]);
    }
    this.drawHeat();
    this.drawSpots();
    if (this.gridmapBox) drawGridmap(this.gridmapBox, this.byGrid);
  }
}
