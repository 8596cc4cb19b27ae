/** The words of the page in Chinese and English, and numbers, distances and times in either. */

/** @typedef {'zh' | 'en'} Language */

export const LANGUAGES = /** @type {const} */ (['zh', 'en']);

/** Words by language and key. @type {Map<Language, Map<string, string>>} */
const words = new Map();
/** @type {Language} */
let current = 'zh';
let zone = 'Asia/Shanghai';
const tag = () => (current === 'zh' ? 'zh-CN' : 'en-GB');

/**
 * Fetch the dictionaries of both languages, so that switching never waits.
 * @param {...URL} bases folders that have one: of the files of all pages, and of this page's own
 */
export async function loadWords(...bases) {
  await Promise.all(
    LANGUAGES.map(async (language) => {
      const parts = await Promise.all(bases.map(async (base) => {
        const answer = await fetch(new URL(`i18n/${language}.json`, base));
        if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
        return Object.entries(await answer.json());
      }));
      words.set(language, new Map(parts.flat()));
    }),
  );
}

/** @param {Language} language */
export function setLanguage(language) {
  current = language;
  document.documentElement.lang = tag();
}

/** @param {string} timezone IANA name of the place's time zone */
export function setZone(timezone) {
  zone = timezone;
}

export const language = () => current;
export const timezone = () => zone;

/**
 * The words for a key; the key itself where one is missing, which the tests look for.
 * @param {string} key
 * @param {Record<string, string | number>} [values] what replaces `{name}` in the text
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = words.get(current)?.get(key);
  if (text === undefined) {
    console.error(`no ${current} words for ${key}`);
    return key;
  }
  const blanks = new Map(Object.entries(values));
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(blanks.get(name) ?? whole));
}

/**
 * The name in the present language of something that has two.
 * @param {{zh: string, en: string | null} | null | undefined} both
 */
export const either = (both) => (both ? (current === 'en' && both.en) || both.zh : '');

/** @param {{name: string, name_en?: string | null}} unit */
export const unitName = (unit) => (current === 'en' && unit.name_en) || unit.name;

/** @param {number} value @param {number} [digits] digits behind the point, at the most */
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(tag(), { maximumFractionDigits: digits }).format(value);

/** A measured figure to three digits; what is all but nothing is not written out. @param {number} value */
export const figure = (value) =>
  value > 0 && value < 1e-4 ? '<0.0001' : new Intl.NumberFormat(tag(), { maximumSignificantDigits: 3 }).format(value);

/**
 * A share as the whole page writes it: in whole percent, 0.077 as "8%" and, with its sign, "+8%";
 * -0.02 as "−2%". What is not quite nothing or not quite all is not rounded to it: "<1%", ">99%".
 * @param {number} share
 * @param {{signed?: boolean}} [options] signed: a difference, not a part of something
 */
export function percent(share, { signed = false } = {}) {
  if (!signed && share > 0 && share < 0.005) return '<1%';
  if (!signed && share >= 0.995 && share < 1) return '>99%';
  const whole = Math.round(Math.abs(share) * 100);
  const sign = whole === 0 ? '' : share < 0 ? '−' : signed ? '+' : '';
  return `${sign}${number(whole)}%`;
}

/**
 * What of a text is in the present language, where it says the same in Chinese and in English one
 * after the other, as in "示范旗网格 Demo grids". A text that says it once is returned whole, and
 * null in English where it is Chinese alone.
 * @param {string} text
 * @returns {string | null}
 */
export function ownPart(text) {
  const isHan = (/** @type {string} */ part) => /\p{Script=Han}/u.test(part);
  // Words, not the letter of a version or a number like "V2".
  const isLatin = (/** @type {string} */ part) => /\p{Script=Latin}{3}/u.test(part);
  const pure = (/** @type {string} */ part) => isHan(part) !== isLatin(part);
  for (const { index } of [...text.matchAll(/[\s/|·]/gu)].reverse()) {
    const parts = [text.slice(0, index), text.slice(index)];
    if (!parts.every(pure) || isHan(parts[0]) === isHan(parts[1])) continue;
    const own = parts.find((part) => isHan(part) === (current === 'zh')) ?? '';
    return own.replace(/^[\s/|·]+|[\s/|·]+$/gu, '');
  }
  return current === 'en' && isHan(text) && !isLatin(text) ? null : text;
}

/** @param {number} metres */
export function distance(metres) {
  if (metres < 1000) return `${number(Math.round(metres))} m`;
  return `${number(metres / 1000, metres < 10_000 ? 1 : 0)} km`;
}

/** @param {string | number} moment ISO text or milliseconds @param {boolean} [withTime] */
export function when(moment, withTime = true) {
  return new Intl.DateTimeFormat(tag(), {
    timeZone: zone,
    dateStyle: 'medium',
    ...(withTime ? { timeStyle: 'short' } : {}),
  }).format(new Date(moment));
}

/** @param {string} month `2026-05` */
export function monthName(month) {
  return new Intl.DateTimeFormat(tag(), {
    timeZone: 'UTC',
    year: 'numeric',
    month: 'long',
  }).format(new Date(`${month}-15T00:00:00Z`));
}
