/** The answer to a click: which grid, who answers for it now, how sure, and what lies there. */

import { Refusal } from './api.js';
import { fill, h } from './dom.js';
import { distance, either, figure, number, ownPart, percent, t, unitName, when } from './i18n.js';
import { gridmapFacts } from './layers/gridmap.js';
import { classOf } from './layers/grids.js';

/** How well a position is known, as the 68 % radius in metres; 0: exactly. */
const ACCURACIES = [0, 10, 30, 50, 100, 300];
const LIST_LIMIT = 20;
/** Grids listed by name of those that a rough position may lie in; the rest is summed up. */
const CANDIDATES_SHOWN = 5;
/** Marks told of a click that hit many. */
const MARKS_SHOWN = 5;

/**
 * What went wrong, and what to do about it.
 * @param {unknown} error
 * @returns {HTMLElement}
 */
export function problemBox(error) {
  if (!(error instanceof Refusal)) throw error;
  const { problems, status } = error;
  return h('div', { class: 'problem', role: 'alert' },
    h('p', {}, status === 0 ? t('error.no_answer') : t('error.refused')),
    problems.length > 0
      ? h('ul', {}, ...problems.map(({ reason, remedy }) =>
        h('li', {}, reason, remedy && h('em', {}, ` ${remedy}`))))
      : status !== 0 && h('p', {}, error.message));
}

export class PlacePanel {
  /**
   * @param {HTMLElement} root
   * @param {import('./api.js').Api} api
   * @param {object} wiring
   * @param {any} wiring.meta
   * @param {() => Record<string, any>} wiring.filters period and categories shown at present
   * @param {(answer: any) => void} wiring.onanswer
   * @param {() => void} wiring.onclose
   * @param {((point: {lon: number, lat: number}, accuracy: number) => void) | null} wiring.onadd
   *   null: may not
   * @param {import('./duplicates.js').Duplicates | null} wiring.duplicates null: may not
   */
  constructor(root, api, wiring) {
    this.root = root;
    this.api = api;
    this.wiring = wiring;
    this.accuracy = 0;
    /** @type {{lon: number, lat: number} | null} */
    this.point = null;
    /** @type {any[]} */
    this.features = [];
    this.asked = 0;
  }

  get isOpen() {
    return !this.root.hidden;
  }

  close() {
    this.root.hidden = true;
    this.point = null;
    this.asked += 1;
    fill(this.root);
    this.wiring.onclose();
  }

  /**
   * Ask about a place and show the answer.
   * @param {{lon: number, lat: number}} point
   * @param {any[]} [features] what the click hit
   */
  async ask(point, features = []) {
    this.point = point;
    this.features = features;
    await this.again();
  }

  /** Ask once more, in another language or with another accuracy. */
  async again() {
    if (!this.point) return;
    const mine = ++this.asked;
    this.root.hidden = false;
    this.frame(h('p', { class: 'loading' }, t('place.loading')));
    const { lon, lat } = this.point;
    try {
      const answer = await this.api.get('api/v1/locate', {
        lon: lon.toFixed(7),
        lat: lat.toFixed(7),
        accuracy_m: this.accuracy || null,
      });
      if (mine !== this.asked) return;
      this.wiring.onanswer(answer);
      this.frame(...this.answer(answer));
    } catch (error) {
      if (mine === this.asked) this.frame(problemBox(error));
    }
  }

  /** @param {...any} children */
  frame(...children) {
    const { point } = this;
    fill(this.root,
      h('div', { class: 'place-head' },
        h('h2', { tabindex: -1 }, t('place.title')),
        h('button', {
          type: 'button', class: 'close', 'aria-label': t('place.close'), onclick: () => this.close(),
        }, '×')),
      ...children,
      point && h('p', { class: 'coordinates' },
        `${point.lon.toFixed(6)}, ${point.lat.toFixed(6)} · WGS 84`));
  }

  /** @param {any} answer @returns {any[]} */
  answer(answer) {
    return [
      answer.inside ? this.inside(answer) : this.outside(answer),
      this.sureness(answer),
      this.wiring.onadd && h('button', {
        type: 'button', class: 'primary', id: 'add-incident',
        onclick: () => this.point && this.wiring.onadd?.(this.point, this.accuracy),
      }, t('place.add')),
      // A click on a mark asks about the mark; the grid it lies in is told below, however many.
      ...this.features.filter((one) => !isGround(one)).slice(0, MARKS_SHOWN)
        .map((one) => this.feature(one)),
      ...this.features.filter(isGround).map((one) => this.feature(one)),
    ];
  }

