"""A binary heap in two arrays, for the kernels that go through a graph nearest first."""

from __future__ import annotations

from grids.redistricting.compiled import Floats, Labels, kernel


@kernel
def pop(keys: Floats, nodes: Labels, size: int) -> tuple[float, int]:
    """Take the node of the smallest key out of a heap of `size`, which is one less afterwards."""
    key, node = keys[0], nodes[0]
    size -= 1
    last_key, last_node = keys[size], nodes[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= last_key:
            break
        keys[at], nodes[at] = keys[child], nodes[child]
        at = child
    keys[at], nodes[at] = last_key, last_node
    return key, node


@kernel
def push(keys: Floats, nodes: Labels, size: int, key: float, node: int) -> None:
    """Put a node into a heap of `size`, which is one more afterwards."""
    at = size
    while at > 0:
        parent = (at - 1) // 2
        if keys[parent] <= key:
            break
        keys[at], nodes[at] = keys[parent], nodes[parent]
        at = parent
    keys[at], nodes[at] = key, node
