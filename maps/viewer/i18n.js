/** The words of the page in Chinese and English, and numbers, distances and times in either. */

/** @typedef {'zh' | 'en'} Language */

export const LANGUAGES = /** @type {const} */ (['zh', 'en']);
const TAGS = { zh: 'zh-CN', en: 'en-GB' };

/** @type {Record<string, Record<string, string>>} */
const words = {};
/** @type {Language} */
let current = 'zh';
let zone = 'Asia/Shanghai';

/**
 * Fetch both dictionaries, so that switching never waits.
 * @param {URL} base folder of this page's files
 */
export async function loadWords(base) {
  await Promise.all(
    LANGUAGES.map(async (language) => {
      const answer = await fetch(new URL(`i18n/${language}.json`, base));
      if (!answer.ok) throw new Error(`i18n/${language}.json: ${answer.status}`);
      words[language] = await answer.json();
    }),
  );
}

/** @param {Language} language */
export function setLanguage(language) {
  current = language;
  document.documentElement.lang = TAGS[language];
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
  const text = words[current]?.[key];
  if (text === undefined) {
    console.error(`no ${current} words for ${key}`);
    return key;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
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
  new Intl.NumberFormat(TAGS[current], { maximumFractionDigits: digits }).format(value);

/** A measured figure to three digits, large or small. @param {number} value */
export const figure = (value) =>
  new Intl.NumberFormat(TAGS[current], { maximumSignificantDigits: 3 }).format(value);

/** @param {number} share 0.12 becomes "12 %" @param {boolean} [signed] */
export function percent(share, signed = false) {
  const text = new Intl.NumberFormat(TAGS[current], {
    style: 'percent',
    maximumFractionDigits: Math.abs(share) < 0.1 ? 1 : 0,
    signDisplay: signed ? 'exceptZero' : 'auto',
  }).format(share);
  return text.replace('-', '−');
}

/** @param {number} metres */
export function distance(metres) {
  if (metres < 1000) return `${number(Math.round(metres))} m`;
  return `${number(metres / 1000, metres < 10_000 ? 1 : 0)} km`;
}

/** @param {string | number} moment ISO text or milliseconds @param {boolean} [withTime] */
export function when(moment, withTime = true) {
  return new Intl.DateTimeFormat(TAGS[current], {
    timeZone: zone,
    dateStyle: 'medium',
    ...(withTime ? { timeStyle: 'short' } : {}),
  }).format(new Date(moment));
}

/** @param {string} month `2026-05` */
export function monthName(month) {
  return new Intl.DateTimeFormat(TAGS[current], {
    timeZone: 'UTC',
    year: 'numeric',
    month: 'long',
  }).format(new Date(`${month}-15T00:00:00Z`));
}
