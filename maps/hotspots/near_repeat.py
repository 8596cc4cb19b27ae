"""Near repeats: whether one event makes another near it likelier soon after; repeat addresses."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import gammainc

from gis.errors import BadInput, Problem
from gis.wording import counted
from maps.hotspots.checks import Floats, Ints, numbers, refuse, simulations_problems
from maps.hotspots.local import seed_problems

MAX_PAIRS = 30_000_000
"""Pairs of events within the widest distance that are kept, 9 bytes each."""

_MAX_THREADS = 4


@dataclass(frozen=True, slots=True, eq=False)
class NearRepeats:
    """Pairs of events by distance and by days apart, beside what chance makes.

    Attributes
    ----------
    observed, expected, ratio
        Shape (distances, days): pairs seen; their mean when the times are dealt out anew among
        the same places; the one over the other, NaN where nothing is expected.
    p
        Same shape: share of deals, this one counted in, with as many pairs or more. One cell's p,
        not corrected for the number of cells.
    distances_m, days
        Upper ends of the bands; each ends with its value, and the first begins at 0.
    """

    observed: Ints
    expected: Floats
    ratio: Floats
    p: Floats
    distances_m: Floats
    days: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RepeatAddresses:
    """Addresses that come up again and again, those with most events first.

    Attributes
    ----------
    addresses
        As they were given.
    events, first_day, last_day, median_gap_days
        Same length: number of events, first and last of them, median days between two.
    share_of_events, share_of_addresses
        Part of all events that happened at these addresses; part of all addresses that had any
        event that these are.
    expected
        Addresses that would have as many events by chance, if events fell evenly on all known
        addresses; None if their number was not given.
    """

    addresses: tuple[Hashable, ...]
    events: Ints
    first_day: Floats
    last_day: Floats
    median_gap_days: Floats
    share_of_events: float
    share_of_addresses: float
    expected: float | None


def knox(
    xy_m: npt.ArrayLike,
    days: npt.ArrayLike,
    *,
    distances_m: npt.ArrayLike = (0, 100, 200, 400),
    day_bands: npt.ArrayLike = (7, 14, 28, 56),
    simulations: int = 999,
    seed: int = 0,
) -> NearRepeats:
    """Knox's table of pairs that are near in space and in time (Knox 1964), by Monte Carlo.

    Times are permuted among the places, which keeps what places and seasons are like and breaks
    only the tie between the two.

    Parameters
    ----------
    xy_m
        Shape (n, 2): events, easting and northing in metres.
    days
        Shape (n,): when, in days from any origin.
    distances_m
        Upper ends of the bands of distance, ascending; a first one of 0 means "the same place".
        A pair belongs to the first band whose end it does not exceed.
    day_bands
        The same of the days between two events.
    simulations, seed
        Permutations, 19 to 99,999, and what starts them; the same on any number of cores.

    Returns
    -------
    NearRepeats
        With no event or one there are no pairs: nothing is observed, nothing expected, p is 1.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once; or more pairs than fit in memory, as
        when all events lie on one point.
    """
    from maps.hotspots.kernels import count_close  # noqa: PLC0415

    times, problems = numbers(days, "days", negative=True)
    places, more = numbers(xy_m, "xy_m", (times.size, 2), negative=True)
    problems += more
    widths, more = _bands(distances_m, "distances_m")
    problems += more
    spans, more = _bands(day_bands, "day_bands")
    refuse(problems + more + simulations_problems(simulations) + seed_problems(seed))

    shape = (widths.size, spans.size)
    observed = np.zeros(shape, dtype=np.int64)
    if times.size < 2:
        nothing = np.zeros(shape)
        return NearRepeats(observed, nothing, np.full(shape, np.nan), np.ones(shape), widths, spans)
    tree = cKDTree(places)
    reach = float(widths[-1])
    number = (int(tree.count_neighbors(tree, reach)) - times.size) // 2
    if number > MAX_PAIRS:
        raise BadInput(
            Problem(
                f"{number:,} pairs of events lie within {reach:g} m",
                f"At most {MAX_PAIRS:,} are taken: give smaller distances or a shorter period.",
                field="distances_m",
            )
        )
    pairs = tree.query_pairs(reach, output_type="ndarray").astype(np.int32)
    first, second = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    apart = np.hypot(*(places[first] - places[second]).T)
    band = np.minimum(np.searchsorted(widths, apart), widths.size - 1).astype(np.int8)
    as_they_are = np.arange(times.size, dtype=np.int32)
    count_close(first, second, band, times, as_they_are, spans, observed)

    def dealt(number: int) -> Ints:
        order = np.random.default_rng([seed, number]).permutation(as_they_are)
        table = np.zeros(shape, dtype=np.int64)
        count_close(first, second, band, times, order, spans, table)
        return table

    summed, reached = np.zeros(shape), np.zeros(shape)
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        for table in pool.map(dealt, range(simulations)):
            summed += table
            reached += table >= observed
    expected = summed / simulations
    ratio = np.divide(observed, expected, out=np.full(shape, np.nan), where=expected > 0)
    return NearRepeats(observed, expected, ratio, (1 + reached) / (1 + simulations), widths, spans)


def repeat_addresses(
    addresses: Sequence[Hashable],
    days: npt.ArrayLike,
    *,
    least: int = 3,
    known: int | None = None,
) -> RepeatAddresses:
    """Addresses with `least` events or more.

    Parameters
    ----------
    addresses
        One per event: text, number or any other key; None where it is not known.
    days
        Shape (n,): when, in days from any origin.
    least
        2 or more.
    known
        Number of all addresses of the area, for comparison with chance.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once.
    """
    times, problems = numbers(days, "days", (len(addresses),), negative=True)
    if least < 2:
        problems.append(Problem(counted(least, "event"), "Give 2 or more.", field="least"))
    at: dict[Hashable, list[float]] = {}
    for address, day in zip(addresses, times.tolist(), strict=True) if not problems else ():
        if address is not None:
            at.setdefault(address, []).append(day)
    if known is not None and known < max(len(at), 1):
        problems.append(
            Problem(
                f"{known} addresses are known, but {len(at)} have events",
                "Give the number of all addresses.",
                field="known",
            )
        )
    refuse(problems)
    repeated = sorted(
        ((address, sorted(seen)) for address, seen in at.items() if len(seen) >= least),
        key=lambda each: (-len(each[1]), -each[1][-1], str(each[0])),
    )
    total = sum(len(seen) for seen in at.values())
    events = np.array([len(seen) for _, seen in repeated], dtype=np.int64)
    return RepeatAddresses(
        addresses=tuple(address for address, _ in repeated),
        events=events,
        first_day=np.array([seen[0] for _, seen in repeated]),
        last_day=np.array([seen[-1] for _, seen in repeated]),
        median_gap_days=np.array([np.median(np.diff(seen)) for _, seen in repeated]),
        share_of_events=int(events.sum()) / total if total else 0.0,
        share_of_addresses=len(repeated) / len(at) if at else 0.0,
        expected=None if known is None else known * float(gammainc(least, total / known)),
    )


def _bands(values: npt.ArrayLike, field: str) -> tuple[Floats, list[Problem]]:
    ends, problems = numbers(values, field)
    if not problems and (not 1 <= ends.size <= 100 or (np.diff(ends) <= 0).any()):
        problems.append(
            Problem("not 1 to 100 ascending values", "Give the bands' upper ends.", field=field)
        )
    return ends, problems
