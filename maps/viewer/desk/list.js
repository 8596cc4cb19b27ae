/** Plans under work, and what a new one can begin with. */

import { Refusal } from '../api.js';
import { fill, h } from '../dom.js';
import { either, number, ownPart, percent, t, when } from '../i18n.js';
import { problemBox } from '../place.js';

/** The area of a plan in words. @param {{area_code: string, area_name?: any}} one */
export const areaName = ({ area_code: code, area_name: name }) => (name ? `${either(name)} ${code}` : code);

/** What a plan or an edition is called, in the present language. @param {{id: number, title: string}} one */
export const titleOf = ({ id, title }) => (title && (ownPart(title) ?? title)) || t('desk.untitled', { id });

export class PlanList {
  /**
   * @param {HTMLElement} root
   * @param {import('../api.js').Api} api
   * @param {any} session who is signed in
   * @param {(plan: number) => void} onopen
   */
  constructor(root, api, session, onopen) {
    this.root = root;
    this.api = api;
    this.session = session;
    this.onopen = onopen;
    /** @type {any[]} */
    this.plans = [];
    /** @type {any[]} */
    this.editions = [];
    /** @type {Refusal | null} */
    this.problem = null;
    this.busy = false;
    this.read = false;
  }

  async load() {
    try {
      const [{ plans }, { items }] = await Promise.all([
        this.api.get('api/v1/plans'), this.api.get('api/v1/editions', { kind: 'base' }),
      ]);
      this.plans = plans;
      this.editions = items;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error;
    }
    this.read = true;
    this.draw();
  }

  /** @param {Record<string, any>} body */
  async begin(body) {
    this.busy = true;
    this.problem = null;
    this.draw();
    try {
      const { id } = await this.api.post('api/v1/plans', body);
      this.onopen(id);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error;
    }
    this.busy = false;
    this.draw();
  }

  draw() {
    if (!this.root.isConnected) return;
    const under = this.plans.filter(({ state }) => state !== 'published');
    const known = new Set(this.plans.map(({ id }) => id));
    const drafts = this.editions.filter(({ id, status }) => status === 'draft' && !known.has(id));
    const active = this.editions.filter(({ status }) => status === 'active');
    const published = this.plans.filter(({ state }) => state === 'published');
    const writes = this.session.rights.includes('drafts.write');
    fill(this.root, h('div', { class: 'desk-list' },
      h('h2', { id: 'desk-plans-title', tabindex: '-1' }, t('desk.plans')),
      this.problem && problemBox(this.problem),
      this.busy && h('p', { class: 'hint', role: 'status' }, t('desk.opening')),
      !this.read ? h('p', { class: 'hint' }, t('app.loading'))
        : under.length === 0 ? h('div', { class: 'empty', id: 'desk-empty' }, h('p', {}, t('desk.no_plans')))
          : h('ul', { class: 'plans', id: 'desk-plans' }, ...under.map((one) => this.plan(one))),
      writes && active.length > 0 && [
        h('h3', {}, t('desk.from_force')), h('p', { class: 'hint' }, t('desk.from_force_hint')),
        h('ul', { class: 'plans' }, ...active.map((one) => this.edition(one, 'desk.branch', { edition: one.id, branch: true, title: one.title })))],
      writes && drafts.length > 0 && [
        h('h3', {}, t('desk.from_draft')),
        h('ul', { class: 'plans' }, ...drafts.map((one) => this.edition(one, 'desk.open_draft', { edition: one.id, branch: false })))],
      published.length > 0 && h('details', {}, h('summary', { id: 'desk-published' }, t('desk.published', { n: number(published.length) })),
        h('ul', { class: 'plans' }, ...published.map((one) => this.plan(one))))));
  }

  /** @param {any} one */
  plan(one) {
    const { figures } = one;
    const share = figures.within_tolerance;
    return h('li', {},
      h('div', {},
        h('b', {}, titleOf(one)), ' ', h('span', { class: `state ${one.state}` }, t(`desk.state_${one.state}`)),
        h('p', {}, areaName(one)),
        h('p', { class: 'hint' }, t('desk.plan_line', { n: number(one.id), author: one.author, at: when(one.created_at, false), grids: number(figures.grids), share: share === null ? '—' : percent(share) }))),
      h('button', { type: 'button', class: 'primary', id: `desk-open-${one.id}`, onclick: () => this.onopen(one.id) }, t('desk.open')));
  }

  /** @param {any} one @param {string} key of the button's words @param {Record<string, any>} body */
  edition(one, key, body) {
    const since = one.valid_from === null ? '' : ` · ${t('desk.since', { day: when(one.valid_from, false) })}`;
    return h('li', {},
      h('div', {},
        h('b', {}, titleOf(one)),
        h('p', { class: 'hint' }, `${one.area_code} · ${t('desk.n_grids', { n: number(one.grids) })}${since}`)),
      h('button', { type: 'button', class: 'small', id: `desk-begin-${one.id}`, disabled: this.busy, onclick: () => this.begin(body) }, t(key)));
  }
}
