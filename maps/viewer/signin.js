/** The way in: login and password, a code where one is asked for, and a password of one's own. */

import { Refusal } from './api.js';
import { fill, h } from './dom.js';
import { number, t } from './i18n.js';

const SHORTEST = 12;
const ENDED = 'wangge.signed_out';

/** Say on the next page that the session ended by itself. */
export function rememberEnded() {
  sessionStorage.setItem(ENDED, '1');
}

export class SignIn {
  /**
   * @param {HTMLElement} root
   * @param {import('./api.js').Api} api
   */
  constructor(root, api) {
    this.root = root;
    this.api = api;
    this.login = '';
    /** @type {'password' | 'code' | 'new'} */
    this.asking = 'password';
    /** What is wrong, drawn anew in another language. @type {() => string} */
    this.problem = () => '';
    this.page = h('section', { class: 'signin', 'aria-labelledby': 'signin-title' });
    /** @type {(session: any) => void} */
    this.done = () => {};
    /** What the provider is called that one may sign in through. @type {string | null} */
    this.provider = null;
    // Kept while the code is asked for, and nowhere else.
    this.password = '';
  }

  /**
   * Who is signed in; asks until somebody is, with a password of their own.
   * @returns {Promise<any>}
   */
  async session() {
    let session = null;
    try {
      session = await this.api.session();
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
    }
    if (session !== null && !session.must_change_password) return session;
    if (sessionStorage.getItem(ENDED) !== null) {
      sessionStorage.removeItem(ENDED);
      if (session === null) this.problem = () => t('signin.ended');
    }
    if (session !== null) this.login = session.login;
    this.asking = session === null ? 'password' : 'new';
    if (session === null) {
      this.provider = (await this.api.get('api/v1/oidc')).name;
      if (new URLSearchParams(location.search).get('provider') === 'refused') {
        this.problem = () => t('signin.provider_refused', { name: this.provider ?? '' });
      }
    }
    this.root.append(this.page);
    this.draw();
    const found = await new Promise((done) => {
      this.done = done;
    });
    this.page.remove();
    return found;
  }

  /** In the present language; what was typed stays. */
  draw() {
    if (!this.page.isConnected) return;
    const typed = new Map();
    for (const input of this.page.querySelectorAll('input')) typed.set(input.id, input.value);
    fill(this.page, this.asking === 'new' ? this.newPassword() : this.credentials());
    for (const input of this.page.querySelectorAll('input')) {
      input.value = typed.get(input.id) || input.value;
    }
    const inputs = [...this.page.querySelectorAll('input:not([hidden])')];
    /** @type {any} */ (inputs.find((input) => !(/** @type {any} */ (input).value)) ?? inputs[0])?.focus();
  }

