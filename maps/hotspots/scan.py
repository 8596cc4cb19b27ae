"""Kulldorff's scan: the circle, or circle and weeks, where events are least like chance.

Every circle around a grid's middle, up to a share of the households, is a window; with weeks, every
run of weeks of every circle. The likeliest window of the map is judged by the likeliest windows of
simulated maps of even risk, so that the search itself is paid for.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gis.errors import BadInput, Problem
from maps.hotspots.checks import (
    Floats,
    Ints,
    Mask,
    Rows,
    fraction,
    numbers,
    refuse,
    simulations_problems,
)
from maps.hotspots.local import seed_problems

MAX_CIRCLES = 60_000_000
"""Circles kept in memory, 5 bytes each: all of 10,000 grids up to half of the households."""

_MAX_THREADS = 4
_SAME = 1e-6  # Squares of distances that differ by less, relatively, are one distance.


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """A window with more events than chance explains.

    Attributes
    ----------
    rows
        Rows of its grids, nearest to the centre first.
    centre, radius_m
        Row of the grid it is centred on; distance to the farthest middle in it, 0 for one grid.
    first_week, last_week
        Columns of the counts, both included; 0 and 0 without weeks.
    observed, expected
        Events in it, and those to be expected at even risk.
    relative_risk
        Rate in it over the rate elsewhere; infinite if nothing happened elsewhere.
    log_ratio
        Kulldorff's log likelihood ratio.
    p
        Share of maps of even risk, this one counted in, whose likeliest window is as extreme.
    """

    rows: Ints
    centre: int
    radius_m: float
    first_week: int
    last_week: int
    observed: int
    expected: float
    relative_risk: float
    log_ratio: float
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What a scan found.

    Attributes
    ----------
    clusters
        The likeliest first; further ones share no grid with those before them. Their p is
        conservative: they are measured by the likeliest windows of the simulated maps.
    simulated
        Shape (simulations,): the largest log ratio of each simulated map, ascending.
    left_out
        Events in grids of unknown or no exposure, which belong to no window.
    """

    clusters: tuple[Cluster, ...]
    simulated: Floats
    left_out: int


class _Circles(NamedTuple):
    order: Rows  # Grids by distance, centre after centre.
    closes: Mask  # Whether the next grid is farther away, so that a circle ends here.
    starts: Ints


