"""What each way of looking for hot spots finds on the incidents of a period, grid by grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from scipy.special import ndtr

from gis.errors import BadInput, Problem
from gis.wording import counted
from maps.hotspots.checks import Floats, Ints, fraction, refuse
from maps.hotspots.discovery import adjusted, hot_grids
from maps.hotspots.emerging import MIN_BLOCKS, emerging
from maps.hotspots.local import gi_star, local_moran
from maps.hotspots.near_repeat import NearRepeats, RepeatAddresses, knox, repeat_addresses
from maps.hotspots.scan import Cluster, scan
from maps.hotspots.study import MAX_WEEKS, Study
from maps.hotspots.texts import Said

WEEKS_PER_BLOCK: Final = 4
MANY_GRIDS: Final = 200
"""From more on, a scan of weeks takes smaller circles, so as to be done in seconds."""
TO_METRE: Final = 5
"""Decimals of a degree up to which two points are one place: 1.1 m."""


class Way(StrEnum):
    """Ways of looking."""

    HOT_GRIDS = "hot_grids"
    GI_STAR = "gi_star"
    LOCAL_MORAN = "local_moran"
    SCAN = "scan"
    EMERGING = "emerging"
    NEAR_REPEAT = "near_repeat"
    REPEAT_ADDRESSES = "repeat_addresses"


NO_GRIDS: Final = frozenset({Way.NEAR_REPEAT, Way.REPEAT_ADDRESSES})
"""Ways whose answer is not one of grids."""


class Class(StrEnum):
    """What a grid is found to be."""

    HOT = "hot"
    COLD = "cold"
    HIGH_HIGH = "high_high"
    LOW_HIGH = "low_high"
    LOW_LOW = "low_low"
    HIGH_LOW = "high_low"
    CLUSTER = "cluster"
    EMERGING = "emerging"
    PERSISTING = "persisting"
    FADING = "fading"
    SPORADIC = "sporadic"
    NONE = "none"
    UNTESTED = "untested"


_MORAN: Final = (Class.NONE, Class.HIGH_HIGH, Class.LOW_HIGH, Class.LOW_LOW, Class.HIGH_LOW)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was found.

    Attributes
    ----------
    way, study, level
        How, on what, and the highest share of quiet maps on which anything may be called found.
    counts, classes
        Incidents and class of each grid, in the order of the ground's.
    statistic, p, q, observed, expected
        Shape (n,), or None where the way has none: the way's own statistic; the
        chance of as much by chance; the same corrected for the number of grids; incidents of the
        window (grid and neighbours) and those to be expected in it.
    total
        Incidents in all grids.
    clusters, pairs, places
        Of the scan, the near-repeat table and the repeat addresses; their addresses are pairs of
        longitude and latitude.
    notes
        What a reader has to know, those of the study included.
    is_weekly
        Whether the scan looked at weeks.
    """

    way: Way
    study: Study
    level: float
    counts: Ints
    classes: tuple[Class, ...]
    total: int
    notes: tuple[Said, ...]
    statistic: Floats | None = None
    p: Floats | None = None
    q: Floats | None = None
    observed: Floats | None = None
    expected: Floats | None = None
    clusters: tuple[Cluster, ...] = ()
    pairs: NearRepeats | None = None
    places: RepeatAddresses | None = None
    is_weekly: bool = False


def find(study: Study, way: Way, *, level: float = 0.05, weekly: bool = False) -> Findings:
    """Look at the incidents of a study in one of the ways.

    Parameters
    ----------
    level
        Of the tests, above 0, at most 0.5.
    weekly
        Whether the scan looks for what is going on now: circles and runs of weeks up to the last;
        over many grids, circles up to a tenth of the households.

    Raises
    ------
    BadInput
        The level is out of range; the period is shorter than `emerging` needs; there are more
        circles or pairs than fit in memory.
    """
    refuse(fraction(level, "level", 0.5))
    n = study.ground.n
    blank = Findings(
        way=way,
        study=study,
        level=level,
        counts=study.counts,
        classes=(Class.NONE,) * n,
        total=int(study.counts.sum()),
        notes=study.notes,
    )
    by_week = way is Way.EMERGING or (way is Way.SCAN and weekly)
    if by_week and study.weeks > MAX_WEEKS:
        raise BadInput(
            Problem(
                f"the period has {study.weeks} weeks",
                f"At most {MAX_WEEKS} are compared",
                field="start",
            )
        )
    if way is Way.SCAN:
        return _scan(blank, weekly=weekly)
    return _WAYS[way](blank)


def _hot_grids(blank: Findings) -> Findings:
    on = blank.study.ground
    found = hot_grids(blank.counts, on.neighbours, exposure=on.exposure, level=blank.level)
    return replace(
        blank,
        classes=tuple(
            Class.HOT if hot else Class.NONE if tested else Class.UNTESTED
            for hot, tested in zip(found.hot, found.tested, strict=True)
        ),
        statistic=found.ratio,
        p=found.p,
        q=found.q,
        observed=found.observed,
        expected=found.expected,
        notes=(*blank.notes, *_left_out(found.left_out)),
    )


def _gi_star(blank: Findings) -> Findings:
    on = blank.study.ground
    found = gi_star(blank.counts, on.neighbours)
    q = adjusted(found.p)
    return replace(
        blank,
        classes=tuple(
            Class.NONE if each > blank.level else Class.HOT if z > 0 else Class.COLD
            for each, z in zip(q, found.z, strict=True)
        ),
        statistic=found.z,
        p=found.p,
        q=q,
        observed=on.neighbours.windows(blank.counts.astype(np.float64)),
        expected=found.window * blank.counts.mean(),
        notes=(*blank.notes, _NORMAL),
    )


