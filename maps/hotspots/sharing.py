"""Hot spots in the form that may leave the case team.

Counts below 5 are hidden, and others beside them, so that no total gives them away. Windows, and
all that is reckoned from them, are sums of neighbouring counts: from overlapping sums a hidden
count could be worked out, so they are not told at all; the class is, unless a hidden count is part
of its window. Periods are whole weeks from Monday on, so that two maps do not differ by one day's
cases.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from gis.errors import BadInput, Problem
from maps.disclosure import K, hidden
from maps.hotspots.findings import NO_GRIDS, Class, Findings, Way
from maps.hotspots.study import Study
from maps.hotspots.texts import Said

if TYPE_CHECKING:
    from datetime import datetime

WHOLE = "whole"


def require_shareable(way: Way, start: datetime | None, end: datetime | None, zone: str) -> None:
    """Refuse what cannot be shared.

    Raises
    ------
    BadInput
        Places of single incidents are asked for, or the period is not one of whole weeks.
    """
    problems = []
    if way in NO_GRIDS:
        problems.append(
            Problem(
                f"{way.value} tells places and pairs of single incidents",
                "It does not leave the case team: ask without shared, or for another method",
                field="method",
            )
        )
    for moment, name in ((start, "start"), (end, "end")):
        local = None if moment is None else moment.astimezone(ZoneInfo(zone))
        if local is None or local.weekday() or local.time() != local.min.time():
            monday = None if local is None else local.date() - timedelta(days=local.weekday())
            problems.append(
                Problem(
                    "what is shared has a period of whole weeks",
                    "Give a Monday" + (f", such as {monday}" if monday else ""),
                    field=name,
                )
            )
    if problems:
        raise BadInput(problems)


def shared(found: Findings) -> Findings:
    """The same findings without what would give a small count away."""
    on = found.study.ground
    codes = _hidden(found.study)
    gone = np.array([code in codes for code in on.codes], dtype=np.bool_)
    blurred = on.neighbours.windows(gone.astype(np.float64)) > 0
    return replace(
        found,
        hidden=gone,
        total=None if WHOLE in codes else found.total,
        classes=tuple(
            Class.HIDDEN if hide else each
            for each, hide in zip(found.classes, blurred, strict=True)
        ),
        statistic=None,
        p=None,
        q=None,
        observed=None,
        expected=None,
        clusters=(),
        notes=(
            # How many lie elsewhere may itself be a small count.
            Said(
                f"可对外提供：少于{K}件的网格不显示，检验数值不提供。",
                f"May be shared: grids with fewer than {K} incidents are hidden, and no figures of "
                "the test are told.",
            ),
        ),
        is_shared=True,
    )


def _hidden(study: Study) -> set[str]:
    """Codes whose counts must be hidden: of grids, of their units and of the whole."""
    counts: dict[str, int] = {}
    parents: dict[str, str] = {}
    for code, unit, number in zip(
        study.ground.codes, study.ground.units, study.counts.tolist(), strict=True
    ):
        counts[code] = number
        chain = [unit[:length] for length in (12, 9, 6) if len(unit) >= length]
        for below, above in zip([code, *chain], [*chain, WHOLE], strict=True):
            parents[below] = above
            counts[above] = counts.get(above, 0) + number
    return hidden(counts, parents)
