/** The form that takes an incident at a place. */

import { uuid } from './api.js';
import { fill, h } from './dom.js';
import { either, t, timezone, when } from './i18n.js';
import { problemBox } from './place.js';

const SEVERITIES = ['simple', 'general', 'difficult', 'major'];
const KINDS = ['dispute', 'hazard', 'service', 'other'];
const TEXT_LIMIT = 2000;

/**
 * A moment as `datetime-local` wants it, in the place's own time zone.
 * @param {Date} moment
 */
function localTime(moment) {
  const text = new Intl.DateTimeFormat('sv-SE', {
    timeZone: timezone(), dateStyle: 'short', timeStyle: 'short',
  }).format(moment);
  return text.replace(' ', 'T');
}

/**
 * The moment of a `datetime-local` value in the place's own time zone, ISO.
 * @param {string} text
 */
function momentOf(text) {
  const guess = new Date(`${text}:00Z`);
  const shift = new Date(`${localTime(guess)}:00Z`).getTime() - guess.getTime();
  return new Date(guess.getTime() - shift).toISOString();
}

export class ReportForm {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {import('./api.js').Api} api
   * @param {any} meta
   * @param {(stored: any, point: {lon: number, lat: number}) => void} onstored
   */
  constructor(dialog, api, meta, onstored) {
    this.dialog = dialog;
    this.api = api;
    this.meta = meta;
    this.onstored = onstored;
  }

  /**
   * @param {{lon: number, lat: number}} point
   * @param {number} accuracy metres, 0 for exact
   */
  open(point, accuracy) {
    // One id for one form: sending again after a lost answer changes nothing.
    const id = uuid();
    const category = h('select', { id: 'incident-category', required: true });
    category.append(h('option', { value: '' }, t('form.choose')));
    for (const kind of KINDS) {
      const mine = this.meta.categories.filter((/** @type {any} */ one) => one.kind === kind);
      if (mine.length === 0) continue;
      category.append(h('optgroup', { label: t(`kind.${kind}`) }, ...mine.map((/** @type {any} */ one) =>
        h('option', { value: one.code }, either({ zh: one.name_zh, en: one.name_en })))));
    }
    const severity = h('select', { id: 'incident-severity' },
      ...SEVERITIES.map((one) => h('option', { value: one }, t(`severity.${one}`))));
    const text = h('textarea', { id: 'incident-text', rows: 4, maxlength: TEXT_LIMIT, required: true });
    const address = h('input', { type: 'text', id: 'incident-address', maxlength: 200, autocomplete: 'off' });
    const time = h('input', {
      type: 'datetime-local', id: 'incident-time', required: true, value: localTime(new Date()),
      max: localTime(new Date(Date.now() + 60_000)),
    });
    const outcome = h('div', { 'aria-live': 'polite' });
    const send = h('button', { type: 'submit', class: 'primary', id: 'incident-send' }, t('form.send'));
    const form = h('form', {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        send.disabled = true;
        fill(outcome, h('p', { class: 'loading' }, t('form.sending')));
        try {
          const stored = await this.api.post('api/v1/incidents', {
            id,
            category: category.value,
            severity: severity.value,
            text: text.value.trim(),
            address: address.value.trim(),
            occurred_at: momentOf(time.value),
            lon: point.lon,
            lat: point.lat,
            crs: 'EPSG:4326',
            accuracy_m: accuracy || null,
            method: 'map',
            source: 'viewer',
          });
          this.show(stored);
          this.onstored(stored, point);
        } catch (error) {
          send.disabled = false;
          fill(outcome, problemBox(error));
        }
      },
    },
    h('h2', {}, t('form.title')),
    h('p', { class: 'coordinates' }, `${point.lon.toFixed(6)}, ${point.lat.toFixed(6)} · WGS 84`),
    h('label', { for: 'incident-category' }, t('form.category')), category,
    h('label', { for: 'incident-severity' }, t('form.severity')), severity,
    h('label', { for: 'incident-text' }, t('form.text')), text,
    h('p', { class: 'hint' }, t('form.no_names')),
    h('label', { for: 'incident-address' }, t('form.address')), address,
    h('label', { for: 'incident-time' }, t('form.time')), time,
    outcome,
    h('div', { class: 'buttons' }, send,
      h('button', { type: 'button', onclick: () => this.dialog.close() }, t('form.cancel'))));
    fill(this.dialog, form);
    this.dialog.showModal();
  }

  /** @param {any} stored */
  show({ id, grid, responsible, review, reported_at: reported }) {
    fill(this.dialog,
      h('div', { class: 'stored', role: 'status', id: 'stored' },
        h('h2', {}, t('form.stored')),
        h('dl', { class: 'facts' },
          h('dt', {}, t('form.id')), h('dd', { class: 'id', id: 'stored-id' }, id),
          h('dt', {}, t('form.grid')), h('dd', {}, grid ? grid.code : '—'),
          h('dt', {}, t('form.worker')), h('dd', {}, responsible ? responsible.name : t('place.nobody')),
          h('dt', {}, t('incident.reported')), h('dd', {}, when(reported))),
        review && h('p', { class: 'problem' }, t(`review.${review}`)),
        h('button', {
          type: 'button', class: 'primary', id: 'stored-close', onclick: () => this.dialog.close(),
        }, t('form.done'))));
    document.getElementById('stored-close')?.focus();
  }
}
