/** The small pictures of the legend. Drawn as SVG, so that they print and scale. */

import { NOT_KNOWN, NOT_KNOWN_MARK } from './layers/gridmap.js';

const SVG = 'http://www.w3.org/2000/svg';
/** The land of style.json, which a fill that is not opaque lies on. */
const GROUND = '#f3f0e8';

/** @param {string} tag @param {Record<string, string | number>} attributes */
function s(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * @param {import('./layers/index.js').Swatch} swatch
 * @returns {SVGElement}
 */
export function swatchPicture(swatch) {
  const svg = s('svg', { width: 26, height: 16, viewBox: '0 0 26 16', 'aria-hidden': 'true' });
  svg.classList.add('swatch');
  if (swatch.fill) {
    const box = { x: 1.5, y: 1.5, width: 23, height: 13, rx: 1.5 };
    svg.append(
      s('rect', { ...box, fill: GROUND }),
      s('rect', {
        ...box, fill: swatch.fill, 'fill-opacity': swatch.opacity ?? 1,
        stroke: swatch.line ?? '#33475b', 'stroke-width': 1,
      }),
    );
  } else if (swatch.pattern) {
    const marks = swatch.pattern === 'hidden'
      ? s('path', { d: 'M3 14 L15 2 M10 14 L22 2 M17 14 L24 7 M2 8 L8 2', 'stroke-width': 2, stroke: NOT_KNOWN_MARK })
      : s('path', {
        d: 'M6 5h0M13 5h0M20 5h0M6 11h0M13 11h0M20 11h0', 'stroke-width': 3,
        'stroke-linecap': 'round', stroke: NOT_KNOWN_MARK,
      });
    svg.append(
      s('rect', { x: 1.5, y: 1.5, width: 23, height: 13, rx: 1.5, fill: NOT_KNOWN, stroke: swatch.line ?? '#33475b' }),
      marks,
    );
  } else if (swatch.camera) {
    svg.append(
      s('path', { d: 'M13 0 l4 6 h-8 z', fill: swatch.camera }),
      s('circle', { cx: 13, cy: 9.5, r: 5, fill: swatch.camera }),
      s('circle', { cx: 13, cy: 9.5, r: 1.8, fill: '#fff' }),
    );
  } else if (swatch.wedge) {
    svg.append(s('path', {
      d: 'M3 8 L22 1 A20 20 0 0 1 22 15 Z', fill: swatch.wedge, 'fill-opacity': 0.2,
      stroke: swatch.wedge, 'stroke-dasharray': '3 2',
    }));
  } else if (swatch.border) {
    svg.append(
      s('path', { d: 'M0 8 H26', stroke: '#d81b60', 'stroke-opacity': 0.2, 'stroke-width': 8 }),
      s('path', {
        d: 'M0 8 H26', stroke: swatch.border, 'stroke-width': 2.4,
        'stroke-dasharray': '10 3 2 3 2 3',
      }),
    );
  } else if (swatch.checkpoint) {
    svg.append(s('rect', {
      x: 9, y: 4, width: 8, height: 8, transform: 'rotate(45 13 8)', fill: '#ffd54f',
      stroke: '#3e2723', 'stroke-width': 1.5,
    }));
  } else if (swatch.label) {
    const label = s('text', { x: 13, y: 12.5, 'text-anchor': 'middle', 'font-size': 12, fill: swatch.label });
    label.textContent = '001';
    svg.append(label);
  } else if (swatch.line) {
    svg.append(s('path', {
      d: 'M1 8 H25', stroke: swatch.line, 'stroke-width': swatch.width ?? 2,
      ...(swatch.dashed ? { 'stroke-dasharray': '6 3' } : {}),
    }));
  }
  return svg;
}

/** A round mark of an incident group. @param {string} colour */
export function dotPicture(colour) {
  const svg = s('svg', { width: 16, height: 16, viewBox: '0 0 16 16', 'aria-hidden': 'true' });
  svg.append(s('circle', { cx: 8, cy: 8, r: 6, fill: colour, stroke: '#1d2b36' }));
  svg.classList.add('dot');
  return svg;
}
