/** What a resident sees who scanned a sign: a form, a receipt, and what became of the report. */

import { Api, Refusal, uuid } from './api.js';
import { fill, h } from './dom.js';
import { distance, either, language, loadWords, number, setLanguage, t, when } from './i18n.js';
import { chosenLanguage, rememberLanguage } from './remembered.js';

const KINDS = ['dispute', 'hazard', 'service', 'other'];
const TEXT_LIMIT = 2000;
const RECEIPTS = 'wangge.receipts';
const KEPT = 20;
const LOCATING_MS = 15_000;

const files = new URL('.', import.meta.url);
const api = new Api(new URL('..', files));
// Behind '#', which the browser keeps to itself.
const code = decodeURIComponent(location.hash.slice(1));

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);

/** @param {string} text */
function say(text) {
  element('status').textContent = text;
}

/** Receipts of this phone, the newest first. @returns {{id: string, at: string, category: string}[]} */
function receipts() {
  try {
    const kept = JSON.parse(localStorage.getItem(RECEIPTS) ?? '[]');
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** @param {any} stored */
function keep(stored) {
  const mine = receipts().filter((one) => one.id !== stored.id);
  mine.unshift({ id: stored.id, at: stored.reported_at, category: stored.category });
  try {
    localStorage.setItem(RECEIPTS, JSON.stringify(mine.slice(0, KEPT)));
  } catch {
    // A browser that keeps nothing: the receipt stands on the page.
  }
}

/** What to tell of a refusal. @param {unknown} error */
function told(error) {
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 0) return t('intake.offline');
  // What is no code at all is no sign either.
  if (error.status === 404 || error.problems.some((one) => one.field === 'code')) return t('intake.gone');
  if (error.status === 429) return t('intake.later', { minutes: Math.max(1, Math.ceil(error.after / 60)) });
  if (error.kind === 'PlaceOutsideArea') return t('intake.outside');
  return error.problems.length > 0
    ? error.problems.map((one) => one.reason).join('; ')
    : error.message;
}

class Page {
  /** @param {any} desk */
  constructor(desk) {
    this.desk = desk;
    /** Where the phone is. @type {{lon: number, lat: number, accuracy_m: number} | null} */
    this.position = null;
    // One id for one report: sending again after a lost answer changes nothing.
    this.id = uuid();
    /** @type {any} */
    this.stored = null;
    /** What is typed, kept when the language changes. @type {Map<string, string>} */
    this.typed = new Map();
  }

  name(/** @type {string} */ category) {
    const found = this.desk.categories.find((/** @type {any} */ one) => one.code === category);
    return found ? either({ zh: found.name_zh, en: found.name_en }) : category;
  }

  draw() {
    document.title = `${this.desk.place_name} · ${t('intake.title')}`;
    fill(element('header'),
      h('h1', {}, t('intake.title')), h('span', { class: 'space' }),
      h('button', { type: 'button', title: t('app.language_title'), onclick: () => {
        setLanguage(language() === 'zh' ? 'en' : 'zh');
        rememberLanguage(language());
        this.draw();
      } }, t('app.language')));
    fill(element('main'), this.stored === null ? this.form() : this.receipt(), this.mine());
  }

  form() {
    const typed = this.typed;
    /** @param {string} name */
    const remember = (name) => (/** @type {Event} */ event) => {
      typed.set(name, /** @type {any} */ (event.target).value);
    };
    const category = h('select', { id: 'intake-category', required: true, onchange: remember('category') },
      h('option', { value: '' }, t('form.choose')));
    for (const kind of KINDS) {
      const mine = this.desk.categories.filter((/** @type {any} */ one) => one.kind === kind);
      if (mine.length === 0) continue;
      category.append(h('optgroup', { label: t(`kind.${kind}`) },
        ...mine.map((/** @type {any} */ one) => h('option', { value: one.code }, this.name(one.code)))));
    }
    category.value = typed.get('category') ?? '';
    const text = h('textarea', {
      id: 'intake-text', rows: 5, required: true, maxlength: TEXT_LIMIT, oninput: remember('text'),
      value: typed.get('text') ?? '',
    });
    const name = h('input', {
      id: 'intake-name', maxlength: 100, autocomplete: 'name', oninput: remember('name'), value: typed.get('name') ?? '',
    });
    const phone = h('input', {
      id: 'intake-phone', type: 'tel', maxlength: 40, autocomplete: 'tel', oninput: remember('phone'),
      value: typed.get('phone') ?? '',
    });
    const problem = h('p', { class: 'problem', hidden: true, id: 'intake-problem' });
    const send = h('button', { type: 'submit', class: 'primary', id: 'intake-send' }, t('intake.send'));
    const where = h('p', { class: 'hint', 'aria-live': 'polite' });
    const tellWhere = () => fill(where, this.position === null
      ? t('intake.at_sign', { place: this.desk.place_name })
      : t('intake.at_phone', { accuracy: distance(this.position.accuracy_m) }));
    tellWhere();
    // A browser tells where the phone is to encrypted pages only.
    const locate = !window.isSecureContext || !navigator.geolocation ? null
      : h('button', { type: 'button', class: 'plain', onclick: () => {
        fill(where, t('intake.locating'));
        navigator.geolocation.getCurrentPosition(({ coords }) => {
          this.position = {
            lon: coords.longitude, lat: coords.latitude, accuracy_m: Math.min(Math.max(coords.accuracy, 1), 10_000),
          };
          tellWhere();
        }, () => {
          this.position = null;
          fill(where, t('intake.not_located', { place: this.desk.place_name }));
        }, { enableHighAccuracy: true, timeout: LOCATING_MS });
      } }, t('intake.use_phone'));
    return h('section', { class: 'card' },
      h('h2', {}, this.desk.place_name),
      h('p', { class: 'hint' }, either({ zh: this.desk.unit_zh, en: this.desk.unit_en })),
      h('form', { onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        send.disabled = true;
        problem.hidden = true;
        say(t('form.sending'));
        const reporter = name.value.trim() || phone.value.trim()
          ? { name: name.value.trim() || null, phone: phone.value.trim() || null } : null;
        try {
          this.stored = await api.post('api/v1/intake', {
            code, id: this.id, category: category.value, text: text.value, reporter, ...this.position,
          });
          keep(this.stored);
          say(t('intake.done'));
          this.draw();
          window.scrollTo(0, 0);
        } catch (error) {
          problem.hidden = false;
          fill(problem, told(error));
          say('');
        } finally {
          send.disabled = false;
        }
      } },
      h('label', { for: 'intake-category' }, t('intake.category')), category,
      h('label', { for: 'intake-text' }, t('intake.text')), text,
      h('p', { class: 'hint' }, t('intake.no_names')),
      h('label', {}, t('intake.where')), where, locate,
      h('label', { for: 'intake-name' }, t('intake.name')), name,
      h('label', { for: 'intake-phone' }, t('intake.phone')), phone,
      h('p', { class: 'hint' }, t('intake.private')),
      problem, send,
      h('p', { class: 'hint' }, t('intake.emergency'))));
  }

  receipt() {
    const stored = this.stored;
    return h('section', { class: 'card done', id: 'intake-done' },
      h('h2', {}, t('intake.done')),
      h('dl', {},
        h('dt', {}, t('intake.category')), h('dd', {}, this.name(stored.category)),
        h('dt', {}, t('intake.when')), h('dd', {}, when(stored.reported_at)),
        h('dt', {}, t('intake.grid')), h('dd', {}, stored.grid ?? t('intake.looked_at')),
        h('dt', {}, t('intake.state')), h('dd', {}, t(`state.${stored.state}`)),
        h('dt', {}, t('intake.number')), h('dd', { class: 'receipt' }, stored.id)),
      h('p', { class: 'hint' }, t('intake.keep')),
      h('button', { type: 'button', class: 'plain', onclick: () => {
        this.id = uuid();
        this.stored = null;
        this.typed = new Map();
        this.draw();
      } }, t('intake.another')));
  }

  mine() {
    const kept = receipts().filter((one) => one.id !== this.stored?.id);
    if (kept.length === 0) return null;
    return h('section', { class: 'card' },
      h('h2', {}, t('intake.mine', { n: number(kept.length) })),
      h('ul', { class: 'mine' }, ...kept.map((one) => {
        const state = h('span', { 'aria-live': 'polite' });
        const look = h('button', { type: 'button', class: 'plain', onclick: async () => {
          look.disabled = true;
          try {
            const found = await api.post('api/v1/intake/receipt', { code, id: one.id });
            fill(state, t(`state.${found.state}`));
          } catch (error) {
            fill(state, told(error));
          } finally {
            look.disabled = false;
          }
        } }, t('intake.look'));
        return h('li', {}, h('span', {}, `${this.name(one.category)} · ${when(one.at)} `, state), look);
      })));
  }
}

await loadWords(files);
setLanguage(chosenLanguage(null));
try {
  if (code === '') throw new Refusal('', 404);
  new Page(await api.post('api/v1/intake/sign', { code })).draw();
} catch (error) {
  fill(element('header'), h('h1', {}, t('intake.title')));
  fill(element('main'), h('section', { class: 'card' }, h('p', { class: 'problem', id: 'intake-problem' }, told(error))));
}
// Another sign scanned in the same tab.
window.addEventListener('hashchange', () => location.reload());
