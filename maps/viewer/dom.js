/**
 * Elements without a framework. Text goes in as text nodes only, so no answer of the server can
 * become markup.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `on*` are listeners, `class`, `dataset`, booleans and
 *   everything else are attributes; null, undefined and false leave the attribute out.
 * @param {...(Child | Child[])} children
 * @returns {any} the element; `any`, so that callers may use its own properties
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    // A style attribute would need 'unsafe-inline'; its properties do not.
    else if (name === 'style') for (const [key, v] of Object.entries(value)) element.style.setProperty(key, String(v));
    else if (name === 'value') /** @type {any} */ (element).value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/**
 * Put children at the end of an element.
 * @param {Element} element
 * @param {(Child | Child[])[]} children
 */
export function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Replace what an element holds.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}