  /** @param {any} answer */
  inside({ grid, units, responsible, reason, distance_to_border_m: border }) {
    const chain = units.filter((/** @type {any} */ unit) => unit.level >= 6);
    return h('div', { id: 'answer' },
      h('p', { class: 'chain' }, chain.map(unitName).join(' › ')),
      // A name in Chinese alone says no more in English than its unit above and its code.
      h('p', { class: 'grid-code' }, grid.name && ownPart(grid.name), ' ', h('b', {}, grid.code)),
      this.who(responsible, reason),
      h('dl', { class: 'facts' },
        h('dt', {}, t('place.households')),
        h('dd', {},
          h('b', {}, number(grid.households)), ` / ${number(grid.target)} `,
          h('span', { class: `deviation ${classOf(grid.deviation)}` }, percent(grid.deviation, { signed: true }))),
        h('dt', {}, t('place.area_type')), h('dd', {}, t(`area.${grid.area_type}`)),
        border !== null && border !== undefined && [
          h('dt', {}, t('place.to_border')), h('dd', {}, distance(border)),
        ]));
  }

  /** @param {any[]} responsible @param {any} reason */
  who(responsible, reason) {
    if (responsible.length === 0) {
      return h('div', { class: 'who nobody', role: 'alert' },
        h('b', {}, t('place.nobody')), reason && h('p', {}, either(reason)));
    }
    return h('ol', { class: 'who' }, ...responsible.map((person, place) =>
      h('li', { class: place === 0 ? 'first' : '' },
        h('b', {}, person.name), ' ',
        h('span', { class: 'role' }, t(`role.${person.role}`)),
        h('p', {}, either(person.reason)))));
  }

  /** @param {any} answer */
  outside({ reason, nearest }) {
    return h('div', { id: 'answer', class: 'who nobody' },
      h('b', {}, t('place.outside')),
      reason && h('p', {}, either(reason)),
      nearest && h('p', {}, t('place.nearest', {
        place: nearest.unit ? `${nearest.code} ${unitName(nearest.unit)}` : nearest.code,
        distance: distance(nearest.distance_m),
      })));
  }