def scan(
    xy_m: npt.ArrayLike,
    counts: npt.ArrayLike,
    *,
    exposure: npt.ArrayLike | None = None,
    max_share: float = 0.5,
    max_weeks: int | None = None,
    ending: Literal["any", "last"] = "any",
    most: int = 10,
    simulations: int = 999,
    seed: int = 0,
) -> Scan:
    """Find the windows with more events than their share of the exposure (Kulldorff 1997, 2001).

    Parameters
    ----------
    xy_m
        Shape (n, 2): middles of the grids, easting and northing in metres.
    counts
        Whole numbers of events, shape (n,); or (n, weeks) for a scan in space and time.
    exposure
        Households or the like, shape (n,), or that of `counts` where it changes by week. Left
        out: every grid, and every week, the same. Unknown (NaN) or 0: the grid is left out, with
        its events.
    max_share
        Largest circle as a share of the whole exposure, above 0, at most 0.5 (beyond that the
        rest of the map is the anomaly).
    max_weeks
        Longest run of weeks; half of them when left out, but at least one.
    ending
        ``"any"`` run of weeks, or only those up to the ``"last"``: what is going on now.
    most
        Clusters given back at most. Those that more than half of the simulated maps surpass are
        not worth giving back and are not.
    simulations, seed
        Simulated maps, 19 to 99,999, and what starts them; the same on any number of cores.

    Returns
    -------
    Scan
        Without events, or with fewer than two grids that have exposure, it has no clusters.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once; or more circles than fit in memory.
    """
    places, cases, homes = _checked(
        xy_m,
        counts,
        exposure,
        max_share=max_share,
        max_weeks=max_weeks,
        ending=ending,
        most=most,
        simulations=simulations,
        seed=seed,
    )
    known = (np.isfinite(homes) & (homes > 0)).all(axis=1)
    left_out = int(cases[~known].sum())
    rows = np.flatnonzero(known)
    places, cases, homes = places[known], cases[known], homes[known]
    total = float(cases.sum())
    if total == 0 or len(rows) < 2:
        return Scan((), np.zeros(0), left_out)
    expected = homes * (total / homes.sum())
    weeks = cases.shape[1]
    longest = max(1, weeks // 2) if max_weeks is None else max_weeks
    runs = [
        (first, last)
        for last in range(weeks if ending == "last" else 1, weeks + 1)
        for first in range(max(0, last - longest), last)
    ]
    circles = _circles(places, homes.sum(axis=1), max_share)
    maxima = _simulated(
        circles, expected, total=total, runs=runs, simulations=simulations, seed=seed
    )
    clusters = _clusters(
        circles, places, cases, expected, runs=runs, maxima=maxima, most=most, rows=rows
    )
    return Scan(clusters, maxima, left_out)


def _circles(places: Floats, homes: Floats, max_share: float) -> _Circles:
    n = len(places)
    limit = max_share * homes.sum() * (1 + 1e-12)
    orders, closings, sizes, kept = [], [], np.zeros(n, dtype=np.int64), 0
    rows = np.arange(n, dtype=np.uint64)
    for first in range(0, n, 256):
        part = places[first : first + 256]
        apart = ((part[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
        apart[np.arange(len(part)), np.arange(first, first + len(part))] = -1.0
        # A grid's own middle comes first; then distance and row in one key, which sorts fast.
        near = (apart + 1.0).astype(np.float32)
        keys = np.sort((near.view(np.uint32).astype(np.uint64) << np.uint64(32)) | rows, axis=1)
        order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)
        apart = np.take_along_axis(apart, order.astype(np.int64), axis=1)
        closes = np.ones(order.shape, dtype=np.bool_)
        closes[:, :-1] = apart[:, 1:] > apart[:, :-1] * (1 + _SAME) + _SAME
        size = (np.cumsum(homes[order], axis=1) <= limit).sum(axis=1)
        sizes[first : first + len(part)] = size
        kept += int(size.sum())
        if kept > MAX_CIRCLES:
            raise BadInput(
                Problem(
                    f"more than {MAX_CIRCLES:,} circles for {n:,} grids",
                    f"Give a smaller share than {max_share:g}, or scan a part of the area.",
                    field="max_share",
                )
            )
        inside = np.arange(n) < size[:, None]
        orders.append(order[inside])
        closings.append(closes[inside])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return _Circles(np.concatenate(orders), np.concatenate(closings), starts)


def _simulated(
    circles: _Circles,
    expected: Floats,
    *,
    total: float,
    runs: list[tuple[int, int]],
    simulations: int,
    seed: int,
) -> Floats:
    """Largest log ratio of each simulated map: as many events, dealt out by expectation."""
    from maps.hotspots.scan_kernels import (  # noqa: PLC0415
        MAX_NARROW,
        MAX_WINDOW,
        WORDS,
        simulated_maxima,
    )

    n, weeks = expected.shape
    chances = (expected / expected.sum()).ravel()
    spans = [expected[:, first:last].sum(axis=1) for first, last in runs]
    highest = max(
        float(np.add.reduceat(np.append(span[circles.order], 0.0), circles.starts[:-1]).max())
        if circles.order.size
        else 1.0
        for span in spans
    )

    # By chance hardly any window has so many more than it is expected to; if one does, it is told.
    wide = total > MAX_NARROW or highest + 10 * np.sqrt(highest) > MAX_WINDOW
    lanes = WORDS * 64 // (32 if wide else 16)

    def batch(number: int) -> Floats:
        used = min(lanes, simulations - number * lanes)
        generator = np.random.default_rng([seed, number])
        drawn = generator.multinomial(int(total), chances, size=used).reshape(used, n, weeks)
        found = largest(drawn, 32 if wide else 16)
        if found is None:
            half = lanes // 2
            found = [
                each
                for part in (drawn[:half], drawn[half:])
                if len(part)
                for each in largest(part, 32) or ()
            ]
        return np.array(found)

    def largest(drawn: Ints, bits: int) -> list[float] | None:
        """Of each map that was drawn, at most as many as go together; None: too many events."""
        used, packed = len(drawn), WORDS * 64 // bits
        dealt = np.zeros((weeks + 1, n, packed), dtype=np.uint32 if bits == 32 else np.uint16)
        dealt[1:, :, :used] = np.cumsum(drawn, axis=2).transpose(2, 1, 0)
        best = np.full(packed, np.inf)
        best[:used] = 0.0
        for (first, last), span in zip(runs, spans, strict=True):
            cases = (dealt[last] - dealt[first]).view(np.uint64)
            if not simulated_maxima(*circles, cases, bits, span, total, highest, best):
                return None
        return best[:used].tolist()

    batches = range(-(-simulations // lanes))
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        return np.sort(np.concatenate(list(pool.map(batch, batches))))


def _clusters(
    circles: _Circles,
    places: Floats,
    cases: Floats,
    expected: Floats,
    *,
    runs: list[tuple[int, int]],
    maxima: Floats,
    most: int,
    rows: Ints,
) -> tuple[Cluster, ...]:
    from maps.hotspots.scan_kernels import best_window  # noqa: PLC0415

    total = float(cases.sum())
    taken = np.zeros(len(rows), dtype=np.bool_)
    found: list[Cluster] = []
    while len(found) < most:
        best, place = 1e-9, (0, 0, 0, 0)
        for first, last in runs:
            ratio, centre, size = best_window(
                *circles,
                cases[:, first:last].sum(axis=1),
                expected[:, first:last].sum(axis=1),
                total,
                taken,
                best,
            )
            if size:
                best, place = ratio, (centre, size, first, last)
        centre, size, first, last = place
        p = (1 + len(maxima) - int(np.searchsorted(maxima, best - 1e-9))) / (1 + len(maxima))
        if not size or (found and p > 0.5):
            break
        start = circles.starts[centre]
        members = circles.order[start : start + size].astype(np.int64)
        taken[members] = True
        observed = float(cases[members, first:last].sum())
        mean = float(expected[members, first:last].sum())
        elsewhere = (total - observed) / (total - mean)
        found.append(
            Cluster(
                rows=rows[members],
                centre=int(rows[centre]),
                radius_m=float(np.hypot(*(places[members] - places[centre]).T).max()),
                first_week=first,
                last_week=last - 1,
                observed=int(observed),
                expected=mean,
                relative_risk=observed / mean / elsewhere if elsewhere > 0 else np.inf,
                log_ratio=best,
                p=p,
            )
        )
    return tuple(found)


def _checked(
    xy_m: npt.ArrayLike,
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike | None,
    *,
    max_share: float,
    max_weeks: int | None,
    ending: str,
    most: int,
    simulations: int,
    seed: int,
) -> tuple[Floats, Floats, Floats]:
    """Places (n, 2), counts and exposure (n, weeks); BadInput with all that is wrong."""
    shape = np.shape(counts)
    if len(shape) not in {1, 2}:
        raise BadInput(
            Problem(
                f"the shape is {shape}",
                "Give one row per grid, and a column per week for a scan in space and time.",
                field="counts",
            )
        )
    cases, problems = numbers(counts, "counts", shape, whole=True)
    places, more = numbers(xy_m, "xy_m", (shape[0], 2), negative=True)
    problems += more
    weeks = shape[1] if len(shape) == 2 else 1
    cases = cases.reshape(shape[0], weeks)
    if exposure is None:
        homes = np.ones(cases.shape)
    else:
        given = np.shape(exposure)
        homes, more = numbers(
            exposure, "exposure", given if given == shape else (shape[0],), unknown=True
        )
        problems += more
        homes = np.broadcast_to(homes.reshape(shape[0], -1), cases.shape)
    problems += fraction(max_share, "max_share", 0.5)
    problems += simulations_problems(simulations) + seed_problems(seed)
    if weeks < 1:
        problems.append(Problem("no weeks", "Give one column or more.", field="counts"))
    if max_weeks is not None and not 1 <= max_weeks <= max(weeks, 1):
        problems.append(
            Problem(f"runs of {max_weeks} weeks", f"Give 1 to {max(weeks, 1)}.", field="max_weeks")
        )
    if ending not in {"any", "last"}:
        problems.append(Problem(f"{ending!r}", "Give any or last.", field="ending"))
    if most < 1:
        problems.append(Problem(f"{most} clusters", "Give 1 or more.", field="most"))
    refuse(problems)
    return places, cases, homes
