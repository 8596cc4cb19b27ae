"""How the locator's kernels are compiled, and the types they take.

Machine code is kept on disk by numba (beside the source, in ``NUMBA_CACHE_DIR`` or in the user's
cache folder), so a machine compiles once; where none can be written each process compiles anew.
``fastmath`` stays off everywhere: the exact predicates rest on every addition and multiplication
being rounded by itself, and on a point getting the same cell wherever it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint32]
Body = NDArray[np.uint64]
Ints = NDArray[np.int64]
Ranks = NDArray[np.int32]
Flags = NDArray[np.bool_]

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Compile at the first call; the code is kept on disk where a folder can be written."""
    try:
        return numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # numba found no folder it may write to
        return numba.njit(function, nogil=True, error_model="numpy")


def part(function: _Function) -> _Function:
    """Compile as a part of the kernels that use it, inlined there."""
    return numba.njit(function, error_model="numpy", forceinline=True)


@part
def signed(value: int | np.integer) -> int:
    """A whole number as 64 bits with a sign: numba makes a float of it and an unsigned one."""
    return np.int64(value)  # type: ignore[return-value]
