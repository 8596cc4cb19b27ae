/** One's own account: who one is here, devices, password, second factor, the way out. */

import { Refusal } from './api.js';
import { fill, h } from './dom.js';
import { either, t, when } from './i18n.js';
import { problemBox } from './place.js';
import { Mismatch, field, newPasswordFields, passwordProblem, valuesOf } from './signin.js';

export class AccountMenu {
  /**
   * @param {import('./api.js').Api} api
   * @param {any} session as `GET /api/v1/session` answers it
   * @param {string} [page] address of the page that this is on, under the api's base
   */
  constructor(api, session, page = '') {
    this.api = api;
    this.session = session;
    this.page = page;
    this.dialog = h('dialog', { id: 'account', 'aria-labelledby': 'account-title' });
    document.body.append(this.dialog);
  }

  /** What opens it: the name of who is signed in. To who may see plans, also the way to their desk. */
  button() {
    const desk = this.page === '' && this.session.rights.includes('drafts.read') && h('a', {
      class: 'header-link', id: 'desk-link', href: String(this.api.url('plan')),
    }, t('account.desk'));
    return [desk, h('button', {
      type: 'button', id: 'account-open', 'aria-haspopup': 'dialog', title: t('account.title'),
      onclick: () => this.open(),
    }, h('span', { class: 'account-name' }, this.session.name))];
  }

  open() {
    this.draw();
    this.dialog.showModal();
  }

  draw() {
    const { session } = this;
    fill(this.dialog,
      h('div', { class: 'place-head' },
        h('h2', { id: 'account-title' }, session.name),
        h('button', {
          type: 'button', class: 'close', 'aria-label': t('account.close'), onclick: () => this.dialog.close(),
        }, '×')),
      h('dl', { class: 'facts' },
        h('dt', {}, t('account.login')), h('dd', {}, session.login),
        h('dt', {}, t('account.role')), h('dd', { id: 'account-role' }, either(session.role_name) || t('account.no_role')),
        h('dt', {}, t('account.area')), h('dd', {}, either(session.area_name) || session.area_code || t('account.whole')),
        session.also.length > 0 && [h('dt', {}, t('account.also')), h('dd', {}, session.also.join(', '))]),
      session.rights.length === 0 && h('p', { class: 'hint' }, t('account.nothing')),
      this.page === '' && session.rights.includes('drafts.read') && h('p', {},
        h('a', { id: 'account-desk', href: String(this.api.url('plan')) }, t('account.desk'))),
      session.demo && this.others(),
      section('account.devices', (box) => this.devices(box)),
      section('account.password', (box) => this.password(box)),
      section('account.second', (box) => this.secondFactor(box)),
      h('div', { class: 'buttons' }, h('button', {
        type: 'button', class: 'primary', id: 'sign-out', onclick: () => this.signOut(),
      }, t('account.sign_out'))));
  }

  async signOut() {
    try {
      await this.api.send('DELETE', 'api/v1/session');
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
    }
    // The demo's page signs in by itself, unless it is asked not to.
    const page = this.api.url(this.page);
    if (this.session.demo) page.search = 'signin';
    page.hash = location.hash;
    location.replace(page);
    if (page.search === location.search) location.reload();
  }

  /** In the demo: be somebody else. */
  others() {
    const select = h('select', { id: 'account-become' });
    this.api.get('api/v1/demo/accounts').then(({ accounts }) => {
      for (const one of accounts) {
        select.append(h('option', { value: one.login }, `${one.name} · ${either(one.area_name) || t('account.whole')}`));
      }
      select.value = this.session.login;
    }, () => select.remove());
    select.addEventListener('change', async () => {
      await this.api.send('POST', 'api/v1/demo/session', { login: select.value });
      // Without the view of whoever one was: another area may lie elsewhere.
      location.replace(this.api.url(this.page));
    });
    return [h('label', { for: 'account-become' }, t('account.become')), select];
  }

  /** @param {HTMLElement} box */
  async devices(box) {
    try {
      const { sessions } = await this.api.get('api/v1/sessions');
      fill(box,
        h('ul', { class: 'devices' }, ...sessions.map((/** @type {any} */ one) => h('li', {},
          h('div', {},
            h('b', {}, browserOf(one.agent)), one.is_this && ` · ${t('account.this_device')}`,
            h('p', { class: 'hint' }, t('account.seen', { when: when(one.last_seen_at), address: one.address || '—' }))),
          !one.is_this && h('button', {
            type: 'button', class: 'small', 'aria-label': `${t('account.end')}: ${browserOf(one.agent)}`,
            onclick: () => this.end(`api/v1/sessions/${one.id}`, box),
          }, t('account.end'))))),
        sessions.length > 1 && h('button', {
          type: 'button', class: 'small', id: 'end-others', onclick: () => this.end('api/v1/sessions', box),
        }, t('account.end_others')));
    } catch (error) {
      fill(box, problemBox(error));
    }
  }

