"""The grid map: incidents by grid, as counts or rates with their doubt, in classes.

Three kinds of grids have no colour, and none of them is zero: those whose count is hidden because
the map leaves the case team, those whose households are not known (a rate has no denominator), and
those outside the caller's area, which are not there. ``maps.gridmaps.sheet`` and ``page`` draw it,
``table`` writes it, ``words`` says what it is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import BadInput, Problem
from maps import sharing
from maps.disclosure import K, cover
from maps.gridmaps import rates
from maps.gridmaps.classes import USUAL, Scheme, classify, edges, labels
from maps.heatmap import DAYS_PER_PERIOD
from maps.hotspots.checks import Floats, Mask
from maps.hotspots.neighbours import neighbours_of
from maps.palettes import Rgb, ramp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maps.hotspots.neighbours import Neighbours

Measure: TypeAlias = Literal["count", "rate", "smoothed", "local"]

MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
SMOOTHED: Final = frozenset({"smoothed", "local"})
ZERO: Final[Rgb] = (251, 250, 246)
"""Colour of a grid where nothing happened."""
PER_HOUSEHOLDS: Final = 1000
ALIKE: Final = 1.1
"""Highest over lowest smoothed rate up to which a map has one class: quantiles would paint rates
that chance alone tells apart from the lightest to the darkest colour."""
_DAY_S: Final = 86_400
_LEVELS: Final = (12, 9, 6)
WHOLE: Final = "*"
"""Stands for everything together; no code is like it."""


@dataclass(frozen=True, slots=True, eq=False)
class Grids:
    """The grids of a map, row by row.

    Attributes
    ----------
    codes, names
        Distinct codes, and names that may be empty.
    units
        Code of the unit that each is a part of; '' where that is not known.
    shapes
        Polygons in WGS 84 (lon, lat).
    households
        Shape (n,); NaN where not known.
    """

    codes: Sequence[str]
    names: Sequence[str]
    units: Sequence[str]
    shapes: npt.NDArray[np.object_]
    households: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a map is of: printed as it is, in both languages."""

    start: datetime
    end: datetime
    timezone: str
    asked: tuple[datetime | None, datetime | None] | None = None
    """The period that was asked for, where a shared map has another."""
    title: str = ""
    category: str = ""
    category_en: str = ""
    place: str = ""
    place_en: str = ""
    source: str = ""
    made_on: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GridMap:
    """Counts and rates by grid. Nothing that is hidden is in it.

    Attributes
    ----------
    grids
        Rows of all that follows.
    measure
        What the colours show: ``count``; ``rate`` (per 1,000 households per 30 days); ``smoothed``
        and ``local``, the same shrunk towards all grids and towards the neighbours.
    counts
        Shape (n,): incidents; NaN where hidden.
    values, low, high
        Shape (n,): of the measure, with its 95 % interval; NaN where hidden or unknown.
    hidden, unknown
        Shape (n,): where a count is hidden; where there is no rate, for no household is known.
    edges
        Of the classes above zero, as from ``classes.edges``.
    n
        Incidents on the map: all of them, or on a shared map those of the grids that are shown.
    n_outside, n_without_place, n_carried
        Incidents in no grid, without a place, and counted by their point because they were given a
        grid of another edition. On a shared map None if there are few, and rounded down.
    n_alone
        Of ``local``: grids that kept their own rate, for no neighbour of theirs has one.
    shared
        Whether it leaves the case team.
    """

    grids: Grids
    measure: Measure
    scheme: Scheme
    counts: Floats
    values: Floats
    low: Floats
    high: Floats
    hidden: Mask
    unknown: Mask
    edges: list[float]
    n: int
    n_outside: int | None
    n_without_place: int | None
    n_carried: int | None
    n_alone: int
    shared: bool
    about: About
    made_on: datetime

    @property
    def days(self) -> float:
        """Length of the period in days."""
        return (self.about.end - self.about.start).total_seconds() / _DAY_S

    @property
    def is_even(self) -> bool:
        """Whether smoothing has left nothing of the differences between the grids."""
        return self.measure in SMOOTHED and _is_even(self.values)

    @property
    def classes(self) -> npt.NDArray[np.int16]:
        """Class of each grid: -1 without a value, 0 for zero, then 1 to the number of classes."""
        found: npt.NDArray[np.int16] = classify(self.values, self.edges)
        return found

    @property
    def colours(self) -> list[Rgb]:
        """Colour of each class from 0 on."""
        return [ZERO, *(ramp(len(self.edges) - 1) if self.edges else [])]

    @property
    def labels(self) -> list[str]:
        """Legend text of each class from 0 on."""
        above = labels(self.edges, whole=self.measure == "count") if self.edges else []
        return ["0", *above]

    @property
    def legend(self) -> list[tuple[Rgb, str]]:
        """Colour and text of the classes that there are, the lowest first."""
        found = list(zip(self.colours, self.labels, strict=True))
        return found if (self.classes == 0).any() else found[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Incidents as they were counted.

    Attributes
    ----------
    by_grid
        Count by code of the grid and by category.
    units
        Code of the unit of each grid, where it is known.
    """

    by_grid: Mapping[tuple[str, str], int]
    units: Mapping[str, str] = field(default_factory=dict)
    outside: int = 0
    without_place: int = 0
    carried: int = 0


def build(
    grids: Grids,
    found: Found,
    *,
    about: About,
    category: Sequence[str] = (),
    gone: frozenset[str] | None = None,
    measure: Measure = "smoothed",
    scheme: Scheme = "quantiles",
    classes: int = USUAL,
) -> GridMap:
    """Make the grid map.

    Parameters
    ----------
    category
        Codes that are counted; all when empty.
    gone
        What a shared map hides, from ``hidden_of``; None for the case team. A shared map's rates
        are shrunk towards those of its shown grids: the mean of all would tell their total.

    Raises
    ------
    BadInput
        No grids, an unknown measure, scheme or number of classes, a period without length.
    """
    _check(grids, measure, about)
    index = {code: row for row, code in enumerate(grids.codes)}
    counts = np.zeros(len(grids.codes))
    for (code, kind), number in found.by_grid.items():
        if code in index and (not category or kind in category):
            counts[index[code]] += number
    hidden = np.zeros(counts.size, dtype=np.bool_)
    if gone is not None:
        for code, row in index.items():
            # One hidden category hides the sum of several: what is shown is a sum of shown ones.
            hidden[row] = not gone.isdisjoint([code, *(cell(code, each) for each in category)])
        counts[hidden] = np.nan
    days = (about.end - about.start).total_seconds() / _DAY_S
    exposure = grids.households / PER_HOUSEHOLDS * (days / DAYS_PER_PERIOD)
    unknown = ~hidden & ~(exposure > 0) if measure != "count" else np.zeros_like(hidden)
    around = neighbours_of(grids.shapes) if measure == "local" else None
    values, low, high = _measured(measure, counts, exposure, around)
    known = np.isfinite(values)
    alone = 0 if around is None else int((known & (around.windows(1.0 * known) <= 1)).sum())
    small = gone is not None
    found_edges = edges(values, scheme, classes)
    if measure in SMOOTHED and _is_even(values):
        found_edges = edges(np.array([np.nanmax(values)]), scheme, classes)
    return GridMap(
        grids=grids,
        measure=measure,
        scheme=scheme,
        counts=counts,
        values=values,
        low=low,
        high=high,
        hidden=hidden,
        unknown=unknown,
        edges=found_edges,
        n=int(np.nansum(counts)),
        n_outside=_told(found.outside, hide=small),
        n_without_place=_told(found.without_place, hide=small),
        n_carried=_told(found.carried, hide=small),
        n_alone=alone,
        shared=gone is not None,
        about=about,
        made_on=about.made_on or datetime.now(UTC),
    )


def _is_even(values: Floats) -> bool:
    shown = values[np.isfinite(values)]
    return shown.size > 1 and 0 < shown.max() <= ALIKE * shown.min()


def _told(number: int, *, hide: bool) -> int | None:
    if hide and 0 < number < K:
        return None
    return sharing.rounded(number) if hide else number


def _measured(
    measure: Measure, counts: Floats, exposure: Floats, around: Neighbours | None
) -> tuple[Floats, Floats, Floats]:
    if measure == "count":
        low, high = rates.exact_interval(counts, np.ones(counts.size))
        return counts, low, high
    if measure == "rate":
        low, high = rates.exact_interval(counts, exposure)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(exposure > 0, counts / exposure, np.nan), low, high
    if around is None:
        shrunk = rates.shrunk_to_all(counts, exposure)
    else:
        shrunk = rates.shrunk_to_neighbours(counts, exposure, around)
    return shrunk.rates, shrunk.low, shrunk.high


def hidden_of(found: Found) -> frozenset[str]:
    """What shared maps of a quarter hide: grids, units, and categories within grids.

    One answer for every map and table of the quarter: the counts of a grid's categories, of the
    grid, and of the units above it form one tree. A category is hidden wherever its grid is, for
    zeros beside hidden categories of a hidden grid would tell how many there are.

    Parameters
    ----------
    found
        Counts of whole counties, whatever part of them is mapped.

    Returns
    -------
    codes of grids and units, and of ``cell`` for a category within a grid.
    """
    counts, parents = tree(found)
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for part, whole in sorted(parents.items()):
        parts[whole].append(part)
    gone = {code for code, number in counts.items() if 0 < number < K}
    cover(counts, parts, gone, K)
    return frozenset(gone)


def tree(found: Found) -> tuple[dict[str, int], dict[str, str]]:
    """Counts of everything above zero, and what each is a part of, up to `WHOLE`."""
    counts: defaultdict[str, int] = defaultdict(int)
    parents: dict[str, str] = {}
    for (code, category), number in found.by_grid.items():
        if number:
            chain = [cell(code, category), code, *_above(found.units.get(code, "")), WHOLE]
            for each in chain:
                counts[each] += number
            parents |= pairwise(chain)
    return dict(counts), parents


def _above(unit: str) -> list[str]:
    """The unit and those above it, the lowest first."""
    if not unit.isdecimal():
        return [unit] if unit else []
    return [unit[:length] for length in _LEVELS if length <= len(unit)]


def cell(code: str, category: str) -> str:
    """Code of a category within a grid."""
    return f"{code}/{category}"


def _check(grids: Grids, measure: str, about: About) -> None:
    problems = []
    if measure not in MEASURES:
        problems.append(
            Problem(f"'{measure}' is no measure", f"One of: {', '.join(MEASURES)}", field="measure")
        )
    if not len(grids.codes):
        problems.append(
            Problem("there are no grids to map", "Publish an edition, or give a file of grids")
        )
    if about.end <= about.start:
        problems.append(Problem("the period has no length", "The end is exclusive.", field="end"))
    repeated = len(grids.codes) - len(set(grids.codes))
    if repeated:
        problems.append(
            Problem(f"{repeated} codes are there twice", "Give each grid its own", field="code")
        )
    if problems:
        raise BadInput(problems)


def count_points(grids: Grids, lon: Floats, lat: Floats, kinds: Sequence[Any]) -> Found:
    """Count points by grid; on a shared border they belong to the grid of the lowest code.

    Parameters
    ----------
    lon, lat
        WGS 84 degrees; NaN: without a place.
    kinds
        Category of each.
    """
    from gis.locator import Locator  # noqa: PLC0415  (the compiler is slow to load)

    placed = np.isfinite(lon) & np.isfinite(lat)
    rows = Locator.build(grids.shapes, list(grids.codes)).locate(lon[placed], lat[placed])
    by_grid: defaultdict[tuple[str, str], int] = defaultdict(int)
    named = np.asarray(kinds, dtype=object)[placed]
    for row, kind in zip(rows.tolist(), named, strict=True):
        if row >= 0:
            by_grid[grids.codes[row], str(kind)] += 1
    return Found(
        by_grid=by_grid,
        units=dict(zip(grids.codes, grids.units, strict=True)),
        outside=int((rows < 0).sum()),
        without_place=int(placed.size - placed.sum()),
    )


def bounds(grids: Grids) -> tuple[float, float, float, float]:
    """West, south, east, north of all grids in degrees."""
    west, south, east, north = shapely.total_bounds(grids.shapes)
    return float(west), float(south), float(east), float(north)
