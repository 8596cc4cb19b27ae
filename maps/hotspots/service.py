"""Hot spots, this week's attention list and its back-test, of the incidents in the database.

The command line and the API call the same functions. Every read takes the caller's scope, within
the caller's transaction, whose row-level security says the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from gis.errors import BadInput, Problem
from maps.hotspots.attention import Attention, attention
from maps.hotspots.backtest import BackTest, backtest
from maps.hotspots.checks import fraction, refuse
from maps.hotspots.findings import Findings, Way, find
from maps.hotspots.forecast import MIN_WEEKS
from maps.hotspots.repository import Clock
from maps.hotspots.study import Asked, Study, before_week, over_period
from maps.hotspots.texts import Said

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from maps.hotspots.repository import Ground

WEEKS_JUDGED: Final = 8
SHARES: Final = (0.01, 0.05)
MOST_LISTED: Final = 20
"""Grids of a list: as many as a team can look after in a week."""


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """The attention list of a week.

    Attributes
    ----------
    study
        What had been reported before it.
    week
        The Monday on which it begins.
    attention
        Expected incidents, and the grids to attend to with their reasons.
    share, most
        Of the area that the list may cover, and grids that it may have.
    """

    study: Study
    week: date
    attention: Attention
    share: float
    most: int


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """How the attention lists of the last weeks have done.

    Attributes
    ----------
    study
        All that was reported, up to the end of the last week judged.
    mondays
        On which the weeks judged began.
    test
        Incidents caught, beside the naive count and that of the last four weeks.
    weeks_before
        Weeks that lie before the first one judged.
    """

    study: Study
    mondays: tuple[date, ...]
    test: BackTest
    weeks_before: int


def hot_spots(
    session: Session,
    asked: Asked,
    way: Way,
    *,
    level: float = 0.05,
    weekly: bool = False,
) -> Findings:
    """Hot spots of the incidents of a period, by when they happened.

    Parameters
    ----------
    level, weekly
        As for `maps.hotspots.findings.find`.

    Raises
    ------
    BadInput
        What the period, the categories, the grids or the way do not allow.
    UnitNotFound
        There is no such unit.
    """
    return find(over_period(session, asked, Clock.EVENT), way, level=level, weekly=weekly)


def attention_list(
    session: Session,
    asked: Asked,
    *,
    week: date | None = None,
    share: float = 0.05,
    most: int = MOST_LISTED,
) -> Listed:
    """Where to look first in a week, from all that had been reported before it began.

    Parameters
    ----------
    week
        Any day of it; the present week when left out.
    share
        Of the area that the list may cover, above 0, at most 1.
    most
        Grids that are listed at most, 1 or more.

    Raises
    ------
    BadInput
        As `maps.hotspots.study.before_week`; a share or number out of range.
    UnitNotFound
        There is no such unit.
    """
    refuse(fraction(share, "share"))
    study = before_week(session, asked, week)
    on = study.ground
    made = attention(
        study.weekly(), on.neighbours, households=on.exposure, area_m2=on.area_m2, share=share,
        most=most,
    )  # fmt: skip
    return Listed(study, study.end.astimezone(asked.zone).date(), made, share, most)


def back_test(
    session: Session, asked: Asked, *, week: date | None = None, weeks: int = WEEKS_JUDGED
) -> Tested:
    """What the attention lists of the last whole weeks would have caught, and what a count would.

    Parameters
    ----------
    week
        The weeks before this one are judged; the present one when left out.
    weeks
        Number of weeks judged; at least 12 must lie before them.

    Raises
    ------
    BadInput
        As `maps.hotspots.study.before_week`; more weeks than can be judged.
    UnitNotFound
        There is no such unit.
    """
    study = before_week(session, asked, week)
    if too_short := weeks_problem(weeks, study.weeks, field="weeks"):
        raise BadInput(too_short)
    on = study.ground
    made = backtest(
        study.weekly(), on.neighbours, households=on.exposure, area_m2=on.area_m2, weeks=weeks,
        shares=SHARES,
    )  # fmt: skip
    monday = study.end.astimezone(asked.zone).date()
    mondays = tuple(monday - timedelta(days=7 * ago) for ago in range(weeks, 0, -1))
    study = replace(study, notes=(*study.notes, *_uneven(on)))
    return Tested(study, mondays, made, study.weeks - weeks)


def weeks_problem(judged: int, reported: int, *, field: str, source: str = "") -> Problem | None:
    """What is wrong with a number of weeks to be judged of those reported; None: nothing."""
    most = reported - MIN_WEEKS
    if 1 <= judged <= most:
        return None
    return Problem(
        f"{judged} weeks to be judged of {reported} reported",
        f"Give 1 to {most}: {MIN_WEEKS} weeks must lie before them"
        if most >= 1
        else f"{MIN_WEEKS + 1} weeks of reports are needed",
        source=source,
        field=field,
    )


def _uneven(on: Ground) -> tuple[Said, ...]:
    """A warning where a twentieth of the area can hold more than half of the grids."""
    covered = np.cumsum(np.sort(on.area_m2))
    fit = int((covered <= SHARES[-1] * covered[-1]).sum())
    if 2 * fit <= on.n:
        return ()
    return (
        Said(
            f"网格大小悬殊：面积的{SHARES[-1]:.0%}可容纳{on.n:,}个网格中的{fit:,}个，"
            "以上数字因此说明不了多少；请按单个城镇查看。",
            f"Grids differ much in size: {SHARES[-1]:.0%} of the area can hold {fit:,} of "
            f"{on.n:,} grids, so that these figures tell little. Ask for one town.",
        ),
    )
