/** Finding the town among a county's grids, so that the first look is not at empty steppe. */

/** @typedef {[west: number, south: number, east: number, north: number]} Bounds degrees */

/** Every place is measured against every other; more than these would be felt. */
export const MOST_PLACES = 2000;
const NEIGHBOURS = 8;
/** How much thinner than at its densest the town may become towards its edge. */
const THINNING = 4;

/**
 * The middle of the box around a ring.
 * @param {number[][]} ring lon, lat
 * @returns {[number, number]}
 */
export function middleOf(ring) {
  const lons = ring.map(([lon]) => lon);
  const lats = ring.map(([, lat]) => lat);
  return [(Math.min(...lons) + Math.max(...lons)) / 2, (Math.min(...lats) + Math.max(...lats)) / 2];
}

/**
 * The box around the places that lie about as close together as the closest do: from the densest
 * one outwards, from neighbour to neighbour.
 * @param {[number, number][]} places lon, lat
 * @returns {Bounds | null} null where there are too few to tell
 */
export function townOf(places) {
  if (places.length <= NEIGHBOURS) return null;
  const narrow = Math.cos((places[0][1] * Math.PI) / 180);
  const apart = (/** @type {[number, number]} */ a, /** @type {[number, number]} */ b) =>
    Math.hypot((a[0] - b[0]) * narrow, a[1] - b[1]);
  const spread = places.map((one) => {
    const all = Float64Array.from(places, (other) => apart(one, other)).sort();
    return all[NEIGHBOURS];
  });
  const least = Math.min(...spread);
  const reach = least * THINNING;
  const dense = places.filter((_, index) => spread[index] <= reach);
  let edge = [places[spread.indexOf(least)]];
  let left = new Set(dense.filter((one) => one !== edge[0]));
  const town = [...edge];
  while (edge.length > 0) {
    const found = [...left].filter((one) => edge.some((other) => apart(one, other) <= reach));
    left = new Set([...left].filter((one) => !found.includes(one)));
    town.push(...found);
    edge = found;
  }
  const lons = town.map(([lon]) => lon);
  const lats = town.map(([, lat]) => lat);
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}