def _local_moran(blank: Findings) -> Findings:
    on = blank.study.ground
    found = local_moran(blank.counts, on.neighbours)
    q = adjusted(found.p)
    return replace(
        blank,
        classes=tuple(
            _MORAN[kind] if each <= blank.level else Class.NONE
            for each, kind in zip(q, found.kind.tolist(), strict=True)
        ),
        statistic=found.i,
        p=found.p,
        q=q,
        notes=(*blank.notes, _NORMAL),
    )


def _scan(blank: Findings, *, weekly: bool) -> Findings:
    on, study = blank.study.ground, blank.study
    try:
        found = scan(
            on.middles_m,
            study.weekly() if weekly else blank.counts,
            exposure=on.exposure,
            max_share=0.1 if weekly and on.n > MANY_GRIDS else 0.5,
            ending="last" if weekly else "any",
        )
    except BadInput as error:
        raise _under_names_asked_for(error) from None
    kept = tuple(each for each in found.clusters if each.p <= blank.level)
    nowhere = np.full(on.n, np.nan)
    p, observed, expected = np.ones(on.n), nowhere.copy(), nowhere.copy()
    statistic = np.zeros(on.n)
    classes = [Class.NONE] * on.n
    for each in kept:
        p[each.rows], statistic[each.rows] = each.p, each.log_ratio
        observed[each.rows], expected[each.rows] = each.observed, each.expected
        for row in each.rows.tolist():
            classes[row] = Class.CLUSTER
    if on.exposure is not None:
        for row in np.flatnonzero(np.isnan(on.exposure)).tolist():
            classes[row] = Class.UNTESTED
    return replace(
        blank,
        is_weekly=weekly,
        classes=tuple(classes),
        statistic=statistic,
        p=p,
        # The search is paid for within p: there is nothing left to correct.
        q=p,
        observed=observed,
        expected=expected,
        clusters=kept,
        notes=(*blank.notes, *_left_out(found.left_out)),
    )


def _emerging(blank: Findings) -> Findings:
    study = blank.study
    wanted = MIN_BLOCKS * WEEKS_PER_BLOCK
    if study.weeks < wanted:
        raise BadInput(
            Problem(
                f"the period has {study.weeks} whole weeks",
                f"Give {wanted} or more: three blocks of {WEEKS_PER_BLOCK} weeks",
                field="start",
            )
        )
    on = study.ground
    made = emerging(
        study.weekly(), on.neighbours, exposure=on.exposure, weeks_per_block=WEEKS_PER_BLOCK,
        level=blank.level,
    )  # fmt: skip
    tested = np.ones(on.n, np.bool_) if on.exposure is None else np.isfinite(on.exposure)
    blocks = made.hot.shape[1]
    said = Said(
        f"按每{WEEKS_PER_BLOCK}周一段比较，共{blocks}段"
        + (f"；最早的{made.weeks_unused}周不足一段，未用。" if made.weeks_unused else "。"),
        f"{blocks} blocks of {WEEKS_PER_BLOCK} weeks are compared"
        + (
            f"; left out, for no block is filled: the oldest {counted(made.weeks_unused, 'week')}."
            if made.weeks_unused
            else "."
        ),
    )
    return replace(
        blank,
        classes=tuple(
            Class(kind.value) if is_tested else Class.UNTESTED
            for kind, is_tested in zip(made.kinds, tested, strict=True)
        ),
        statistic=made.trend,
        p=2 * ndtr(-np.abs(made.trend)),
        q=made.trend_q,
        notes=(*blank.notes, said),
    )


def _near_repeat(blank: Findings) -> Findings:
    study = blank.study
    inside = study.events.grid >= 0
    places = study.ground.to_metres(study.events.lon[inside], study.events.lat[inside])
    try:
        pairs = knox(places, study.events.times[inside] / 86_400)
    except BadInput as error:
        raise _under_names_asked_for(error) from None
    return replace(blank, pairs=pairs)


def _repeat_addresses(blank: Findings) -> Findings:
    events = blank.study.events
    inside = events.grid >= 0
    lon, lat = (each[inside].round(TO_METRE).tolist() for each in (events.lon, events.lat))
    keys = list(zip(lon, lat, strict=True))
    return replace(blank, places=repeat_addresses(keys, events.times[inside] / 86_400))


_WAYS: Final[Mapping[Way, Callable[[Findings], Findings]]] = {
    Way.HOT_GRIDS: _hot_grids,
    Way.GI_STAR: _gi_star,
    Way.LOCAL_MORAN: _local_moran,
    Way.EMERGING: _emerging,
    Way.NEAR_REPEAT: _near_repeat,
    Way.REPEAT_ADDRESSES: _repeat_addresses,
}

_NORMAL: Final = Said(
    "该方法按正态近似、不计户数，事件少时会误报；判断请以“热点网格”为准。",
    "This way knows no households, and its p come from the normal curve, which calls false alarms "
    "where counts are few: judge by the hot grids.",
)


def _left_out(number: int) -> tuple[Said, ...]:
    if not number:
        return ()
    return (
        Said(
            f"{number:,}件在户数为0或不详的网格内，未参与检验。",
            f"In grids that are not tested: {counted(number, 'incident')}.",
        ),
    )


def _under_names_asked_for(error: BadInput) -> BadInput:
    """The problem in the terms of who asks for a period and an area."""
    return BadInput(
        replace(each, remedy="Ask for a smaller unit or a shorter period", field="start")
        for each in error.problems
    )
