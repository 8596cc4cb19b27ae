/** The board: one plan on the map, with what a planner does to it by hand. */

import { Refusal } from '../api.js';
import { h } from '../dom.js';
import { number, t } from '../i18n.js';
import { problemBox } from '../place.js';
import { PlanLayers } from './layers.js';
import { drawPanel, stepList } from './panel.js';
import { boxOf, isConflict } from './plan.js';
import { Sketch, centreOf, within } from './sketch.js';
import { border, merge, moveTo, redo, undo } from './steps.js';

/** How often to look whether others took a step. */
const LOOK_MS = 10_000;
const MOVES_SHOWN = 50;

/**
 * What a click on the map means: choose a grid; or a grid to take, merge or even out with; or corners
 * of a drawing; or the place of a comment.
 * @typedef {{kind: 'look' | 'move' | 'merge' | 'rebalance' | 'border' | 'line' | 'outline' | 'lasso' | 'comment', ring?: [number, number][]}} Mode
 */

export class Board {
  /**
   * @param {object} wiring
   * @param {import('../api.js').Api} wiring.api
   * @param {import('../map.js').GridMap} wiring.view whose own layers have been added
   * @param {HTMLElement} wiring.panel
   * @param {import('./plan.js').Plan} wiring.plan
   * @param {any} wiring.session who is signed in
   * @param {() => void} wiring.onleave
   * @param {(text: string) => void} wiring.say
   */
  constructor({ api, view, panel, plan, session, onleave, say }) {
    this.api = api;
    this.view = view;
    this.map = view.map;
    this.panel = panel;
    this.plan = plan;
    this.session = session;
    this.onleave = onleave;
    this.say = say;
    this.layers = new PlanLayers(view, plan);
    this.sketch = new Sketch(this.map, () => this.draw());
    /** @type {Mode} */
    this.mode = { kind: 'look' };
    this.tab = 'grid';
    /** The grid that is chosen; 0 is ground without a grid. @type {number | null} */
    this.selected = null;
    /** Its cells. @type {Map<number, any>} */
    this.cells = new Map();
    /** Those that are to go elsewhere. @type {Set<number>} */
    this.chosen = new Set();
    /** Grids picked beside the chosen one. @type {Set<number>} */
    this.picked = new Set();
    this.takeAlong = false;
    this.busy = false;
    this.composing = false;
    /** What there is to tell, in the language of the moment. @type {(() => any) | null} */
    this.notice = null;
    /** @type {any[]} */
    this.moves = [];
    /** @type {any[]} */
    this.savePoints = [];
    /** @type {any[]} */
    this.comments = [];
    /** @type {any[]} */
    this.reviews = [];
    /** Rules that keep the plan from being handed in, once asked for. @type {any[] | null} */
    this.breaches = null;
    /** @type {any} */
    this.comparison = null;
    /** Where a comment is to be pinned. @type {{lon: number, lat: number} | null} */
    this.pinned = null;
    this.listen();
    this.watch = setInterval(() => this.look(), LOOK_MS);
  }

  /** May change the plan, and the plan may be changed. */
  get canEdit() {
    return this.session.rights.includes('drafts.write') && this.plan.isOpen;
  }

  /** @param {string} right */
  may(right) {
    return this.session.rights.includes(right);
  }

  get grid() {
    return this.selected ? this.plan.grids.get(this.selected) ?? null : null;
  }

  get canRedo() {
    return this.moves.some(({ parent }) => parent === this.plan.info.head);
  }

  // -- the map --------------------------------------------------------------------------------

