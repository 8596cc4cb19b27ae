/** Addresses, buildings and places that incidents come from again and again: a list beside the map. */

import { Marker } from 'maplibre-gl';

import { fill, h } from './dom.js';
import { distance, number, t, when } from './i18n.js';
import { problemBox } from './place.js';

const PAGE = 50;
const WAYS = /** @type {const} */ (['address', 'building', 'place']);
/** Single houses are told apart from here on. */
const CLOSE_ZOOM = 17;
/** Farther apart than this the middle of their places is none of them: no pin. */
const APART_M = 300;

export class RepeatsPanel {
  /**
   * @param {HTMLElement} root
   * @param {import('./api.js').Api} api
   * @param {import('maplibre-gl').Map} map
   * @param {object} wiring
   * @param {() => Record<string, any> | null} wiring.question period and categories of the map;
   *   null: no category is chosen
   * @param {(code: string) => string} wiring.categoryName
   * @param {() => void} wiring.onopen
   * @param {() => void} wiring.onclose
   * @param {(point: {lon: number, lat: number}) => void} wiring.onlook the map shows it now
   */
  constructor(root, api, map, wiring) {
    this.root = root;
    this.api = api;
    this.map = map;
    this.wiring = wiring;
    /** @type {typeof WAYS[number]} */
    this.by = 'address';
    /** @type {any[]} */
    this.items = [];
    /** @type {string | null} what the next page is asked for with */
    this.next = null;
    this.asked = 0;
    this.pin = new Marker({ color: '#9b1c1c' });
  }

  get isOpen() {
    return !this.root.hidden;
  }

  async open() {
    this.root.hidden = false;
    this.wiring.onopen();
    await this.read();
    this.root.querySelector('h2')?.focus();
  }

  close() {
    this.asked += 1;
    this.root.hidden = true;
    this.pin.remove();
    fill(this.root);
    this.wiring.onclose();
  }

  /** Ask anew, for the period and categories that the map shows now. */
  async read() {
    this.items = [];
    this.next = null;
    this.pin.remove();
    await this.more();
  }

  /** The page after those that are shown. */
  async more() {
    const mine = ++this.asked;
    const question = this.wiring.question();
    this.frame(...this.lines(), h('p', { class: 'loading' }, t('place.loading')));
    try {
      const found = question
        ? await this.api.get('api/v1/incidents/repeats', { ...question, by: this.by, limit: PAGE, cursor: this.next })
        : { items: [], next: null };
      if (mine !== this.asked) return;
      this.items.push(...found.items);
      this.next = found.next;
      this.draw();
    } catch (error) {
      if (mine === this.asked) this.frame(problemBox(error));
    }
  }

  /** What was found, in the present language. */
  draw() {
    this.frame(
      ...this.lines(),
      this.items.length === 0 && h('p', { class: 'hint' }, t('repeats.none')),
      this.next !== null && h('div', { class: 'buttons' }, h('button', {
        type: 'button', id: 'repeats-more',
        onclick: async () => {
          const first = this.items.length;
          await this.more();
          /** @type {any} */ (this.root.querySelectorAll('.repeats > li').item(first))?.querySelector('button')?.focus();
        },
      }, t('repeats.more'))));
  }

  /** @param {...any} children */
  frame(...children) {
    fill(this.root,
      h('div', { class: 'place-head' },
        h('h2', { id: 'repeats-title', tabindex: -1 }, t('repeats.title')),
        h('button', {
          type: 'button', class: 'close', 'aria-label': t('repeats.close'), onclick: () => this.close(),
        }, '×')),
      h('label', { class: 'by' }, t('repeats.by'), ' ', this.select()),
      h('p', { class: 'hint' }, t('repeats.hint')),
      ...children);
  }

  select() {
    return h('select', {
      id: 'repeats-by',
      onchange: async (/** @type {any} */ { target }) => {
        this.by = target.value;
        await this.read();
        document.getElementById('repeats-by')?.focus();
      },
    }, ...WAYS.map((way) => h('option', { value: way, selected: way === this.by }, t(`repeats.${way}`))));
  }

  lines() {
    return this.items.length === 0 ? [] : [h('ol', { class: 'repeats' }, ...this.items.map((item) => this.line(item)))];
  }

  /** @param {any} item */
  line({ label, count, categories, first_at: first, last_at: last, lon, lat, apart_m: apart }) {
    const kinds = /** @type {[string, number][]} */ (Object.entries(categories)).sort((a, b) => b[1] - a[1]);
    return h('li', {},
      h('p', { class: 'label' }, label, ' ', h('b', { class: 'badge' }, t('repeats.count', { n: number(count) }))),
      h('p', {}, kinds.map(([code, n]) =>
        t('repeats.category', { name: this.wiring.categoryName(code), n: number(n) })).join(t('repeats.joined'))),
      h('p', { class: 'hint' }, t('repeats.between', { first: when(first, false), last: when(last, false) })),
      lon === null || apart > APART_M
        ? h('p', { class: 'hint' }, lon === null ? t('repeats.no_place') : t('repeats.apart', { distance: distance(apart) }))
        : h('div', { class: 'buttons' }, h('button', {
          type: 'button', 'aria-label': `${t('repeats.look')}: ${label}`,
          onclick: () => {
            this.pin.setLngLat([lon, lat]).addTo(this.map);
            this.map.jumpTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), CLOSE_ZOOM) });
            this.wiring.onlook({ lon, lat });
          },
        }, t('repeats.look'))));
  }
}
