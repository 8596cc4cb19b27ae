// What a browser keeps between visits; pages without a map use it too.

import { LANGUAGES } from './i18n.js';

const REMEMBERED_LANGUAGE = 'wangge.language';

/** @param {import('./i18n.js').Language} language */
export function rememberLanguage(language) {
  remember(REMEMBERED_LANGUAGE, language);
}

/**
 * @param {string | null} said
 * @returns {import('./i18n.js').Language}
 */
export function chosenLanguage(said) {
  const candidates = [said, recall(REMEMBERED_LANGUAGE), navigator.language.slice(0, 2)];
  const found = candidates.find((one) => LANGUAGES.includes(/** @type {any} */ (one)));
  return /** @type {any} */ (found ?? 'zh');
}

/**
 * Private windows may forbid storage; then nothing is remembered, and that is all.
 * @param {string} key @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}