  listen() {
    const { map } = this;
    map.on('click', (/** @type {any} */ { point, lngLat, originalEvent }) => {
      if (!originalEvent.shiftKey) this.point(point, lngLat);
    });
    map.getCanvas().addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key === 'Enter') {
        event.preventDefault();
        const centre = map.getCenter();
        this.point(map.project(centre), centre);
      } else if (event.key === 'Backspace' && this.sketch.isOn) {
        this.sketch.back();
      }
    });
    this.panel.addEventListener('compositionstart', () => {
      this.composing = true;
    });
    this.panel.addEventListener('compositionend', () => {
      this.composing = false;
    });
    this.onkey = (/** @type {KeyboardEvent} */ event) => this.key(event);
    addEventListener('keydown', this.onkey);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const typing = /** @type {any} */ (event.target).closest?.('input, textarea, select, dialog');
    if (event.key === 'Escape') {
      if (this.mode.kind !== 'look') this.setMode({ kind: 'look' });
      else if (this.chosen.size > 0) this.choose([]);
      else this.select(null);
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z' && !typing && this.canEdit) {
      event.preventDefault();
      if (event.shiftKey) redo(this);
      else undo(this);
    }
  }

  /**
   * A click, or Enter at the middle of the map.
   * @param {{x: number, y: number}} point @param {{lng: number, lat: number}} place
   */
  point(point, place) {
    if (this.busy) return undefined;
    if (this.sketch.isOn) return this.sketch.add(place);
    const { grid, free, cell, comment } = this.layers.under(point);
    const { kind, ring } = this.mode;
    if (kind === 'comment') {
      this.pinned = { lon: place.lng, lat: place.lat };
      this.tab = 'talk';
      this.setMode({ kind: 'look' });
      document.getElementById('desk-words')?.focus();
      return undefined;
    }
    if (kind === 'look') {
      if (comment !== null) return this.open('talk', `desk-comment-${comment}`);
      if (free !== null && this.selected !== 0) return this.select(0).then(() => this.toggle(free));
      if (cell !== null && this.canEdit) return this.toggle(cell);
      return this.select(grid);
    }
    if (grid === null || grid === this.selected) return this.say(t('desk.pick_another'));
    if (kind === 'move') return moveTo(this, grid);
    if (kind === 'border') return border(this, ring ?? [], grid);
    if (kind === 'merge') return merge(this, grid);
    if (this.picked.has(grid)) this.picked.delete(grid);
    else this.picked.add(grid);
    return this.draw();
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.mode = mode;
    this.picked.clear();
    if (mode.kind === 'line' || mode.kind === 'outline' || mode.kind === 'lasso') {
      this.sketch.start(mode.kind, (corners) => this.drawn(mode.kind, corners));
    } else if (this.sketch.isOn) {
      this.sketch.stop();
    }
    this.draw();
    if (mode.kind !== 'look') document.getElementById('desk-cancel')?.focus({ preventScroll: true });
  }

  /** @param {string} kind @param {[number, number][]} corners lon, lat */
  drawn(kind, corners) {
    if (kind === 'lasso') {
      this.setMode({ kind: 'look' });
      this.chooseWithin(corners);
    } else if (kind === 'line') {
      this.setMode({ kind: 'look' });
      this.act(() => this.plan.step('moves', { kind: 'split', grid: this.selected, line: corners }));
    } else {
      this.setMode({ kind: 'border', ring: corners });
    }
  }

  /**
   * Choose a grid; 0 is ground without one.
   * @param {number | null} id @param {{stay?: boolean}} [options] stay: in the part that is open
   */
  async select(id, { stay = false } = {}) {
    this.selected = id;
    this.chosen.clear();
    this.cells.clear();
    this.marks([], []);
    if (id !== null && !stay) this.tab = 'grid';
    this.layers.show('cells', []);
    this.draw();
    await this.readCells();
    this.draw();
  }

  async readCells() {
    const wanted = this.selected;
    const found = wanted === 0 ? [...this.plan.free.values()] : wanted === null ? [] : await this.plan.cellsOf(wanted);
    if (wanted !== this.selected) return;
    this.cells = new Map(found.map((one) => [one.id, one]));
    // What has left the grid meanwhile cannot be taken from it.
    this.chosen = new Set([...this.chosen].filter((id) => this.cells.has(id)));
    this.layers.show('cells', found);
  }

  /** @param {number} cell */
  toggle(cell) {
    if (this.chosen.has(cell)) this.chosen.delete(cell);
    else this.chosen.add(cell);
    this.marks([], []);
    this.draw();
  }

  /** @param {Iterable<number>} cells */
  choose(cells) {
    this.chosen = new Set(cells);
    this.draw();
  }

  /** Cells whose middle lies within an outline, beside those chosen before. @param {[number, number][]} ring */
  chooseWithin(ring) {
    const inside = [...this.cells.values()].filter((cell) => within(centreOf(cell), ring)).map(({ id }) => id);
    this.choose([...this.chosen, ...inside]);
    this.say(t('desk.cells_added', { n: number(inside.length) }));
  }

  /** Bring grids into view. @param {number[]} ids */
  zoomTo(ids) {
    const box = boxOf(ids.map((id) => this.plan.grids.get(id)).filter(Boolean));
    if (box) this.fit(box);
  }

  /** Bring a box into view, with its neighbours. @param {[number, number, number, number]} box */
  fit(box) {
    const { width, height } = this.map.getContainer().getBoundingClientRect();
    this.view.fit(box, Math.min(width, height) / 4);
  }

  /** @param {[number, number, number, number]} box west, south, east, north */
  inView([west, south, east, north]) {
    const seen = this.map.getBounds();
    return seen.contains([west, south]) && seen.contains([east, north]);
  }

  showFree() {
    const box = boxOf([...this.plan.free.values()]);
    if (box) this.fit(box);
    return this.select(0);
  }

  /** @param {{lon: number, lat: number}} place */
  lookAt({ lon, lat }) {
    this.map.jumpTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), 15) });
  }

  /** Whether a place lies in the chosen grid. @param {{lon: number, lat: number}} place */
  holds({ lon, lat }) {
    return this.grid !== null && within([lon, lat], this.grid.geometry.coordinates[0]);
  }

  /** Mark what a refusal is about. @param {number[]} grids @param {number[]} cells */
  marks(grids, cells) {
    this.layers.mark('wrong', grids);
    this.layers.filter('desk-cells-wrong', cells);
  }

  // -- steps ----------------------------------------------------------------------------------

  /**
   * Take a step, and show what it changed; or what is in its way, and where.
   * @param {() => Promise<any>} send
   * @param {{again?: () => void, then?: (answer: any) => any}} [options] again: the same, with what
   *   would be cut off
   */
  async act(send, { again, then } = {}) {
    if (this.busy) return;
    this.busy = true;
    this.notice = null;
    this.say('');
    this.marks([], []);
    this.draw();
    try {
      const answer = await send();
      // Its figures at once, what it changed on the map as soon as that is here.
      this.draw();
      await this.took(await this.plan.sync());
      const codes = (answer?.apart ?? []).join(', ');
      const leftOut = answer?.left_out ?? 0;
      if (codes || leftOut > 0) {
        this.notice = () => h('div', { class: 'warning' },
          codes && h('p', {}, t('desk.apart', { codes })), leftOut > 0 && h('p', {}, t('desk.left_out', { n: number(leftOut) })));
      }
      await then?.(answer);
      this.say(t('desk.done', { n: number(answer?.grids?.length ?? 0) }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.refused(error, again);
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  /** @param {Refusal} error @param {(() => void)} [again] */
  async refused(error, again) {
    const { grids, cells } = error.about;
    let steps = /** @type {any[]} */ ([]);
    if (error.status === 409) {
      const news = await this.plan.sync().catch((lost) => {
        // The refusal is told all the same; the next look finds the server again.
        if (!(lost instanceof Refusal)) throw lost;
        return { changed: [], gone: [], steps: [] };
      });
      steps = news.steps;
      await this.took(news);
    }
    this.marks(grids, cells);
    const box = boxOf([
      ...cells.map((id) => this.cells.get(id)), ...grids.map((id) => this.plan.grids.get(id)),
    ].filter(Boolean));
    if (box && !this.inView(box)) this.fit(box);
    const codes = grids.map((id) => this.plan.grids.get(id)?.properties.code).filter(Boolean);
    this.notice = () => h('div', { class: 'refusal', id: 'desk-refusal' },
      isConflict(error)
        ? h('div', { class: 'problem', role: 'alert' },
          h('p', {}, t('desk.conflict', { grids: codes.join(', ') })), stepList(steps), h('p', {}, t('desk.kept')))
        : problemBox(error),
      cells.length > 0 && again && h('button', { type: 'button', class: 'small', id: 'desk-again', onclick: again }, t('desk.take_along_again')));
  }

  /** Draw what changed, and go on with what was chosen. @param {import('./plan.js').News} news */
  async took({ changed, gone, steps }) {
    if (steps.length === 0) return;
    this.layers.draw(changed, gone);
    this.breaches = null;
    const touched = new Set([...gone, ...changed.map(({ id }) => id)]);
    const isGone = this.selected && gone.includes(this.selected);
    const isTouched = this.selected === 0 || (this.selected && touched.has(this.selected));
    await Promise.all([this.readHistory(), isGone ? this.select(null) : isTouched ? this.readCells() : null]);
  }

  /** Whether others took a step since, or said something. */
  async look() {
    // What is being put together in an input method would be lost with its field.
    if (this.busy || this.composing || document.hidden) return;
    try {
      const { version } = await this.api.get(this.plan.path);
      if (this.tab === 'talk') {
        const before = this.comments.length;
        await this.readTalk();
        if (this.comments.length !== before) this.draw();
      }
      if (version === this.plan.version || this.busy) return;
      const news = await this.plan.sync();
      await this.took(news);
      const others = news.steps.filter(({ author }) => author !== this.session.login);
      if (others.length > 0) this.notice = () => h('div', { class: 'news' }, h('p', {}, t('desk.news')), stepList(others));
      this.draw();
    } catch (error) {
      // The next look may find the server again.
      if (!(error instanceof Refusal)) throw error;
    }
  }

  /**
   * Ask for something that changes nothing of the grids; what is refused is told.
   * @template T
   * @param {() => Promise<T>} ask @param {(answer: T) => any} [then]
   * @returns {Promise<T | null>}
   */
  async send(ask, then) {
    if (this.busy) return null;
    this.busy = true;
    this.notice = null;
    this.draw();
    try {
      const answer = await ask();
      await then?.(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.notice = () => problemBox(error);
      return null;
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  /** Empty a field that was sent. @param {string} id */
  clear(id) {
    const field = /** @type {any} */ (document.getElementById(id));
    if (field) field.value = '';
  }

  /** Beside the edition that it is a branch of, or the one in force. */
  compare() {
    return this.send(async () => {
      const { items } = await this.api.get('api/v1/editions', { kind: 'base' });
      const inForce = items.find((/** @type {any} */ one) => one.status === 'active' && this.plan.info.area_code.startsWith(one.area_code));
      const beside = this.plan.info.based_on ?? inForce?.id ?? null;
      const [found, ground] = await Promise.all(['comparison', 'difference'].map((what) => this.api.get(`${this.plan.path}/${what}`, { beside })));
      this.comparison = found;
      this.layers.show('difference', ground.features);
    });
  }

  // -- what was read ----------------------------------------------------------------------------

  async readHistory() {
    const [{ items }, { save_points: points }] = await Promise.all([
      this.api.get(`${this.plan.path}/moves`, { limit: MOVES_SHOWN }),
      this.api.get(`${this.plan.path}/save-points`),
    ]);
    this.moves = items;
    this.savePoints = points;
  }

  async readTalk() {
    ({ comments: this.comments } = await this.api.get(`${this.plan.path}/comments`));
    this.layers.show('comments', this.comments
      .filter((one) => one.lon !== null && one.closed_at === null)
      .map((one) => ({
        type: 'Feature', id: one.id, properties: {}, geometry: { type: 'Point', coordinates: [one.lon, one.lat] },
      })));
  }

  async readReviews() {
    ({ steps: this.reviews } = await this.api.get(`${this.plan.path}/reviews`));
  }

  async start() {
    await this.plan.load((page) => {
      this.layers.draw(page, []);
      this.draw();
    });
    this.layers.drawFree();
    const box = boxOf([...this.plan.grids.values()]);
    if (box) this.view.fit(box, 24);
    await Promise.all([this.readHistory(), this.readTalk(), this.readReviews()]);
    this.draw();
  }

  // -- the panel --------------------------------------------------------------------------------

  /** Show a tab, and there the part with this id. @param {string} tab @param {string} [id] */
  open(tab, id) {
    this.tab = tab;
    this.draw();
    const part = id ? document.getElementById(id) : null;
    part?.scrollIntoView({ block: 'nearest' });
    part?.focus();
  }

  draw() {
    const { info } = this.plan;
    if (info === null) return;
    this.layers.mark('chosen', this.selected ? [this.selected] : []);
    this.layers.mark('picked', this.picked);
    this.layers.filter('desk-cells-chosen', this.chosen);
    this.sketch.onbox = this.canEdit && this.cells.size > 0 ? (ring) => this.chooseWithin(ring) : null;
    document.body.dataset.version = String(info.version);
    document.body.dataset.head = String(info.head);
    document.body.dataset.busy = String(this.busy);
    drawPanel(this);
  }

  /** The page goes elsewhere. */
  close() {
    clearInterval(this.watch);
    removeEventListener('keydown', this.onkey ?? (() => {}));
  }
}
