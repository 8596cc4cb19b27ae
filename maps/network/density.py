"""Density of events along streets, in events per km of street per 30 days.

The kernel is the equal-split discontinuous one of A. Okabe, T. Satoh and K. Sugihara, "A kernel
density estimation method for networks, its computational method and a GIS-based tool",
International Journal of Geographical Information Science 23(1), 2009, 7-32. Along a path of length
``d`` from the event that passes crossings of ``n_1, n_2, ... n_s`` arms the density is::

    K(d) / ((n_1 - 1) (n_2 - 1) ... (n_s - 1))

At each crossing it is split equally among the arms ahead. K is the quartic
``15 / (16 h) (1 - (d / h)^2)^2`` up to the bandwidth ``h``, or a Gaussian cut at three standard
deviations and scaled to a mass of 1. All paths count that nowhere turn back, not the shortest
alone: where the kernel is longer than a loop of streets this keeps its mass. An event exactly at a
crossing of ``n`` arms has ``2 K(d) / n`` in each, the mean of what it has just inside each arm.

At a dead end there is no arm ahead: what the kernel has beyond it is cut off, as in the paper, so
that the density near it is that of a longer street of which only this part is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS

from gis.errors import BadInput, Problem
from maps.heatmap import DAYS_PER_PERIOD
from maps.heatmap_checks import check_request
from maps.heatmap_frame import CELLS_PER_BANDWIDTH, MIN_CELL_M, placed
from maps.network.lixels import Lines, Network, network_of
from maps.network.streets import Floats, Ints, numbered

if TYPE_CHECKING:
    import geopandas as gpd

Kernel: TypeAlias = Literal["quartic", "gaussian"]

KERNELS: Final[tuple[Kernel, ...]] = ("quartic", "gaussian")
MAX_SNAP_M: Final = 50.0
"""An address lies farther than that from its street in few places; farther is on no street."""
MOST_DROPPED: Final = 0.05
"""Share of the events in branches too thin to follow above which a map would not be one of them."""
PROBES: Final = 32
"""Places, evenly among all, that are followed first to tell what would be dropped."""
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class NetworkDensity:
    """A density along streets, with everything its legend has to say.

    Attributes
    ----------
    lines
        Pieces of streets in `crs`, metres.
    length_m
        Shape (lixels,): of each.
    values
        Mean over each piece, events per km of street per 30 days.
    mass
        Events that fell to each piece, in the whole period: their sum is `n` less what was lost.
    lost
        Events' mass cut off at dead ends; `dropped` that of branches too thin to follow.
    bandwidth_m, kernel
        Reach of the quartic kernel, or standard deviation of the Gaussian.
    lixel_m, max_distance_m
        Longest piece; farthest an event may lie from its street.
    n, n_far, n_without_place
        Events on the streets; too far from any; without coordinates.
    n_empty
        Lines without length that were left out.
    start, end, timezone, title, category, place, source, category_en, place_en, made_on
        As of ``maps.heatmap.Heatmap``.
    """

    crs: CRS
    lines: Lines
    length_m: Floats
    values: Floats
    mass: Floats
    lost: float
    dropped: float
    bandwidth_m: float
    kernel: Kernel
    lixel_m: float
    max_distance_m: float
    n: int
    n_far: int
    n_without_place: int
    n_empty: int
    start: datetime
    end: datetime
    timezone: str
    title: str
    category: str
    place: str
    source: str
    category_en: str
    place_en: str
    made_on: datetime

    @property
    def maximum(self) -> float:
        """Highest value."""
        return float(self.values.max())


def along(
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    lines: gpd.GeoDataFrame | gpd.GeoSeries | Network,
    *,
    start: datetime,
    end: datetime,
    bandwidth_m: float = 300.0,
    kernel: Kernel = "quartic",
    lixel_m: float | None = None,
    max_distance_m: float | None = None,
    timezone: str = "Asia/Shanghai",
    title: str = "",
    category: str = "",
    place: str = "",
    source: str = "",
    category_en: str = "",
    place_en: str = "",
    made_on: datetime | None = None,
) -> NetworkDensity:
    """Make the density of events along streets. It shows single events: for the case team only.

    Parameters
    ----------
    lon, lat
        Events, WGS 84 degrees; NaN: without a place, counted.
    lines
        Streets, as for ``streets_of``; or joined and cut already, for many a density on them.
    start, end
        Aware; the end is exclusive.
    lixel_m
        Longest piece of street with one value; `usual_lixel_m` when left out. That of a network
        which is cut already holds.
    max_distance_m
        Events farther from every street are counted and left out; the bandwidth, at most 50 m.

    Raises
    ------
    BadInput
        What ``streets_of`` refuses, a bandwidth, length or period that is none, no event near a
        street, more than 2,000,000 pieces.
    """
    made = made_on or datetime.now(UTC)
    check_request(
        start=start, end=end, made_on=made, timezone=timezone, bandwidth_m=bandwidth_m,
        cell_m=lixel_m, per="km2", households=None,
    )  # fmt: skip
    lixel_m = usual_lixel_m(bandwidth_m) if lixel_m is None else lixel_m
    limit = min(bandwidth_m, MAX_SNAP_M) if max_distance_m is None else max_distance_m
    problems = []
    if kernel not in KERNELS:
        problems.append(Problem(f"kernel {kernel!r}", "quartic or gaussian", field="kernel"))
    if not (math.isfinite(limit) and limit > 0):
        problems.append(
            Problem(f"a distance of {limit:g} m", "Give a positive number", field="max_distance_m")
        )
    if problems:
        raise BadInput(problems)
    network = lines if isinstance(lines, Network) else network_of(lines, lixel_m)
    streets = network.streets
    events = placed(lon, lat, None)
    xy = np.column_stack(network.to_metres.transform(events.lons, events.lats)).reshape(-1, 2)
    if not len(xy):
        raise BadInput(
            Problem(
                "there is no event with a place in the period",
                "Give a longer period or other categories",
                field="start",
            )
        )
    edge, at, is_near = snapped(network, xy, limit)
    if not is_near.any():
        raise BadInput(
            Problem(
                f"none of {len(xy):,} events is within {limit:g} m of a street",
                "Give the streets of the same place, or check the coordinate system of both",
                field="along",
            )
        )
    mass, lost, dropped = _masses(network, (edge, at), bandwidth_m, kernel)
    days = (end - start).total_seconds() / _DAY_S
    return NetworkDensity(
        streets.crs,
        network.lines,
        network.length_m,
        mass / (network.length_m / 1000) * DAYS_PER_PERIOD / days,
        mass,
        lost,
        dropped,
        bandwidth_m,
        kernel,
        network.lixel_m,
        limit,
        int(is_near.sum()),
        int(is_near.size - is_near.sum()),
        events.n_without_place,
        streets.n_empty,
        start,
        end,
        timezone,
        title,
        category,
        place,
        source,
        category_en,
        place_en,
        made,
    )


def usual_lixel_m(bandwidth_m: float) -> float:
    """Longest piece when nothing was said, metres: a sixth of the bandwidth, at least 10 m."""
    return max(MIN_CELL_M, bandwidth_m / CELLS_PER_BANDWIDTH)


def snapped(
    network: Network, xy: Floats, max_distance_m: float
) -> tuple[Ints, Floats, npt.NDArray[np.bool_]]:
    """Return edge and metres along it of each event near enough, and which events those are.

    Of edges equally near the first is taken; order of events does not matter.
    """
    points = shapely.points(xy)
    of, edge = network.tree.query_nearest(points, max_distance=max_distance_m)
    order = np.lexsort((edge, of))
    of, kept = np.unique(of[order], return_index=True)
    edge = edge[order][kept].astype(np.int64)
    is_near = np.zeros(len(xy), dtype=np.bool_)
    is_near[of] = True
    return edge, shapely.line_locate_point(network.streets.edges[edge], points[of]), is_near


def _masses(
    network: Network,
    events: tuple[Ints, Floats],
    bandwidth_m: float,
    kernel: Kernel,
) -> tuple[Floats, float, float]:
    """Return each lixel's share of the events, and what was lost at dead ends and dropped."""
    from maps.network.kernels import spread  # noqa: PLC0415  (loads the compiler)

    streets, lixels = network.streets, network.lixels
    # Many events at one place are one of their weight; sorted, so that sums do not depend on order.
    places, which_place = numbered(np.column_stack([events[0].astype(np.float64), events[1]]))
    sums = np.bincount(which_place).astype(np.float64)

    def follow(which: slice) -> tuple[Floats, float, float]:
        mass = np.zeros(int(lixels.first[-1]))
        lost, dropped = spread(
            streets.ends, streets.length_m, network.halves, network.first_half,
            lixels.first, lixels.length_m,
            places[which, 0].astype(np.int64), np.ascontiguousarray(places[which, 1]),
            sums[which], bandwidth_m, KERNELS.index(kernel), mass,
        )  # fmt: skip
        return mass, lost, dropped

    # A kernel far wider than blocks walks tens of thousands of branches an event, for nothing.
    few = slice(None, None, -(-len(places) // PROBES))
    thin = follow(few)[2] / sums[few].sum()
    if thin > MOST_DROPPED:
        raise BadInput(
            Problem(
                f"a bandwidth of {bandwidth_m:,g} m ({kernel}) reaches over so many crossings that "
                f"{thin:.0%} of the incidents' spread would be left out",
                "Give a smaller one or the quartic kernel, whose reach is the bandwidth; a density "
                "of the area has none of this",
                field="bandwidth_m",
            )
        )
    return follow(slice(None))
