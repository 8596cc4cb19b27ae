/** A plan under work as the page knows it: its grids and figures, kept up with everybody's steps. */

import { Refusal } from '../api.js';

/** Grids that come in one answer. */
const PAGE = 1000;
const CELLS_PAGE = 2000;

/** @typedef {{changed: any[], gone: number[], steps: any[]}} News */

export class Plan {
  /**
   * @param {import('../api.js').Api} api
   * @param {number} id of the plan, which is that of its edition
   */
  constructor(api, id) {
    this.api = api;
    this.path = `api/v1/plans/${id}`;
    this.id = id;
    /** As `GET /api/v1/plans/{id}` answers it. @type {any} */
    this.info = null;
    /** GeoJSON features by the number of the grid. @type {Map<number, any>} */
    this.grids = new Map();
    /** Ground without a grid, by the number of the cell. @type {Map<number, any>} */
    this.free = new Map();
  }

  get version() {
    return this.info.version;
  }

  get isOpen() {
    return this.info.state === 'open';
  }

  /**
   * Read it whole, page by page.
   * @param {(page: any[]) => void} onpage told the grids of each page
   */
  async load(onpage) {
    let first = null;
    for (let cursor = null; ;) {
      const page = await this.api.get(`${this.path}/shapes`, { limit: PAGE, cursor });
      first ??= page.plan;
      this.info = page.plan;
      onpage(page.features.map((/** @type {any} */ one) => this.take(one)));
      cursor = page.next;
      if (cursor === null) break;
    }
    // What changed between the first page and the last.
    this.info = first;
    await this.readFree();
    if (first.version !== (await this.api.get(this.path)).version) await this.sync();
  }

  /** What anybody did since, taken over. @returns {Promise<News>} */
  async sync() {
    const since = this.version;
    /** @type {any[]} */
    const changed = [];
    /** @type {Set<number>} */
    const gone = new Set();
    /** @type {any[]} */
    let steps = [];
    let info = null;
    for (let cursor = null; ;) {
      const page = await this.api.get(`${this.path}/shapes`, { since, limit: PAGE, cursor });
      // Of the first page: what happens while the rest is read comes with the next time.
      if (info === null) ({ plan: info, steps } = page);
      page.features.forEach((/** @type {any} */ one) => changed.push(this.take(one)));
      page.gone.forEach((/** @type {number} */ id) => gone.add(id));
      cursor = page.next;
      if (cursor === null) break;
    }
    for (const id of gone) this.grids.delete(id);
    this.info = info;
    if (steps.length > 0 && (this.free.size > 0 || info.figures.unassigned > 0)) await this.readFree();
    return { changed, gone: [...gone], steps };
  }

  /** @param {any} feature */
  take(feature) {
    const { code, unit_code: unit } = feature.properties;
    // Within its unit; the rest of the code is the unit's.
    feature.properties.short = code.startsWith(unit) ? code.slice(unit.length) : code;
    this.grids.set(feature.id, feature);
    return feature;
  }

  async readFree() {
    this.free.clear();
    if (this.info.figures.unassigned === 0) return;
    for (const cell of await this.cells({ free: 'true' })) this.free.set(cell.id, cell);
  }

  /** @param {number} id @returns {Promise<any[]>} its cells, as GeoJSON features */
  cellsOf(id) {
    const grid = this.grids.get(id);
    return grid ? this.cells({ grid: grid.properties.code }) : Promise.resolve([]);
  }

  /** @param {Record<string, string>} which */
  async cells(which) {
    const found = [];
    for (let cursor = null; ;) {
      const page = await this.api.get(`${this.path}/cells`, { ...which, limit: CELLS_PAGE, cursor });
      found.push(...page.features);
      cursor = page.next;
      if (cursor === null) return found;
    }
  }

  /**
   * A step that changes the plan; figures are those of the answer at once.
   * @param {string} what `moves`, `undo`, `redo` or `go-to`
   * @param {Record<string, any>} [body]
   * @returns {Promise<any>} the answer of the server
   */
  async step(what, body = {}) {
    const answer = await this.api.post(`${this.path}/${what}`, { ...body, version: this.version });
    // The version stays that of the shapes, until they have been read.
    this.info = { ...this.info, figures: answer.figures, head: answer.head };
    return answer;
  }

  /** @param {number[]} grids @param {boolean} on */
  lock(grids, on) {
    return this.api.post(`${this.path}/${on ? 'locks' : 'unlock'}`, { grids });
  }

  /** Grids out of tolerance, the worst first. */
  offTarget() {
    return [...this.grids.values()]
      .filter(({ properties }) => !properties.in_tolerance)
      .sort((a, b) => Math.abs(b.properties.deviation) - Math.abs(a.properties.deviation));
  }

  /** The grid with this code, or the end of it. @param {string} code */
  find(code) {
    const wanted = code.trim();
    if (wanted === '') return null;
    const all = [...this.grids.values()];
    return all.find(({ properties }) => properties.code === wanted)
      ?? all.find(({ properties }) => properties.code.endsWith(wanted) || properties.name === wanted)
      ?? null;
  }
}

/** Whether somebody else was first: the plan has to be looked at anew. @param {unknown} error */
export const isConflict = (error) => error instanceof Refusal && error.kind === 'PlanConflict';

/** The class that a grid is coloured by. @param {any} properties */
export function toleranceClass({ deviation, tolerance, in_tolerance: passes }) {
  if (passes) return 'within';
  if (deviation < 0) return deviation < -2 * tolerance ? 'far_below' : 'below';
  return deviation > 2 * tolerance ? 'far_above' : 'above';
}

/**
 * The box around shapes.
 * @param {any[]} features polygons
 * @returns {[number, number, number, number] | null} west, south, east, north
 */
export function boxOf(features) {
  let [west, south, east, north] = [180, 90, -180, -90];
  for (const { geometry } of features) {
    for (const [lon, lat] of geometry.coordinates[0]) {
      west = Math.min(west, lon);
      east = Math.max(east, lon);
      south = Math.min(south, lat);
      north = Math.max(north, lat);
    }
  }
  return west > east ? null : [west, south, east, north];
}
