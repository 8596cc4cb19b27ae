/** What a planner does to a plan: each is one move, which can be taken back. */

/** @typedef {import('./board.js').Board} Board */

/** @param {Board} board @param {number} to */
export function moveTo(board, to) {
  const cells = [...board.chosen];
  const send = (/** @type {boolean} */ along) => board.act(
    () => board.plan.step('moves', { kind: 'move', cells, to, take_along: along }),
    { again: along ? undefined : () => send(true), then: () => board.choose([]) },
  );
  board.setMode({ kind: 'look' });
  return send(board.takeAlong);
}

/** @param {Board} board */
export function release(board) {
  const cells = [...board.chosen];
  return board.act(() => board.plan.step('moves', { kind: 'release', cells, take_along: board.takeAlong }), { then: () => board.choose([]) });
}

/** @param {Board} board @param {[number, number][]} ring @param {number | null} to null: a grid of its own */
export function border(board, ring, to) {
  board.setMode({ kind: 'look' });
  return board.act(() => board.plan.step('moves', { kind: 'border', polygon: ring, ...(to === null ? {} : { to }) }));
}

/** @param {Board} board @param {number} other */
export function merge(board, other) {
  const grids = [/** @type {number} */ (board.selected), other];
  board.setMode({ kind: 'look' });
  return board.act(() => board.plan.step('moves', { kind: 'merge', grids }), {
    then: ({ grids: left }) => board.select(left[0]?.id ?? null),
  });
}

/** @param {Board} board */
export function rebalance(board) {
  const grids = [/** @type {number} */ (board.selected), ...board.picked];
  board.setMode({ kind: 'look' });
  return board.act(() => board.plan.step('moves', { kind: 'rebalance', grids }));
}

/** @param {Board} board @param {number} parts */
export function split(board, parts) {
  return board.act(() => board.plan.step('moves', { kind: 'split', grid: board.selected, parts }));
}

/** @param {Board} board @param {number[] | null} grids null: the whole plan */
export function repair(board, grids) {
  return board.act(() => board.plan.step('moves', { kind: 'repair', ...(grids ? { grids } : {}) }));
}

/** @param {Board} board */
export function undo(board) {
  return board.plan.info.head > 0 ? board.act(() => board.plan.step('undo')) : undefined;
}

/** @param {Board} board */
export function redo(board) {
  return board.canRedo ? board.act(() => board.plan.step('redo')) : undefined;
}
