/**
 * Fonts of the text on the map. The style has no `glyphs`: every letter is drawn by the browser
 * from a font of the machine it runs on, so nothing is fetched and Chinese needs no font file.
 */

export const TEXT_FONT = ['Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', 'sans-serif'];

/**
 * The name of a feature in the present language.
 * @param {import('../i18n.js').Language} language
 * @param {string} field
 */
export const named = (language, field = 'name') =>
  language === 'en' ? ['coalesce', ['get', `${field}_en`], ['get', field]] : ['get', field];