  /** @param {any} answer */
  sureness({ confidence, candidates, ask_back: askBack }) {
    const select = h('select', {
      id: 'accuracy',
      onchange: () => {
        this.accuracy = Number(select.value);
        this.again().then(() => document.getElementById('accuracy')?.focus());
      },
    });
    for (const metres of ACCURACIES) {
      select.append(h('option', { value: metres }, metres ? `± ${metres} m` : t('place.exact')));
    }
    select.value = String(this.accuracy);
    const shown = (candidates ?? []).slice(0, CANDIDATES_SHOWN);
    const rest = (candidates ?? []).slice(CANDIDATES_SHOWN);
    const share = rest.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.share, 0);
    return h('div', { class: 'sureness' },
      h('label', { for: 'accuracy' }, t('place.accuracy')), select,
      confidence !== null && confidence !== undefined &&
        h('p', {}, t('place.confidence', { share: percent(confidence) })),
      shown.length > 1 &&
        h('ul', {}, ...shown.map((/** @type {any} */ one) =>
          h('li', {}, h('span', {}, one.code), h('span', {}, percent(one.share)))),
        rest.length > 0 && h('li', {},
          h('span', {}, t('place.others', { n: number(rest.length) })), h('span', {}, percent(share)))),
      askBack && h('p', { class: 'problem' }, t('place.ask_back')));
  }

  // -- what the click hit ---------------------------------------------------------------------

  /** @param {any} feature */
  feature({ source, sourceLayer, properties, geometry }) {
    if (source === 'hotspots') return hotspotCard(properties);
    if (source === 'gridmap') {
      return card(t('hotspots.grid', { code: properties.code }), gridmapFacts(properties));
    }
    if (source === 'incidents') return this.incidents(properties, geometry.coordinates);
    if (source === 'cameras') {
      const { heading_deg: heading } = properties;
      return card(t('camera.title', { name: properties.name }), [
        [t('camera.status'), t(`camera.${properties.status}`)],
        [t('camera.kind'), t(`camera.${properties.kind}`)],
        [t('camera.heading'), heading === undefined ? t('camera.heading_unknown') : `${number(heading)}°`],
        [t('camera.view'), `${number(properties.hfov_deg)}° · ${distance(properties.range_m)}`],
        [t('camera.optics'), t(`camera.${properties.optics}`)],
      ]);
    }
    if (sourceLayer === 'checkpoints') {
      return card(t('routes.checkpoint_title', { name: properties.name }), [
        [t('routes.route'), properties.route_name],
        [t('routes.order'), number(properties.seq)],
      ]);
    }
    const { days_since: days } = properties;
    return card(t('routes.title', { name: properties.name }), [
      [t('routes.means'), t(`means.${properties.means}`)],
      [t('routes.interval'), t('routes.days', { n: number(properties.interval_days) })],
      [t('routes.last'), days === undefined ? t('routes.no_patrol') : t('routes.days_ago', { n: number(days) })],
    ]);
  }

  /** @param {string} code */
  categoryName(code) {
    const found = this.wiring.meta.categories.find((/** @type {any} */ one) => one.code === code);
    return found ? either({ zh: found.name_zh, en: found.name_en }) : code;
  }

  /** One incident, with what was said and which others may be the same. @param {any} one */
  incident(one) {
    const more = h('div', {}, h('p', { class: 'loading' }, t('place.loading')));
    this.api.get(`api/v1/incidents/${encodeURIComponent(one.id)}`).then(
      (incident) => fill(more,
        incident.text && h('p', { class: 'incident-text' }, incident.text),
        incident.responsible &&
          h('p', {}, t('incident.given', { name: incident.responsible.name })),
        this.wiring.duplicates?.section(incident, (code) => this.categoryName(code))),
      (error) => fill(more, problemBox(error)));
    const box = card(this.categoryName(one.category), [
      [t('incident.state'), t(`state.${one.state}`)],
      [t('incident.severity'), t(`severity.${one.severity}`)],
      [t('incident.reported'), when(one.reported_at)],
    ]);
    box.append(more);
    return box;
  }

  /** @param {any} properties @param {number[]} place */
  incidents(properties, [lon, lat]) {
    if (properties.n === 1) {
      return this.incident({ ...properties, reported_at: properties.reported_at * 1000 });
    }
    const list = h('ul', { class: 'incident-list' });
    const half = 0.00012; // about 10 m: the tile's mean place and the incidents' own may differ
    this.api.get('api/v1/incidents', {
      ...this.wiring.filters(),
      bbox: [lon - half, lat - half, lon + half, lat + half].map((v) => v.toFixed(7)).join(','),
      limit: LIST_LIMIT,
    }).then(
      ({ items }) => fill(list, ...items.map((/** @type {any} */ one) =>
        h('li', {}, h('button', {
          type: 'button', class: 'line',
          onclick: (/** @type {any} */ { currentTarget }) => {
            const opened = this.incident(one);
            box.after(opened);
            currentTarget.disabled = true;
            opened.querySelector('h3')?.focus();
          },
        }, `${when(one.reported_at, false)} · ${this.categoryName(one.category)} · ${t(`state.${one.state}`)}`)))),
      (error) => fill(list, problemBox(error)));
    const box = card(t('incident.several', { n: number(properties.n) }), [
      [t('incident.most'), this.categoryName(properties.category)],
      [t('incident.between'), `${when(properties.first_reported_at * 1000, false)} – ${when(properties.reported_at * 1000, false)}`],
    ]);
    box.append(list);
    return box;
  }
}

/**
 * Why a grid is on the list, or what was found of it.
 * @param {any} grid
 */
function hotspotCard(grid) {
  const name = t('hotspots.grid', { code: grid.code });
  if (grid.low !== undefined) {
    const expected = `${figure(grid.expected)}（${number(grid.low)}–${number(grid.high)}）`;
    const box = card(name, [
      [t('hotspots.rank'), isNumber(grid.rank) ? number(grid.rank) : t('hotspots.not_listed')],
      [t('hotspots.expected'), expected],
    ]);
    if (isNumber(grid.rank)) {
      box.append(h('p', { class: 'reason' }, either({ zh: grid.reason_zh, en: grid.reason_en })));
    }
    return box;
  }
  return card(name, [
    [t('hotspots.found'), either({ zh: grid.class_zh, en: grid.class_en })],
    [t('hotspots.events'), number(grid.events)],
    ...(isNumber(grid.observed)
      ? /** @type {[string, any][]} */ ([
        [t('hotspots.window'), `${number(grid.observed)} / ${figure(grid.expected)}`]])
      : []),
    ...(isNumber(grid.q)
      ? /** @type {[string, any][]} */ ([[t('hotspots.q'), figure(grid.q)]])
      : []),
  ]);
}

/** Whether it is of the whole grid. @param {{source: string}} feature */
const isGround = ({ source }) => source === 'hotspots' || source === 'gridmap';

/** A property that is null has gone through the map as text. @param {any} value */
const isNumber = (value) => typeof value === 'number';

/**
 * @param {string} title
 * @param {[string, any][]} facts
 */
function card(title, facts) {
  return h('div', { class: 'card' },
    h('h3', { tabindex: -1 }, title),
    h('dl', { class: 'facts' }, ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])));
}
