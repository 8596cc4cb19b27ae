/** Grids coloured by an answer of the server: asked for, awaited, shown or refused. */

import { Refusal } from './api.js';
import { t } from './i18n.js';

/** What is wrong and what to do, in one text. @param {Refusal} error */
export const refused = ({ problems, message }) =>
  problems.map(({ reason, remedy }) =>
    (remedy ? t('error.remedy', { reason, remedy: remedy.replace(/[.。]$/, '') }) : reason)).join(' ') || message;

/** @typedef {{loading: boolean, found: any, problem: string | null}} Told */

export class Colouring {
  /**
   * @param {import('./api.js').Api} api
   * @param {object} wiring
   * @param {() => {path: string, query: Record<string, any>} | null} wiring.question null: nothing
   *   is to be shown
   * @param {(found: {legend: any[], layer: any} | null) => void} wiring.show
   * @param {(told: Told) => void} wiring.tell
   */
  constructor(api, wiring) {
    this.api = api;
    this.wiring = wiring;
    /** @type {AbortController | null} */
    this.asked = null;
  }

  hide() {
    this.asked?.abort();
    this.wiring.show(null);
  }

  /** The figures first; the shapes are then those that the server has just kept. */
  async draw() {
    const { show, tell, question } = this.wiring;
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    tell({ loading: true, found: null, problem: null });
    try {
      const asked = question();
      const found = asked && (await this.api.get(asked.path, asked.query, { signal }));
      const layer = asked && (await this.api.get(`${asked.path}.geojson`, asked.query, { signal }));
      if (signal.aborted) return;
      show(found && { legend: found.legend, layer });
      tell({ loading: false, found, problem: null });
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') return;
      if (!(error instanceof Refusal)) throw error;
      show(null);
      tell({ loading: false, found: null, problem: refused(error) });
    }
  }
}
