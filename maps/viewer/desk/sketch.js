/**
 * Drawing on the map: a line, an outline, a lasso, a box. Corners are set by click or tap, or by
 * Enter at the middle of the map; a lasso and a box may be dragged instead.
 *
 * Own, not a drawing library: those draw with a pointer only, and here every gesture has to have its
 * way by keyboard.
 */

const NEAR_PX = 4;

/** @typedef {'line' | 'outline' | 'lasso'} Kind */

export class Sketch {
  /**
   * @param {any} map with the source `desk-sketch`
   * @param {(count: number) => void} onchange corners so far
   */
  constructor(map, onchange) {
    this.map = map;
    this.onchange = onchange;
    /** @type {Kind | null} */
    this.kind = null;
    /** @type {[number, number][]} */
    this.corners = [];
    /** Where the pointer is. @type {[number, number] | null} */
    this.pointer = null;
    /** What is being dragged: corners in pixels, or the two ends of a box. @type {any} */
    this.drag = null;
    /** @type {(corners: [number, number][]) => void} */
    this.done = () => {};
    /** Whether a box may be dragged now, and what with it. @type {((ring: [number, number][]) => void) | null} */
    this.onbox = null;
    map.boxZoom.disable();
    for (const type of ['mousedown', 'touchstart']) map.on(type, (/** @type {any} */ event) => this.press(event));
    for (const type of ['mousemove', 'touchmove']) map.on(type, (/** @type {any} */ event) => this.moveTo(event));
    for (const type of ['mouseup', 'touchend', 'touchcancel']) map.on(type, () => this.release());
    // The button may be let go outside the map.
    addEventListener('mouseup', () => this.release());
    map.on('dblclick', () => {
      if (this.kind) this.finish();
    });
  }

  get isOn() {
    return this.kind !== null;
  }

  /** @param {Kind} kind @param {(corners: [number, number][]) => void} done lon, lat of each */
  start(kind, done) {
    this.stop();
    this.kind = kind;
    this.done = done;
    this.map.doubleClickZoom.disable();
    if (kind === 'lasso') this.map.dragPan.disable();
    this.map.getCanvas().classList.add('drawing');
    this.changed();
  }

  stop() {
    if (this.kind !== null) {
      this.map.doubleClickZoom.enable();
      this.map.dragPan.enable();
      this.map.getCanvas().classList.remove('drawing');
    }
    this.kind = null;
    this.drag = null;
    this.corners = [];
    this.pointer = null;
    this.changed();
  }

  /** A corner more. @param {{lng: number, lat: number}} place */
  add({ lng, lat }) {
    const last = this.corners.at(-1);
    if (last && this.apart(last, [lng, lat]) < NEAR_PX) return;
    this.corners.push([lng, lat]);
    this.changed();
  }

  /** The last corner away. */
  back() {
    this.corners.pop();
    this.changed();
  }

  get enough() {
    return this.corners.length >= (this.kind === 'line' ? 2 : 3);
  }

  finish() {
    if (!this.enough) return;
    const { corners, done } = this;
    this.stop();
    done(corners);
  }

  /** @param {any} event */
  press(event) {
    const { point, originalEvent } = event;
    if (this.kind === 'lasso') {
      if (originalEvent.touches?.length > 1) return;
      event.preventDefault();
      this.drag = { kind: 'lasso', path: [point] };
    } else if (this.kind === null && this.onbox && originalEvent.shiftKey) {
      event.preventDefault();
      this.drag = { kind: 'box', path: [point, point] };
    }
  }

  /** @param {any} event */
  moveTo({ point, lngLat }) {
    if (this.drag === null) {
      if (this.corners.length > 0) {
        this.pointer = [lngLat.lng, lngLat.lat];
        this.draw();
      }
      return;
    }
    const { kind, path } = this.drag;
    const last = path.at(-1);
    if (kind === 'box') path[1] = point;
    else if (Math.hypot(point.x - last.x, point.y - last.y) >= NEAR_PX) path.push(point);
    this.draw();
  }

  release() {
    if (this.drag === null) return;
    const ring = this.dragged();
    const { kind, path } = this.drag;
    this.drag = null;
    const [first, last] = [path[0], path.at(-1)];
    const isDrag = path.length > 2 || Math.hypot(first.x - last.x, first.y - last.y) > NEAR_PX;
    if (!isDrag) return this.draw();
    if (kind === 'box') {
      this.draw();
      return this.onbox?.(ring);
    }
    this.corners = ring;
    return this.finish();
  }

  /** @returns {[number, number][]} */
  dragged() {
    const { kind, path } = this.drag;
    const [a, b] = [path[0], path.at(-1)];
    const points = kind === 'lasso' ? path
      : [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }];
    return points.map(({ x, y }) => {
      const { lng, lat } = this.map.unproject([x, y]);
      return [lng, lat];
    });
  }

  /** Pixels between two places. @param {[number, number]} a @param {[number, number]} b */
  apart(a, b) {
    const [p, q] = [this.map.project(a), this.map.project(b)];
    return Math.hypot(p.x - q.x, p.y - q.y);
  }

  changed() {
    this.draw();
    this.onchange(this.corners.length);
  }

  draw() {
    const source = this.map.getSource('desk-sketch');
    if (!source) return;
    const isRing = this.drag !== null || this.kind !== 'line';
    const path = this.drag ? this.dragged() : [...this.corners, ...(this.pointer ? [this.pointer] : [])];
    const line = isRing && path.length > 2 ? [...path, path[0]] : path;
    source.setData({
      type: 'FeatureCollection',
      features: [
        ...(line.length > 1 ? [{ type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: line } }] : []),
        ...(isRing && path.length > 2
          ? [{ type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [line] } }] : []),
        ...this.corners.map((place) => ({ type: 'Feature', properties: {}, geometry: { type: 'Point', coordinates: place } })),
      ],
    });
  }
}

/**
 * Whether a place lies within an outline.
 * @param {[number, number]} place lon, lat @param {[number, number][]} ring
 */
export function within([x, y], ring) {
  let inside = false;
  ring.forEach(([ax, ay], index) => {
    const [bx, by] = ring.at(index - 1) ?? [ax, ay];
    if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  });
  return inside;
}

/** The middle of a polygon's ground. @param {any} feature @returns {[number, number]} lon, lat */
export function centreOf({ geometry }) {
  /** @type {[number, number][]} */
  const ring = geometry.coordinates[0];
  const [ox, oy] = ring[0];
  let [area, x, y] = [0, 0, 0];
  // From a corner of its own: degrees are large numbers beside the size of a cell.
  ring.forEach(([ax, ay], index) => {
    if (index === 0) return;
    const [bx, by] = ring.at(index - 1) ?? [ax, ay];
    const cross = (bx - ox) * (ay - oy) - (ax - ox) * (by - oy);
    area += cross;
    x += (ax + bx - 2 * ox) * cross;
    y += (ay + by - 2 * oy) * cross;
  });
  return area === 0 ? [ox, oy] : [ox + x / (3 * area), oy + y / (3 * area)];
}
