"""Heat maps of the incidents in the database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from boundaries.errors import UnitNotFound
from gis.errors import BadInput
from grids.incidents import service as incidents
from grids.incidents.repository import Filter
from maps.service import MapCache, current_grids, incident_heatmap
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def report(session: Session, place: int, count: int) -> None:
    lon, lat = factories.middle(place)
    for _ in range(count):
        incidents.record(
            session,
            incidents.Report(
                id=uuid.uuid4(), category="neighbour", source="test", x=lon, y=lat, crs="wgs84"
            ),
            actor="test",
        )


def test_no_incidents_yet_is_said(session: Session) -> None:
    factories.county(session)
    with pytest.raises(BadInput, match="no incidents yet"):
        incident_heatmap(session, Filter())


def test_only_the_unit_asked_for_is_mapped(session: Session) -> None:
    factories.county(session)
    report(session, 0, 7)
    report(session, 3, 5)
    whole = incident_heatmap(session, Filter())
    part = incident_heatmap(session, Filter(), unit=factories.VILLAGES[0])
    assert (whole.n, whole.n_outside) == (12, 0)
    assert (part.n, part.n_outside) == (7, 5)
    assert part.bounds[2] < whole.bounds[2]
    assert part.place == "示范村1"


def test_unknown_unit_is_named(session: Session) -> None:
    factories.county(session)
    report(session, 0, 1)
    with pytest.raises(UnitNotFound, match="990121999"):
        incident_heatmap(session, Filter(), unit="990121999")


def test_an_invented_place_says_so_on_the_map(session: Session) -> None:
    factories.county(session, source="demo")
    report(session, 0, 5)
    assert incident_heatmap(session, Filter()).place == "示范旗(虚构示范)"
    assert incident_heatmap(session, Filter()).place_en == "Demo Banner (invented)"


def test_a_rate_without_households_is_refused(session: Session) -> None:
    factories.county(session)
    report(session, 0, 5)
    with pytest.raises(BadInput, match="no building with households"):
        incident_heatmap(session, Filter(), per="households")


def test_cached_map_is_made_anew_after_a_report(session: Session) -> None:
    factories.county(session)
    report(session, 0, 5)
    cache = MapCache(size=1)
    period = Filter(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))

    def get(bandwidth_m: float = 300) -> object:
        return cache.get(session, period, bandwidth_m=bandwidth_m, timezone="UTC")

    first = get()
    assert get() is first
    report(session, 0, 1)
    second = get()
    assert second is not first
    assert second.n == 6
    get(600)
    assert get() is not second  # only one is kept


def test_outlines_are_those_in_force(session: Session) -> None:
    assert current_grids(session) is None
    factories.county(session)
    frame = current_grids(session)
    assert frame is not None
    assert frame["code"].tolist() == [factories.grid_code(place) for place in range(4)]
