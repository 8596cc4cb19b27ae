"""Heat maps of the incidents in the database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import shapely
import sqlalchemy as sa

from boundaries.errors import UnitNotFound
from gis.errors import BadInput
from grids.incidents import repository
from grids.incidents import service as incidents
from grids.incidents.repository import Filter
from maps import heatmap_text
from maps.heatmap_text import notes
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
    with pytest.raises(BadInput, match="no incident has been reported yet"):
        incident_heatmap(session, Filter())


def test_a_category_never_seen_is_named_and_its_map_of_a_period_is_empty(session: Session) -> None:
    factories.county(session)
    report(session, 0, 1)
    with pytest.raises(BadInput, match="no incident of tourism has been reported yet"):
        incident_heatmap(session, Filter(categories=("tourism",)))
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    made = incident_heatmap(session, Filter(start=start, end=end, categories=("tourism",)))
    assert "No events in this period." in heatmap_text.notes(made, "en")


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


def test_what_lies_outside_the_mask_is_not_mapped(session: Session) -> None:
    factories.county(session)
    report(session, 0, 7)
    report(session, 3, 5)
    lived_in = shapely.Point(factories.middle(0)).buffer(0.005)
    made = incident_heatmap(session, Filter(), within=lived_in.intersection)
    assert (made.n, made.n_outside) == (7, 5)
    assert made.area is not None
    assert shapely.covers(lived_in.buffer(1e-9), made.area)


def test_inhabited_ground_is_near_buildings(session: Session) -> None:
    factories.county(session)
    report(session, 0, 7)
    report(session, 3, 5)
    with pytest.raises(BadInput, match="no building with households"):
        incident_heatmap(session, Filter(), is_inhabited=True)
    lon, lat = factories.middle(0)
    session.execute(
        sa.text(
            "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source,"
            " external_id) SELECT '990121', '990121101001', n,"
            " ST_Buffer(ST_SetSRID(ST_MakePoint(:lon + n * 0.001, :lat), 4326), 0.0001), 's', n"
            " FROM generate_series(0, 2) AS n"
        ),
        {"lon": lon, "lat": lat},
    )
    made = incident_heatmap(session, Filter(), is_inhabited=True)
    whole = incident_heatmap(session, Filter())
    assert (made.n, made.n_outside) == (7, 5)
    assert made.area is not None
    # Around those with households, not around the first; what is near the edge weighs more.
    reach = shapely.Point(lon + 0.0015, lat).buffer(0.0085)
    assert shapely.covers(reach, made.area)
    assert shapely.covers(made.area, shapely.Point(lon + 0.0015, lat).buffer(0.003))
    assert made.maximum > whole.maximum
    assert "within about 500\u00a0m of a building" in " ".join(heatmap_text.notes(made, "en"))
    with pytest.raises(BadInput, match="of whole counties"):
        incident_heatmap(session, Filter(), is_inhabited=True, case_team=False)


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


def test_a_rate_tells_of_buildings_whose_households_nobody_counted(session: Session) -> None:
    factories.county(session)
    report(session, 0, 5)
    lon, lat = factories.middle(0)
    session.execute(
        sa.text(
            "INSERT INTO buildings (county_code, households_resident, geom, source, external_id) "
            "SELECT '990121', households, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 'test', id "
            "FROM (VALUES ('a', 300), ('b', 0), ('c', NULL)) AS made (id, households)"
        ),
        {"lon": lon, "lat": lat},
    )
    rate = incident_heatmap(session, Filter(), per="households")
    assert rate.uncounted == 1
    assert "1 building without a count of households" in " ".join(notes(rate, "en"))
    assert "有1栋建筑无户数记录" in " ".join(notes(rate, "zh"))
    assert incident_heatmap(session, Filter()).uncounted == 0


def test_cached_map_is_made_anew_after_a_report_and_only_the_last_are_kept(
    session: Session,
) -> None:
    factories.county(session)
    report(session, 0, 5)
    cache, made = MapCache(size=1), []

    def get(*asked: object) -> object:
        def make() -> object:
            made.append(asked)
            return object()

        return cache.get(cache.key(session, *asked), make)

    first = get("a")
    assert get("a") is first
    report(session, 0, 1)
    second = get("a")
    assert second is not first
    get("b")
    assert get("a") is not second
    assert made == [("a",), ("a",), ("b",), ("a",)]


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ("UPDATE incidents SET category = 'other'", True),
        ("UPDATE incidents SET geom = ST_Translate(geom, 0.001, 0)", True),
        ("UPDATE incidents SET address = 'elsewhere'", False),
        ("UPDATE admin_units SET name = '新名' WHERE code = '990121'", True),
        ("UPDATE buildings SET households_resident = 7", True),
        ("DELETE FROM barriers", True),
        ("UPDATE incident_categories SET name_zh = '新名' WHERE code = 'other'", True),
        ("UPDATE editions SET title = '新名'", True),
        ("UPDATE persons SET name = '新名'", False),
    ],
)
def test_what_maps_show_makes_another_version(
    session: Session, change: str, *, is_another: bool
) -> None:
    factories.county(session)
    report(session, 0, 2)
    cache = MapCache()
    before = cache.key(session)
    # What may not be changed otherwise is, here: the version is what is looked at.
    session.execute(sa.text("ALTER TABLE incidents DISABLE TRIGGER incidents_history"))
    session.execute(sa.text(change))
    assert (cache.key(session) != before) is is_another


def test_a_shared_density_is_of_a_finished_quarter_and_the_same_for_all(session: Session) -> None:
    factories.county(session)
    lon, lat = factories.middle(0)
    for day in range(60):
        incidents.record(
            session,
            incidents.Report(
                id=uuid.uuid4(), category="neighbour", source="test", x=lon, y=lat,
                reported_at=datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=day),
            ),
            actor="test",
        )  # fmt: skip
    made = incident_heatmap(
        session, Filter(start=datetime(2026, 2, 1, tzinfo=UTC)), case_team=False,
        bandwidth_m=100, now=datetime(2026, 4, 20, tzinfo=UTC),
    )  # fmt: skip
    assert (made.start.isoformat(), made.end.isoformat()) == (
        "2025-12-29T00:00:00+08:00", "2026-03-30T00:00:00+08:00",
    )  # fmt: skip
    # 57 of the 60 were reported before its end; told in fives.
    assert (made.n, made.bandwidth_m, made.shared) == (55, 300, True)
    said = " ".join(heatmap_text.notes(made, "en"))
    assert "The period asked for (2026-02-01 08:00 up to …) was changed to a whole quarter" in said
    assert "已改为整季13周" in " ".join(heatmap_text.notes(made, "zh"))
    same = incident_heatmap(
        session, Filter(start=made.start, end=made.end), case_team=False,
        now=datetime(2026, 4, 20, tzinfo=UTC),
    )  # fmt: skip
    assert "asked for" not in " ".join(heatmap_text.notes(same, "en"))


def test_outlines_are_those_in_force(session: Session) -> None:
    assert current_grids(session) is None
    factories.county(session)
    frame = current_grids(session)
    assert frame is not None
    assert frame["code"].tolist() == [factories.grid_code(place) for place in range(4)]


def test_places_are_read_as_they_are_stored(session: Session) -> None:
    factories.county(session)
    report(session, 0, 2)
    report(session, 3, 1)
    incidents.record(
        session,
        incidents.Report(id=uuid.uuid4(), category="neighbour", source="test"),
        actor="test",
    )
    lon, lat, without = repository.places(session, Filter())
    stored = session.execute(
        sa.text("SELECT ST_X(geom), ST_Y(geom) FROM incidents WHERE geom IS NOT NULL")
    ).all()
    assert sorted(zip(lon.tolist(), lat.tolist(), strict=True)) == sorted(map(tuple, stored))
    assert (len(lon), without) == (3, 1)
    lon, lat, without = repository.places(session, Filter(categories=("tourism",)))
    assert (lon.shape, lat.shape, without) == ((0,), (0,), 0)
