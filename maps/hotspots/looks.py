"""What the audit log says of repeat addresses, which are the very places of incidents."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gis import audit
from maps.hotspots.layer import places_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from maps.hotspots.findings import Findings


def enter_repeats(session: Session, found: Findings, categories: Sequence[str]) -> None:
    """Enter the places that are shown, as a list of their incidents is entered.

    Nothing is entered for findings without places: they are of grids.
    """
    if found.places is None:
        return
    unit_of = dict(zip(found.study.ground.codes, found.study.ground.units, strict=True))
    counts: Counter[str] = Counter()
    for row in places_table(found).itertuples():
        counts[unit_of[row.code]] += row.events
    audit.read(
        session,
        object_kind="incident",
        fields=("place",),
        counts=counts,
        action="search",
        start=found.study.start,
        end=found.study.end,
        category=list(categories) or None,
    )
