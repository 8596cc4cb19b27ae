"""Classes of a grid map: zero for itself, and five to seven for what is above it."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Literal, TypeAlias

import numpy as np

from gis.errors import BadInput, Problem
from maps.hotspots.checks import Floats
from maps.palettes import nice_breaks, number

Scheme: TypeAlias = Literal["quantiles", "natural", "nice"]

SCHEMES: Final[tuple[Scheme, ...]] = ("quantiles", "natural", "nice")
FEWEST, MOST, USUAL = 5, 7, 5
SAMPLE: Final = 2000
"""Natural breaks take time by the square of the values: of more than these, quantiles stand for
all."""


def edges(values: Floats, scheme: Scheme, classes: int = USUAL) -> list[float]:
    """Edges of the classes of values above zero: class i lies above edge i - 1, up to edge i.

    Parameters
    ----------
    values
        Any shape; NaN and what is not above zero belong to no class.
    scheme
        ``quantiles`` (as many grids in each), ``natural`` (Fisher 1958 and Jenks: the least spread
        within classes), ``nice`` (readable numbers, each about twice the one before).
    classes
        5 to 7. Fewer are made of fewer distinct values, so that none is empty.

    Returns
    -------
    classes + 1 numbers, the first 0; empty if nothing is above zero.

    Raises
    ------
    BadInput
        Another scheme, or another number of classes.
    """
    problems = []
    if scheme not in SCHEMES:
        problems.append(
            Problem(f"'{scheme}' is no scheme", f"One of: {', '.join(SCHEMES)}", field="scheme")
        )
    if not FEWEST <= classes <= MOST:
        problems.append(
            Problem(
                f"{classes} classes",
                f"Give {FEWEST} to {MOST}: fewer hide, more cannot be told apart.",
                field="classes",
            )
        )
    if problems:
        raise BadInput(problems)
    above = np.sort(values[np.isfinite(values) & (values > 0)], axis=None)
    distinct = np.unique(above)
    if not distinct.size:
        return []
    if scheme == "nice":
        upper = [*nice_breaks(float(distinct[-1]), classes - 1), float(distinct[-1])]
    elif distinct.size <= classes:
        upper = [float(each) for each in distinct]
    else:
        upper = _upper(above, scheme, classes)
    if (above == np.floor(above)).all():
        upper = [float(np.floor(each)) for each in upper]
    else:
        upper = [_readable(each, step) for each, step in _with_steps(upper)]
    found = [0.0, *sorted(set(upper) - {0.0})]
    kept = set(classify(above, found).tolist())
    return [0.0, *(edge for i, edge in enumerate(found) if i in kept)]


def _upper(above: Floats, scheme: Scheme, classes: int) -> list[float]:
    if scheme == "quantiles":
        found = np.quantile(above, np.arange(1, classes + 1) / classes)
    else:
        import mapclassify  # noqa: PLC0415  (slow to load)

        if above.size > SAMPLE:
            above = above[np.linspace(0, above.size - 1, SAMPLE).round().astype(np.int64)]
        if np.unique(above).size <= classes:
            found = np.unique(above)
        else:
            found = mapclassify.FisherJenks(above, k=classes).bins
    return [float(each) for each in np.unique(found)]


def _with_steps(upper: list[float]) -> list[tuple[float, float]]:
    below = [0.0, *upper[:-1]]
    return [(high, high - low) for low, high in zip(below, upper, strict=True)]


def _readable(edge: float, step: float) -> float:
    """An edge with no more figures than tell it from its neighbours, and never below itself."""
    if step <= 0:
        return edge
    unit = 10.0 ** (np.floor(np.log10(step)) - 1)
    # Written as text and read back, so that 3 * 0.1 and the like stay readable.
    return float(f"{np.ceil(edge / unit - 1e-9) * unit:.12g}")


def classify(values: Floats, found: list[float]) -> np.ndarray:
    """Class of each value: -1 where NaN, 0 for zero, then 1 up to the number of classes, int16."""
    classes = np.searchsorted(np.asarray(found[:-1]), values, side="left").astype(np.int16)
    classes[np.isnan(values)] = -1
    return classes


def labels(found: list[float], *, whole: bool) -> list[str]:
    """Legend text of each class above zero.

    Parameters
    ----------
    whole
        Whether values are whole numbers: the classes are then told by their first and last.
    """
    texts = []
    for low, high in pairwise(found):
        if whole:
            first, last = int(np.floor(low)) + 1, int(np.floor(high))
            texts.append(number(first) if first == last else f"{number(first)} – {number(last)}")
        elif low == 0:
            texts.append(f"≤ {number(high)}")
        else:
            texts.append(f"{number(low)} – {number(high)}")
    return texts
