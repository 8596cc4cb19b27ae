/** Addresses that no search was sure of: candidates on the map, and a person's choice among them. */

import { Marker } from 'maplibre-gl';

import { Refusal } from './api.js';
import { fill, h } from './dom.js';
import { distance, either, number, percent, t, when } from './i18n.js';
import { problemBox } from './place.js';

const PAGE = 100;
/** Beside a place that a street is known of alone, its houses are still told apart. */
const CLOSEST_ZOOM = 16;
/** Of latitude, on a sphere of the mean radius. */
const METRES_PER_DEGREE = 111195;

export class QueuePanel {
  /**
   * @param {HTMLElement} root
   * @param {import('./api.js').Api} api
   * @param {import('maplibre-gl').Map} map
   * @param {object} wiring
   * @param {any} wiring.meta
   * @param {() => void} wiring.onopen
   * @param {() => void} wiring.onclose
   * @param {() => void} wiring.onplaced an incident has got its place
   * @param {() => boolean} wiring.still whether movement should be left out
   */
  constructor(root, api, map, wiring) {
    this.root = root;
    this.api = api;
    this.map = map;
    this.wiring = wiring;
    this.waiting = 0;
    /** @type {any[]} reviews of the queue, as far as it was read */
    this.items = [];
    this.at = 0;
    /** @type {any} the one that is shown, with its candidates as GeoJSON */
    this.shown = null;
    /** @type {any} the incident that asked, where it may be seen */
    this.incident = null;
    /** @type {{lon: number, lat: number} | null} */
    this.hand = null;
    /** @type {Marker[]} */
    this.pins = [];
    this.handPin = new Marker({ color: '#9b1c1c', draggable: true });
    this.handPin.on('dragend', () => {
      const { lng, lat } = this.handPin.getLngLat();
      this.point({ lon: lng, lat });
    });
    this.outcome = h('div', { 'aria-live': 'polite', id: 'queue-outcome' });
    this.asked = 0;
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** What opens it: how many wait. Nothing while nobody waits. */
  button() {
    return h('button', {
      type: 'button', id: 'queue-open', hidden: this.waiting === 0 && !this.isOpen,
      'aria-expanded': String(this.isOpen), 'aria-controls': 'queue',
      title: t('queue.button_title', { n: number(this.waiting) }),
      'aria-label': t('queue.button_title', { n: number(this.waiting) }),
      onclick: () => (this.isOpen ? this.close() : this.open()),
    }, h('span', { class: 'word' }, t('queue.button'), ' '), h('b', { class: 'badge' }, number(this.waiting)));
  }

  /** Ask how many wait; who may not know is shown no button. */
  async count() {
    try {
      this.waiting = (await this.api.get('api/v1/addresses/reviews', { limit: 0 })).count;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.waiting = 0;
    }
    document.getElementById('queue-open')?.replaceWith(this.button());
  }

  async open() {
    this.root.hidden = false;
    this.wiring.onopen();
    fill(this.outcome);
    await this.read();
    /** @type {any} */ (this.root.querySelector('h2'))?.focus();
  }

  close() {
    this.asked += 1;
    this.root.hidden = true;
    this.forget();
    fill(this.root);
    this.wiring.onclose();
    document.getElementById('queue-open')?.replaceWith(this.button());
    document.getElementById('queue-open')?.focus();
  }

  /** Read the queue anew and show the one at the same place in it. */
  async read() {
    this.frame(h('p', { class: 'loading' }, t('place.loading')));
    try {
      const { items, count } = await this.api.get('api/v1/addresses/reviews', { limit: PAGE });
      this.items = items;
      this.waiting = count;
      document.getElementById('queue-open')?.replaceWith(this.button());
      await this.show(Math.min(this.at, Math.max(0, items.length - 1)));
    } catch (error) {
      this.frame(problemBox(error));
    }
  }

  /** @param {number} at place in the queue */
  async show(at) {
    const mine = ++this.asked;
    this.at = at;
    this.forget();
    const item = this.items.at(at);
    if (item) {
      const [shown, incident] = await Promise.all([
        this.api.get(`api/v1/addresses/reviews/${item.id}`),
        item.incident_id ? this.incidentOf(item.incident_id) : null,
      ]);
      if (mine !== this.asked) return;
      this.shown = shown;
      this.incident = incident;
      this.drawPins();
    }
    this.draw();
    // When the panel has its size.
    if (item) this.fit();
  }

  /** The incident that asked; null where the account does not see it. @param {string} id */
  async incidentOf(id) {
    try {
      return await this.api.get(`api/v1/incidents/${id}`);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) return null;
      throw error;
    }
  }

