"""Incidents looked up by two workers: the same events as by this process, in the same order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from shapely import box

from data.bulk import cluster
from data.bulk.incidents import Workers
from gis.database import execute
from grids import service
from grids.incidents import relocating
from grids.incidents.relocating import Outcome, Wanted, relocate
from tests import factories
from tests.factories import NORTH, SOUTH, STEP, WEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gis.database import Database
    from grids.incidents.present import Layers, Page, Places

# Dask's own, as its processes come and go.
pytestmark = pytest.mark.filterwarnings("ignore")

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
COUNT = 60
"""Of each of two lots at the same places."""


@pytest.fixture
def incidents(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Two lots of one day each; a second edition moves a border, a school has its own grid."""
    monkeypatch.setattr(relocating, "SIZE", 7)
    rng = np.random.default_rng(3)
    lon = WEST + (rng.random(COUNT) * 5 - 0.5) * STEP
    lat = SOUTH + (rng.random(COUNT) * 1.4 - 0.2) * (NORTH - SOUTH)
    lon[:8] = WEST + np.array([0, 0.5, 1, 1, 2, 3, 4, 4.5]) * STEP  # on borders
    lat[:6] = [SOUTH, NORTH, 45.01, SOUTH, NORTH, 45.01]
    with database.transaction() as session:
        made = factories.county(session)
        for lot, reported in enumerate((FIRST, SECOND)):
            execute(
                session,
                "INSERT INTO incidents (id, county_code, source, category, reported_at, geom, "
                "source_crs, method, reason, request_sha256, edition_id, grid_id, person_id, "
                "state, review) "
                "SELECT CAST(lpad(to_hex(p.n * 2 + :lot), 32, '0') AS uuid), '990121', 't', "
                "'neighbour', :reported, p.geom, 'wgs84', 'map', 't', repeat('0', 64), "
                "g.edition_id, g.grid_id, a.person_id, "
                "CASE WHEN p.n % 5 = 0 THEN 'closed' ELSE 'reported' END, "
                "CASE WHEN g.grid_id IS NULL THEN 'outside' END "
                "FROM (SELECT n, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS geom FROM unnest("
                "CAST(:lon AS float8[]), CAST(:lat AS float8[])) WITH ORDINALITY AS u(lon, lat, n))"
                " AS p LEFT JOIN LATERAL (SELECT * FROM grid_shapes AS s WHERE s.geom && p.geom "
                "AND ST_Covers(s.geom, p.geom) ORDER BY s.code LIMIT 1) AS g ON true "
                "LEFT JOIN assignments AS a ON a.grid_id = g.grid_id",
                lot=lot, reported=reported, lon=lon.tolist(), lat=lat.tolist(),
            )  # fmt: skip
        execute(
            session,
            "INSERT INTO incident_events (incident_id, county_code, at, actor, kind, data) "
            "SELECT id, county_code, now(), 't', 'relocated', "
            "jsonb_build_object('lon', 117.061, 'lat', 45.01) FROM incidents "
            "WHERE ('x' || right(CAST(id AS text), 4))::bit(16)::int / 2 % 9 = 0",
        )
        grids = factories.squares()
        grids.geometry = [
            box(WEST, SOUTH, WEST + STEP / 2, NORTH),
            box(WEST + STEP / 2, SOUTH, WEST + 2 * STEP, NORTH),
            *grids.geometry[2:],
        ]
        second = service.save_draft(
            session, factories.COUNTY, grids, title="second", author="t", identities=made.grids
        )
        service.publish(session, second.id, approver="a")
        school = box(117.06, 45.005, 117.07, 45.015)
        village = factories.VILLAGES[1]
        factories.lay_over(session, "exclusive", {village + "901": school}, unit=village)
    return database


def run(database: Database, folder: Path, lot: datetime, **more: Any) -> Outcome:
    wanted = Wanted(since=lot, until=lot + timedelta(hours=1))
    return relocate(database, folder, wanted, actor="li", commit=True, reason="x", **more)


def events(database: Database, lot: int) -> list[Any]:
    """What was written of a lot, in its order; incidents by their number within it."""
    with database.transaction() as session:
        rows = execute(
            session,
            "SELECT incident_id, actor, note, data FROM incident_events "
            "WHERE kind = 'reassigned' ORDER BY id",
        ).all()
    return [
        (row.incident_id.int // 2, row.actor, row.note, row.data)
        for row in rows
        if row.incident_id.int % 2 == lot
    ]


@pytest.mark.parametrize("is_shared", [True, False])
def test_comes_to_the_same(
    client: Any, incidents: Database, tmp_path: Path, is_shared: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if not is_shared:
        monkeypatch.setattr(cluster, "all_see", lambda *_: False)
    alone = run(incidents, tmp_path, FIRST)
    spread = run(incidents, tmp_path, SECOND, placing=Workers(client))
    counts = ("looked_at", "without_place", "outside", "unchanged", "moved", "moved_open")
    assert [getattr(spread, each) for each in counts] == [getattr(alone, each) for each in counts]
    assert spread.written == alone.written == spread.moved.total() > 10
    wanted = events(incidents, 0)
    assert [each[0] for each in wanted] == sorted(each[0] for each in wanted)
    assert {bool(data["exclusive"]) for *_, data in wanted} == {True, False}
    assert events(incidents, 1) == wanted
    assert client.run(lambda: len(cluster._opened)) == dict.fromkeys(client.nthreads(), 0), (
        "workers let go of the index"
    )


def test_goes_on_after_it_was_ended_and_opens_each_index_once(
    client: Any, incidents: Database, tmp_path: Path
) -> None:
    held: set[tuple[str, tuple[tuple[str, int], ...]]] = set()
    ahead: list[int] = []

    class Watching(Workers):
        """Looks after each page at what the workers hold, and how far is read ahead."""

        def placed(self, pages: Any, layers: Layers) -> Iterator[tuple[Page, Places]]:
            read: list[Page] = []

            def counted() -> Iterator[Page]:
                for page in pages:
                    read.append(page)
                    yield page

            for number, each in enumerate(super().placed(counted(), layers)):
                ahead.append(len(read) - number)
                found = client.run(lambda: [(n, id(one)) for n, one in cluster._opened.items()])
                held.update((worker, tuple(sorted(one))) for worker, one in found.items())
                yield each

    def ended(done: int, total: int) -> None:
        assert total == COUNT
        if done == 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(incidents, tmp_path, SECOND, placing=Watching(client), on_page=ended)
    assert max(ahead) <= cluster.AHEAD * len(client.nthreads())
    assert {worker for worker, _ in held} == set(client.nthreads())
    assert len(held) == len(client.nthreads()), "opened anew between two pages"
    assert {len(one) for _, one in held} == {2}, "the base grids and the school's"
    before = events(incidents, 1)
    assert 0 < len(before) == sum(1 for each in before if each[0] <= 21)
    run(incidents, tmp_path, SECOND, placing=Workers(client))
    run(incidents, tmp_path, FIRST)
    assert events(incidents, 1) == events(incidents, 0)
