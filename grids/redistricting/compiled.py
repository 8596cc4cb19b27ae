"""The one decorator under which the planner's inner loops are compiled, and their random numbers.

Compiled code is kept on disk by numba (``NUMBA_CACHE_DIR``, else beside the source, else the
user's cache folder), so a machine compiles once. Where none of these can be written the code is
compiled afresh in each process, which costs seconds and nothing else.

The kernels draw from a 64-bit splitmix generator whose state is an array handed in by the caller,
and use an exponential made of multiplications only: no global state and no mathematics library,
so that one seed gives one plan on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
State = npt.NDArray[np.uint64]

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Compile `function` to machine code at its first call, cached on disk where that can be."""
    try:
        return cast("_Function", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba found no folder it may write to
        return cast("_Function", numba.njit(nogil=True)(function))


def random_state(generator: np.random.Generator) -> State:
    """State for the kernels' random numbers, drawn from a numpy generator."""
    return generator.integers(1, 2**63 - 1, size=1, dtype=np.uint64)


@kernel
def uniform(state: State) -> float:
    """Next random number in [0, 1); advances `state`."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def below(state: State, limit: int) -> int:
    """Random whole number from 0 to ``limit - 1``; advances `state`."""
    return min(int(uniform(state) * limit), limit - 1)


@kernel
def decay(x: float) -> float:
    """exp(-x) for x >= 0 to about 1 % where it matters, by ten squarings: the same everywhere."""
    if x > 60.0:
        return 0.0
    value = 1.0 - x / 1024.0
    for _ in range(10):
        value *= value
    return value
