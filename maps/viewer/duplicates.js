/** Which incidents may be the same as one, why, and a person's word that they are. */

import { fill, h } from './dom.js';
import { distance, number, percent, t, when } from './i18n.js';
import { problemBox } from './place.js';

/** As many as are looked at before the rest is looked for by command line. */
const SHOWN = 5;
/** States from which an incident may be merged into another: nobody handles it yet. */
const MERGES_FROM = ['reported', 'dispatched', 'accepted', 'returned'];
const DAY_H = 24;

export class Duplicates {
  /**
   * @param {import('./api.js').Api} api
   * @param {object} wiring
   * @param {boolean} wiring.merges whether whoever is signed in may say that two are one
   * @param {() => void} wiring.onmerged
   */
  constructor(api, wiring) {
    this.api = api;
    this.wiring = wiring;
  }

  /**
   * A section that fills itself; empty while nothing is alike.
   * @param {any} incident as the server tells it
   * @param {(code: string) => string} categoryName
   */
  section(incident, categoryName) {
    const root = h('div', { class: 'duplicates', 'aria-live': 'polite' });
    if (incident.state !== 'merged') this.look(root, incident, categoryName);
    return root;
  }

  /** @param {HTMLElement} root @param {any} incident @param {(code: string) => string} categoryName */
  async look(root, incident, categoryName) {
    try {
      const { items } = await this.api.get(`${path(incident.id)}/duplicates`, { limit: SHOWN });
      if (items.length === 0) return;
      // What was said decides more than any figure.
      const others = await Promise.all(items.map(
        (/** @type {any} */ item) => this.api.get(path(item.id))));
      fill(root,
        h('h4', {}, t('duplicates.title')),
        h('p', { class: 'hint' }, t('duplicates.hint')),
        h('ul', {}, ...items.map((/** @type {any} */ item, /** @type {number} */ place) => h('li', {},
          h('b', {}, t('duplicates.share', { share: percent(item.score) })), ' ',
          `${when(item.reported_at)} · ${categoryName(item.category)} · ${t(`state.${item.state}`)}`,
          others[place].text && h('p', { class: 'incident-text' }, others[place].text),
          others[place].address && h('p', {}, others[place].address),
          h('p', { class: 'reason' }, item.parts.map(reason).join(t('duplicates.between'))),
          this.wiring.merges && h('div', { class: 'buttons' },
            this.button(root, incident, item), this.unlikeButton(incident, item))))));
    } catch (error) {
      fill(root, problemBox(error));
    }
  }

  /** @param {HTMLElement} root @param {any} incident @param {any} other */
  button(root, incident, other) {
    const given = direction(incident, other);
    return given && h('button', {
      type: 'button',
      onclick: (/** @type {any} */ { currentTarget }) => {
        currentTarget.disabled = true;
        this.step(root, given.merged, { to_state: 'merged', into: given.into.id }, given);
      },
    }, t(given.merged === incident ? 'duplicates.this_into_it' : 'duplicates.it_into_this'));
  }

  /** @param {any} incident @param {any} other */
  unlikeButton(incident, other) {
    return h('button', {
      type: 'button',
      onclick: (/** @type {any} */ { currentTarget }) => {
        const line = currentTarget.closest('li');
        for (const button of line.querySelectorAll('button')) button.disabled = true;
        this.say(line, incident, other, true);
      },
    }, t('duplicates.unlike'));
  }

  /**
   * Say that two are not the same, or take it back.
   * @param {HTMLElement} line of the list
   * @param {any} incident
   * @param {any} other
   * @param {boolean} unlike
   */
  async say(line, incident, other, unlike) {
    try {
      await this.api.send('PUT', `${path(incident.id)}/duplicates/${encodeURIComponent(other.id)}`, { unlike });
      fill(line, h('p', { class: 'settled', role: 'status' },
        t(unlike ? 'duplicates.noted' : 'duplicates.offered_again', { at: when(other.reported_at) }), ' ',
        unlike && h('button', {
          type: 'button', class: 'small',
          onclick: () => this.say(line, incident, other, false),
        }, t('duplicates.take_back'))));
      line.querySelector('button')?.focus();
    } catch (error) {
      fill(line, problemBox(error));
    }
  }

  /**
   * @param {HTMLElement} root
   * @param {any} merged
   * @param {any} body
   * @param {{into: any} | null} given null: undone
   */
  async step(root, merged, body, given) {
    try {
      await this.api.post(`${path(merged.id)}/events`, body);
      fill(root, given
        ? h('p', { class: 'settled', role: 'status' },
          t('duplicates.done', { from: when(merged.reported_at), into: when(given.into.reported_at) }), ' ',
          h('button', {
            type: 'button', class: 'small',
            onclick: () => this.step(root, merged, { to_state: 'reopened' }, null),
          }, t('duplicates.undo')))
        : h('p', { role: 'status' }, t('duplicates.undone')));
      root.querySelector('button')?.focus();
      this.wiring.onmerged();
    } catch (error) {
      fill(root, problemBox(error));
    }
  }
}

/** @param {string} id */
const path = (id) => `api/v1/incidents/${encodeURIComponent(id)}`;

/**
 * Which of two is merged into which: the later report into the earlier, where its state lets it.
 * @param {any} one
 * @param {any} other
 * @returns {{merged: any, into: any} | null} null: both are being handled
 */
function direction(one, other) {
  const isLater = Date.parse(one.reported_at) >= Date.parse(other.reported_at);
  const [later, earlier] = isLater ? [one, other] : [other, one];
  if (MERGES_FROM.includes(later.state)) return { merged: later, into: earlier };
  if (MERGES_FROM.includes(earlier.state)) return { merged: earlier, into: later };
  return null;
}

/** One part of the evidence in words. @param {{part: string, value: number}} part */
function reason({ part, value }) {
  switch (part) {
    case 'place': return t('duplicates.place', { distance: distance(value) });
    case 'time': return value < 2 * DAY_H
      ? t('duplicates.hours', { n: number(value, 1) })
      : t('duplicates.days', { n: number(value / DAY_H) });
    case 'category':
      return t(value === 1 ? 'duplicates.same' : value > 0 ? 'duplicates.kind' : 'duplicates.other');
    case 'text': return t('duplicates.text', { share: percent(value) });
    default: return t('duplicates.address', { share: percent(value) });
  }
}