  forget() {
    this.shown = null;
    this.incident = null;
    this.hand = null;
    this.handPin.remove();
    for (const pin of this.pins) pin.remove();
    this.pins = [];
  }

  /** @param {{lon: number, lat: number}} place set by hand */
  point({ lon, lat }) {
    if (!this.shown) return;
    this.hand = { lon, lat };
    this.handPin.setLngLat([lon, lat]).addTo(this.map);
    this.draw();
    document.getElementById('queue-set')?.focus();
  }

  drawPins() {
    this.pins = this.shown.candidates.features.map((/** @type {any} */ feature, /** @type {number} */ i) => {
      // The list beside the map says the same, and is the one that a keyboard walks.
      const element = h('button', {
        type: 'button', class: 'candidate-pin', tabindex: -1,
        title: feature.properties.label, 'aria-label': t('queue.candidate', { i: i + 1, label: feature.properties.label }),
        onclick: (/** @type {Event} */ event) => {
          event.stopPropagation();
          this.mark(i);
          document.getElementById(`queue-choose-${i}`)?.focus();
        },
      }, String(i + 1));
      return new Marker({ element }).setLngLat(feature.geometry.coordinates).addTo(this.map);
    });
  }

  /** Show candidates at once, each as far around as it may be off. @param {any[]} features all, if not said */
  fit(features = this.shown.candidates.features) {
    if (features.length === 0) return;
    const lons = features.flatMap(({ geometry: { coordinates: [lon, lat] }, properties }) => {
      const around = properties.accuracy_m / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180));
      return [lon - around, lon + around];
    });
    const lats = features.flatMap(({ geometry: { coordinates: [, lat] }, properties }) => {
      const around = properties.accuracy_m / METRES_PER_DEGREE;
      return [lat - around, lat + around];
    });
    const { width } = this.map.getContainer().getBoundingClientRect();
    const over = this.root.getBoundingClientRect();
    // At the right side or, on phones, at the bottom.
    const isBeside = over.width < width * 0.6;
    this.map.fitBounds([[Math.min(...lons), Math.min(...lats)], [Math.max(...lons), Math.max(...lats)]], {
      padding: {
        top: 60, left: 60, right: 60 + (isBeside ? over.width : 0), bottom: 60 + (isBeside ? 0 : over.height),
      },
      maxZoom: CLOSEST_ZOOM,
      animate: !this.wiring.still(),
    });
  }

  /** @param {number | null} chosen pin and line that belong together */
  mark(chosen) {
    this.pins.forEach((pin, i) => pin.getElement().classList.toggle('chosen', i === chosen));
    this.root.querySelectorAll('.candidates > li').forEach((line, i) => line.classList.toggle('chosen', i === chosen));
  }

  /** @param {...any} children */
  frame(...children) {
    fill(this.root,
      h('div', { class: 'place-head' },
        h('h2', { id: 'queue-title', tabindex: -1 }, t('queue.title')),
        h('button', {
          type: 'button', class: 'close', 'aria-label': t('queue.close'), onclick: () => this.close(),
        }, '×')),
      this.outcome,
      ...children);
  }

  /** The one that is shown, in the present language. */
  draw() {
    if (!this.shown) {
      this.frame(h('p', { class: 'hint', id: 'queue-empty' }, t('queue.none')));
      return;
    }
    const { review, candidates } = this.shown;
    this.frame(
      this.walk(),
      h('p', { class: 'hint' }, t('queue.asked')),
      h('p', { class: 'asked', id: 'queue-text' }, review.text),
      this.incident && this.incidentBox(),
      h('h3', {}, t('queue.may_be')),
      candidates.features.length === 0 && h('p', { class: 'hint' }, t('queue.no_candidates')),
      this.sameBox(),
      h('ol', { class: 'candidates' }, ...candidates.features.map(
        (/** @type {any} */ feature, /** @type {number} */ i) => this.candidate(feature, i))),
      this.hand
        ? h('div', { class: 'hand' },
          h('p', {}, h('b', {}, t('queue.hand_place')), ' ',
            h('span', { class: 'coordinates' }, `${this.hand.lon.toFixed(6)}, ${this.hand.lat.toFixed(6)}`)),
          h('button', {
            type: 'button', class: 'primary', id: 'queue-set',
            onclick: () => this.hand && this.decide({ lon: this.hand.lon, lat: this.hand.lat }),
          }, t('queue.set_here')))
        : h('p', { class: 'hint' }, t('queue.by_hand')),
      h('div', { class: 'buttons' }, h('button', {
        type: 'button', id: 'queue-nowhere', onclick: () => this.decide({}),
      }, t('queue.nowhere'))),
      h('p', { class: 'hint' }, t('queue.remembered')));
  }

  /** To the one before and behind. */
  walk() {
    const step = (/** @type {string} */ id, /** @type {string} */ word, /** @type {number} */ to) =>
      h('button', {
        type: 'button', class: 'small', id, disabled: to < 0 || to >= this.items.length,
        onclick: async () => {
          fill(this.outcome);
          await this.show(to).catch((error) => this.frame(problemBox(error)));
          document.getElementById(id)?.focus();
        },
      }, t(word));
    return h('div', { class: 'walk' },
      step('queue-before', 'queue.before', this.at - 1),
      h('span', {}, t('queue.position', { i: number(this.at + 1), n: number(this.waiting) })),
      step('queue-after', 'queue.after', this.at + 1));
  }

  incidentBox() {
    const { category, text, reported_at: reported } = this.incident;
    const found = this.wiring.meta.categories.find((/** @type {any} */ one) => one.code === category);
    return h('div', { class: 'asking' },
      h('p', {}, h('b', {}, found ? either({ zh: found.name_zh, en: found.name_en }) : category), ` · ${when(reported)}`),
      text && h('p', {}, text));
  }

  /** Whether the others that wait with the same words are decided alike; asked where there are some. */
  sameBox() {
    const n = this.shown.same_waiting;
    return n > 0 && h('label', { class: 'same' },
      h('input', { type: 'checkbox', id: 'queue-same' }), ' ', t('queue.same', { n: number(n) }));
  }

  /** @param {any} feature @param {number} i */
  candidate(feature, i) {
    const { label, score, method, ignored, accuracy_m: accuracy } = feature.properties;
    return h('li', {
      onmouseenter: () => this.mark(i), onmouseleave: () => this.mark(null), onfocusin: () => this.mark(i),
    },
    h('span', { class: 'rank', 'aria-hidden': 'true' }, String(i + 1)),
    h('div', {},
      h('p', { class: 'label' }, label),
      h('p', { class: 'hint' }, [t(`found.${method}`), t('queue.score', { share: percent(score) }),
        t('queue.within', { m: distance(accuracy) })].join(' · ')),
      ignored.length > 0 && h('p', { class: 'hint' }, t('queue.ignored', { text: ignored.join(' ') })),
      h('div', { class: 'buttons' },
        // The middle of a unit is no place: it is pointed at.
        method !== 'division' && h('button', {
          type: 'button', class: 'primary', id: `queue-choose-${i}`,
          'aria-label': `${t('queue.choose')}: ${label}`,
          onclick: () => this.decide({ candidate: i }),
        }, t('queue.choose')),
        h('button', {
          type: 'button', 'aria-label': `${t('queue.look')}: ${label}`,
          onclick: () => {
            this.mark(i);
            this.fit([feature]);
          },
        }, t('queue.look')))));
  }

  /** @param {{candidate?: number, lon?: number, lat?: number}} choice nothing: nowhere */
  async decide(choice) {
    const { id } = this.shown.review;
    const box = /** @type {HTMLInputElement | null} */ (document.getElementById('queue-same'));
    const body = box?.checked ? { ...choice, apply_to_same: true } : choice;
    for (const button of this.root.querySelectorAll('button')) button.disabled = true;
    fill(this.outcome, h('p', { class: 'loading' }, t('queue.sending')));
    try {
      const done = await this.api.post(`api/v1/addresses/reviews/${id}`, body);
      fill(this.outcome, h('p', { class: 'settled', role: 'status' },
        done.outcome === 'nowhere' ? t('queue.lost') : t('queue.decided', { label: done.label }),
        done.same_settled > 0 && ` ${t('queue.same_settled', { n: number(done.same_settled) })}`,
        done.same_waiting > 0 && ` ${t('queue.same_waiting', { n: number(done.same_waiting) })}`));
      if (done.incident_id && done.outcome !== 'nowhere') this.wiring.onplaced();
      await this.read();
      /** @type {any} */ (this.root.querySelector('h2'))?.focus();
    } catch (error) {
      fill(this.outcome, problemBox(error));
      this.draw();
      // Somebody else was quicker: what they said is not asked again.
      if (error instanceof Refusal && error.status === 409) await this.read();
    }
  }
}