  /** @param {string} path @param {HTMLElement} box */
  async end(path, box) {
    try {
      await this.api.send('DELETE', path);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 404) throw error;
    }
    await this.devices(box);
  }

  /** @param {HTMLElement} box */
  password(box) {
    this.ask(box, t('account.change'), async ({ current, password, again }) => {
      if (password !== again) throw new Mismatch();
      await this.api.send('PUT', 'api/v1/password', { current, new: password });
      fill(box, h('p', { role: 'status' }, t('account.changed')));
    },
    field('current', 'account.current', { type: 'password', autocomplete: 'current-password' }),
    ...newPasswordFields());
  }

  /** @param {HTMLElement} box */
  secondFactor(box) {
    const isOn = this.session.has_second_factor;
    this.ask(box, t(isOn ? 'account.second_remove' : 'account.second_begin'), async ({ current }) => {
      if (isOn) {
        await this.api.send('POST', 'api/v1/totp/removal', { current });
        this.session.has_second_factor = false;
        this.secondFactor(box);
      } else {
        this.confirm(box, await this.api.send('POST', 'api/v1/totp', { current }));
      }
    },
    h('p', {}, t(isOn ? 'account.second_on' : 'account.second_off')),
    field('current', 'account.current', { type: 'password', autocomplete: 'current-password' }));
  }

  /** @param {HTMLElement} box @param {any} begun */
  confirm(box, { secret, address, qr }) {
    this.ask(box, t('account.second_confirm'), async ({ code }) => {
      const { recovery_codes: codes } = await this.api.send('PUT', 'api/v1/totp', { code });
      this.session.has_second_factor = true;
      fill(box,
        h('p', { role: 'status' }, t('account.recovery')),
        h('ul', { class: 'recovery', id: 'recovery-codes' }, ...codes.map((/** @type {string} */ one) => h('li', {}, one))));
    },
    h('p', {}, t('account.second_how')),
    qrCode(qr),
    h('p', { class: 'hint' }, h('a', { href: address }, t('account.second_link'))),
    h('p', { class: 'secret', id: 'totp-secret' }, secret.replace(/(.{4})(?=.)/g, '$1 ')),
    field('code', 'signin.code', { type: 'text', inputmode: 'numeric', autocomplete: 'one-time-code', pattern: '[0-9 ]{6,9}' }));
  }

  /**
   * @param {HTMLElement} box @param {string} button
   * @param {(values: any) => Promise<void>} send @param {...any} children
   */
  ask(box, button, send, ...children) {
    const problem = h('p', { class: 'problem', role: 'alert' });
    const submit = h('button', { type: 'submit', class: 'small' }, button);
    fill(box, h('form', {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        submit.disabled = true;
        fill(problem);
        try {
          await send(valuesOf(box));
        } catch (error) {
          fill(problem, passwordProblem(error));
        }
        submit.disabled = false;
      },
    }, ...children, problem, submit));
  }
}

/**
 * A part that is filled when it is opened; what was in the others is put away, so that no two
 * fields have one id.
 * @param {string} title key of its words
 * @param {(box: HTMLElement) => void} open
 */
function section(title, open) {
  const box = h('div', { class: 'section' });
  const part = h('details', {
    name: 'account', class: 'account-part', id: title.replace('.', '-'),
    ontoggle: () => (part.open ? open(box) : fill(box)),
  }, h('summary', {}, t(title)), box);
  return part;
}

/** Dark squares of a QR code, with the quiet border it needs. @param {string[]} rows */
function qrCode(rows) {
  const size = rows.length + 8;
  const path = rows.flatMap((row, y) =>
    [...row].map((one, x) => (one === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join('');
  const NS = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('class', 'qr');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', t('account.qr'));
  const dark = document.createElementNS(NS, 'path');
  dark.setAttribute('d', path);
  svg.append(dark);
  return svg;
}

/** Browsers that call themselves by something shorter. */
const SHORT_NAMES = new Map([['Edg', 'Edge'], ['OPR', 'Opera']]);

/** The browser and system that an agent names, for a person. @param {string} agent */
function browserOf(agent) {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\/?/.exec(agent)?.[1] ?? '';
  const system = /(Windows|Android|iPhone|iPad|Mac OS|Linux)/.exec(agent)?.[1] ?? '';
  const name = SHORT_NAMES.get(browser) ?? browser;
  return [name, system].filter(Boolean).join(' · ') || agent.slice(0, 40) || t('account.unknown_device');
}
