/** The planner's desk: plans under work, and one of them on the map. */

import { AccountMenu } from '../account.js';
import { Api, Refusal } from '../api.js';
import { fill, h } from '../dom.js';
import { either, language, loadWords, setLanguage, setZone, t } from '../i18n.js';
import { GPUInitializationError, GridMap } from '../map.js';
import { problemBox } from '../place.js';
import { chosenLanguage, rememberLanguage } from '../remembered.js';
import { SignIn, rememberEnded } from '../signin.js';
import { Board } from './board.js';
import { PlanList } from './list.js';
import { Plan } from './plan.js';

const files = new URL('..', import.meta.url);
// The page lies beside the folder of these files, at `plan`, whatever prefix a proxy puts before.
const api = new Api(new URL('..', files));
const DEMO_PLANNER = 'demo.planner';
/** Grounds that a plan is drawn on, as the viewer shows them. */
const GROUNDS = ['units', 'barriers', 'buildings'];

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);

const SAID_MS = 6000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let saying;

/** A moment's message, also read aloud; what has to stay stands in the panel. @param {string} text */
function say(text) {
  clearTimeout(saying);
  element('status').textContent = text;
  saying = setTimeout(() => element('status').replaceChildren(), SAID_MS);
}

/** What the address asks for. */
function asked() {
  const said = new URLSearchParams(location.hash.slice(1));
  const plan = Number(said.get('plan'));
  return { plan: Number.isInteger(plan) && plan > 0 ? plan : null, language: said.get('lang') };
}

/** @param {number | null} plan */
function remember(plan) {
  const parts = [plan && `plan=${plan}`, `lang=${language()}`].filter(Boolean);
  return `#${parts.join('&')}`;
}

/** @param {any} meta @param {AccountMenu | null} account @param {() => void} onlanguage */
function drawHeader(meta, account, onlanguage) {
  const place = either(meta?.name);
  document.title = [t('desk.title'), place].filter(Boolean).join(' · ');
  fill(element('header'),
    h('a', { class: 'skip', href: '#', onclick: (/** @type {Event} */ event) => {
      event.preventDefault();
      /** @type {any} */ (document.querySelector('.maplibregl-canvas'))?.focus();
    } }, t('app.skip')),
    h('h1', {}, t('desk.title')),
    meta?.demo && h('span', { class: 'demo', title: t('app.demo_title') }, t('app.demo')),
    h('span', { class: 'space' }),
    meta && h('a', { class: 'header-link', id: 'desk-viewer', href: String(api.url('.')) }, t('desk.viewer')),
    h('button', {
      type: 'button', id: 'language', title: t('app.language_title'), lang: language() === 'zh' ? 'en' : 'zh-CN', onclick: onlanguage,
    }, t('app.language')),
    account?.button());
}

async function start() {
  await loadWords(files, new URL('.', import.meta.url));
  setLanguage(chosenLanguage(asked().language));
  const signIn = new SignIn(element('main'), api);
  const early = () => {
    toggleLanguage();
    drawHeader(null, null, early);
    signIn.draw();
  };
  drawHeader(null, null, early);
  try {
    const session = await signIn.session();
    api.onended = () => {
      rememberEnded();
      location.reload();
    };
    const [meta, style] = await Promise.all([
      api.get('api/v1/meta'), fetch(new URL('style.json', files)).then((answer) => answer.json()),
    ]);
    setZone(meta.timezone);
    new Desk(meta, style, session).show(asked().plan);
  } catch (error) {
    fill(element('main'), h('div', { class: 'desk-list' }, problemBox(error),
      h('button', { type: 'button', class: 'primary', onclick: () => location.reload() }, t('app.retry'))));
  }
}

function toggleLanguage() {
  setLanguage(language() === 'zh' ? 'en' : 'zh');
  rememberLanguage(language());
}

class Desk {
  /** @param {any} meta @param {any} style @param {any} session */
  constructor(meta, style, session) {
    this.meta = meta;
    this.style = style;
    this.session = session;
    this.account = new AccountMenu(api, session, 'plan');
    /** @type {PlanList | null} */
    this.list = null;
    /** @type {Board | null} */
    this.board = null;
    /** @type {GridMap | null} */
    this.view = null;
    addEventListener('hashchange', () => {
      const { plan } = asked();
      if (plan !== (this.board?.plan.id ?? null)) this.show(plan);
    });
  }

  header() {
    drawHeader(this.meta, this.account, () => {
      toggleLanguage();
      history.replaceState(null, '', remember(this.board?.plan.id ?? null));
      this.header();
      this.list?.draw();
      if (this.board) {
        this.view?.setLanguage(language());
        this.board.layers.drawAll();
        this.board.draw();
      }
      say('');
      element('language').focus();
    });
  }

  /** One plan on the map, or the list of them. @param {number | null} id */
  show(id) {
    this.board?.close();
    this.view?.map.remove();
    this.board = null;
    this.view = null;
    this.list = null;
    delete document.body.dataset.ready;
    say('');
    this.header();
    if (!this.session.rights.includes('drafts.read')) return this.notAllowed();
    return id === null ? this.showList() : this.showPlan(id);
  }

  /** Who may not see plans is told so, and by whom it may be looked at. */
  notAllowed() {
    fill(element('main'), h('div', { class: 'desk-list', id: 'desk-not-allowed' },
      h('h2', {}, t('desk.title')), h('p', {}, t('desk.not_allowed')),
      this.session.demo && h('div', {}, h('button', { type: 'button', class: 'primary', id: 'desk-become', onclick: async () => {
        await api.send('POST', 'api/v1/demo/session', { login: DEMO_PLANNER });
        location.reload();
      } }, t('desk.become')))));
    document.body.dataset.ready = 'true';
  }

  async showList() {
    const root = h('div', { class: 'desk-scroll' });
    fill(element('main'), root);
    this.list = new PlanList(root, api, this.session, (plan) => this.go(plan));
    this.list.draw();
    await this.list.load();
    document.body.dataset.ready = 'true';
  }

  /** @param {number | null} plan */
  go(plan) {
    history.pushState(null, '', remember(plan));
    this.show(plan);
  }

  /** @param {number} id */
  async showPlan(id) {
    const panel = h('aside', { id: 'panel', 'aria-label': t('desk.panel') }, h('p', { class: 'hint' }, t('app.loading')));
    const ground = h('div', { id: 'map' });
    fill(element('main'), panel, ground);
    try {
      this.view = new GridMap(ground, this.style, { bounds: this.meta.bbox, view: null });
    } catch (error) {
      if (!(error instanceof GPUInitializationError)) throw error;
      fill(panel, h('p', { class: 'problem', role: 'alert' }, t('map.no_gpu')));
      return;
    }
    const { view } = this;
    Object.assign(globalThis, { wangge: { map: view.map } });
    const tilesets = new Map();
    for (const name of GROUNDS.filter((one) => this.session.tilesets.includes(one))) tilesets.set(name, await api.get(`tiles/${name}`));
    await view.styled();
    if (this.view !== view) return;
    view.addLayers(tilesets, language(), new Set(['units', 'context']), new Map());
    view.setLanguage(language());
    const plan = new Plan(api, id);
    const board = new Board({ api, view, panel, plan, session: this.session, say, onleave: () => this.go(null) });
    this.board = board;
    try {
      await board.start();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      board.close();
      fill(panel, problemBox(error), h('button', { type: 'button', class: 'small', onclick: () => this.go(null) }, t('desk.back')));
    }
    document.body.dataset.ready = 'true';
  }
}

start();