  credentials() {
    const needsCode = this.asking === 'code';
    return this.form('signin.title', t('signin.enter'), async (values) => {
      const { login, password, code } = values;
      this.login = login;
      const session = await this.api.send('POST', 'api/v1/session', {
        login, password, code: needsCode ? code : null,
      });
      this.api.csrf = session.csrf;
      if (!session.must_change_password) return session;
      this.asking = 'new';
      this.password = password;
      return null;
    },
    field('login', 'signin.login', { type: 'text', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', value: this.login }),
    field('password', 'signin.password', { type: 'password', autocomplete: 'current-password' }),
    needsCode && field('code', 'signin.code', { type: 'text', autocomplete: 'one-time-code', autocapitalize: 'none', spellcheck: 'false' }),
    needsCode && h('p', { class: 'hint' }, t('signin.code_how')),
    this.asking === 'password' && this.provider && h('a', {
      class: 'provider', id: 'signin-provider', href: String(this.api.url('api/v1/oidc/login')),
    }, t('signin.provider', { name: this.provider })),
    this.asking === 'password' && h('p', { class: 'hint' }, t('signin.lost')));
  }

  newPassword() {
    return this.form('signin.change_title', t('signin.change'), async ({ current, password, again }) => {
      if (password !== again) throw new Mismatch();
      await this.api.send('PUT', 'api/v1/password', { current: current ?? this.password, new: password });
      this.password = '';
      return this.api.session();
    },
    h('p', {}, t('signin.change_why')),
    // For the password manager, which keeps the new one under this login.
    h('input', { id: 'signin-login', type: 'text', autocomplete: 'username', value: this.login, hidden: true, readonly: true }),
    !this.password && field('current', 'signin.one_time', { type: 'password', autocomplete: 'current-password' }),
    ...newPasswordFields());
  }

  /**
   * @param {string} title key of its words
   * @param {string} button
   * @param {(values: any) => Promise<any>} send a session when done, null when more is asked for
   * @param {...any} children
   */
  form(title, button, send, ...children) {
    const problem = h('p', { class: 'problem', role: 'alert', id: 'signin-problem' }, this.problem());
    const submit = h('button', { type: 'submit', class: 'primary', id: 'signin-send' }, button);
    return h('form', {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        submit.disabled = true;
        this.problem = () => '';
        fill(problem);
        try {
          const session = await send(valuesOf(this.page));
          if (session) this.done(session);
          else this.draw();
        } catch (error) {
          submit.disabled = false;
          this.refused(error, problem);
        }
      },
    }, h('h2', { id: 'signin-title' }, t(title)), ...children, problem, submit);
  }

  /** @param {unknown} error @param {HTMLElement} problem */
  refused(error, problem) {
    if (error instanceof Refusal && error.kind === 'CodeNeeded') {
      this.asking = 'code';
      this.draw();
      return;
    }
    this.problem = () => passwordProblem(error);
    fill(problem, this.problem());
    const wrong = this.page.querySelector(
      error instanceof Refusal && error.kind === 'CodeRefused' ? '#signin-code' : 'input[type="password"]',
    );
    /** @type {any} */ (wrong)?.select();
  }
}

/** The two new passwords are not the same. */
export class Mismatch extends Error {}

/** A new password, twice. */
export const newPasswordFields = () => [
  field('password', 'signin.new', { type: 'password', autocomplete: 'new-password', minlength: SHORTEST, maxlength: 128 }),
  field('again', 'signin.again', { type: 'password', autocomplete: 'new-password', minlength: SHORTEST, maxlength: 128 }),
  h('p', { class: 'hint' }, t('signin.rules', { n: SHORTEST })),
];

/**
 * What is wrong with a sign-in or a new password, in words of the present language.
 * @param {unknown} error
 */
export function passwordProblem(error) {
  if (error instanceof Mismatch) return t('signin.mismatch');
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 0) return t('error.no_answer');
  if (error.status === 429) return t('signin.slowed', { n: number(error.after) });
  if (error.kind === 'CodeRefused') return t('signin.code_wrong');
  if (error.problems.some(({ field: name }) => name === 'current')) return t('signin.password_wrong');
  if (error.problems.some(({ field: name }) => name === 'code')) return t('signin.code_wrong');
  if (error.problems.some(({ field: name }) => name === 'new')) return t('signin.weak');
  if (error.status === 401) return t('signin.wrong');
  return `${t('error.refused')} ${error.message}`;
}

/**
 * A labelled input; its id is `signin-` and its name.
 * @param {string} name @param {string} label key of its words @param {Record<string, any>} attributes
 */
export const field = (name, label, attributes) => [
  h('label', { for: `signin-${name}` }, t(label)),
  h('input', { id: `signin-${name}`, name, required: true, ...attributes }),
];

/**
 * What was typed, by the names of the fields.
 * @param {Element} root
 * @returns {Record<string, string>}
 */
export const valuesOf = (root) => Object.fromEntries(
  [...root.querySelectorAll('input[name]')].map((input) => {
    const { name, value } = /** @type {HTMLInputElement} */ (input);
    return [name, value];
  }),
);
