"""Answers from memory are those of the database, and follow it within a second."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa
from shapely import box

from api.schemas.places import LocateOut
from boundaries.access import Scope
from grids import service, withdrawal
from grids.incidents.responsibility import answer
from grids.locating import batches, keeper, store
from grids.locating.keeper import Keeper
from grids.people import duty
from grids.people import service as people
from grids.people.models import Person
from tests import factories
from tests.factories import NORTH, SOUTH, STEP, WEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import geopandas as gpd

    from gis.database import Database

NOW = datetime(2026, 7, 1, tzinfo=UTC)
CHANGE_OVER = NOW + timedelta(days=3650)
PLACES = [
    *(factories.middle(place) for place in range(4)),
    (WEST + STEP, 45.01), (WEST + 2 * STEP, 45.01), (WEST + 2 * STEP, SOUTH), (WEST, SOUTH),
    (WEST + 4 * STEP, NORTH), (WEST + STEP + 1e-7, 45.0133), (WEST + 1e-5, NORTH - 1e-5),
]  # fmt: skip


def moved_line() -> gpd.GeoDataFrame:
    """The four grids, the first of which takes a strip of the second."""
    moved = factories.squares(households=310)
    line = WEST + 1.3 * STEP
    moved.loc[0, "geometry"] = (
        factories.squares().geometry[0].union(box(WEST + STEP, SOUTH, line, NORTH))
    )
    moved.loc[1, "geometry"] = box(line, SOUTH, WEST + 2 * STEP, NORTH)
    return moved


@pytest.fixture
def county(database: Database) -> factories.County:
    """The small county with an older edition, heads, a department and a leave."""
    with database.transaction() as session:
        made = factories.county(session)
        new = service.save_draft(
            session, factories.COUNTY, moved_line(), title="second", author="t"
        )
        service.publish(session, new.id, approver="b", effective=CHANGE_OVER)
        head = people.add(session, "书记", county_code=factories.COUNTY, actor="t")
        since = factories.SINCE
        duty.link(
            session, head, actor="t", role="unit_head", unit=factories.VILLAGES[0], since=since
        )
        office = duty.add_department(session, "文旅局", area=factories.COUNTY, actor="t")
        duty.set_matters(session, office, {"tourism": True}, actor="t")
        duty.link(session, head, actor="t", role="officer", department=office, since=since)
        worker = session.get_one(Person, made.workers[factories.grid_code(2)])
        people.take_leave(
            session, worker, since=NOW - timedelta(days=1), until=NOW + timedelta(days=1), actor="t"
        )
    return made


def said(found: Any, matter: str | None = None) -> dict[str, Any]:
    told = LocateOut.of(found, "wgs84", matter).model_dump()
    for each in ("distance_to_border_m", "as_of"):
        told.pop(each)
    shares = {each["code"]: each["share"] for each in told.pop("candidates")}
    return told | {"confidence": None, "shares": shares}


@pytest.mark.parametrize("days", [0, -1, 30, 4000])
def test_memory_and_database_say_the_same(
    database: Database, county: factories.County, tmp_path: Path, days: int
) -> None:
    at = NOW + timedelta(days=days)
    with database.transaction() as session:
        snapshot = store.load(session, tmp_path / "index")
        for lon, lat in PLACES:
            for accuracy, matter, explain in ((None, "tourism", True), (30.0, None, False)):
                asked: dict[str, Any] = {"at": at, "accuracy_m": accuracy, "matter": matter,
                                         "explain": explain}  # fmt: skip
                kept = answer(session, lon, lat, **asked)
                told = snapshot.answer(lon, lat, **asked)
                assert told is not None
                a, b = said(kept, matter), said(told, matter)
                shares = a.pop("shares"), b.pop("shares")
                if accuracy is None:
                    assert a == b
                for code in set(shares[0]) | set(shares[1]):
                    apart = shares[0].get(code, 0) - shares[1].get(code, 0)
                    assert abs(apart) < 3e-3
                assert kept.distance_to_border_m == pytest.approx(
                    told.distance_to_border_m, abs=0.01
                )
                assert kept.reason == told.reason


@pytest.mark.parametrize(
    ("apart_us", "place"), [(-1, 1), (0, 0), (1, 0)], ids=["just before", "exactly", "just after"]
)
def test_the_moment_of_change_over_is_the_new_editions(
    database: Database, county: factories.County, tmp_path: Path, apart_us: int, place: int
) -> None:
    at = CHANGE_OVER + timedelta(microseconds=apart_us)
    lon, lat = WEST + 1.1 * STEP, 45.01  # in the strip that the first grid takes
    code = factories.grid_code(place)
    with database.transaction() as session:
        snapshot = store.load(session, tmp_path)
        kept = answer(session, lon, lat, at=at)
        told = snapshot.answer(lon, lat, at=at)
        one = np.array([lon]), np.array([lat]), np.array([at.timestamp()]), np.array([np.nan])
        (group,) = batches.locate(session, snapshot, batches.Points(*one)).groups
    for found in (kept, told, group):
        assert found is not None
        assert found.grid is not None
        assert found.edition is not None
        assert found.grid.code == code
        assert found.edition.title == ("second" if place == 0 else "first")


def test_what_memory_does_not_know_is_asked_of_the_database(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    with database.transaction() as session:
        snapshot = store.load(session, tmp_path)
    lon, lat = factories.middle(0)
    assert snapshot.answer(WEST - 1, lat, at=NOW) is None
    assert snapshot.answer(lon, lat, at=factories.SINCE - timedelta(days=1)) is None
    assert snapshot.answer(lon, lat, at=NOW, scope=Scope(factories.VILLAGES[1])) is None
    assert snapshot.answer(lon, lat, at=NOW, scope=Scope(factories.VILLAGES[0])) is not None
    near = WEST + 2 * STEP - 1e-6
    told = snapshot.answer(near, lat, at=NOW, accuracy_m=50, scope=Scope(factories.VILLAGES[0]))
    assert told is not None
    assert {each.code for each in told.candidates} <= {
        factories.grid_code(0), factories.grid_code(1)
    }, "no share names a grid that the caller does not see"  # fmt: skip


def test_files_are_used_again_and_damage_is_mended(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    with database.transaction() as session:
        store.load(session, tmp_path)
        files = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
        assert len(files) == 4, "of each edition the index and what is shown of its grids"
        store.load(session, tmp_path)
        assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
        lon, lat = factories.middle(0)
        for name in files:
            damaged = tmp_path / name
            damaged.write_bytes(damaged.read_bytes()[:150])
            snapshot = store.load(session, tmp_path)
            assert damaged.stat().st_size > 150
            assert snapshot.answer(lon, lat, at=NOW) is not None


def test_what_is_known_is_not_read_again(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    asked: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))

    def shapes_read(before: Any = None) -> tuple[int, Any]:
        asked.clear()
        with database.transaction() as session:
            loaded = store.load(session, tmp_path, before)
        return sum("grid_shapes" in each for each in asked), loaded

    first, snapshot = shapes_read()
    assert first == 5, "of both editions what tells them, then shapes and what is shown of each"
    assert shapes_read()[0] == 1, "a new process has the files"
    with database.transaction() as session:
        worker = session.get_one(Person, county.workers[factories.grid_code(0)])
        people.take_leave(session, worker, since=NOW, until=NOW + timedelta(days=1), actor="t")
    again, changed = shapes_read(snapshot)
    assert again == 0, "somebody's leave changes no shapes"
    assert changed.compiled == snapshot.compiled
    with database.transaction() as session:
        third = service.save_draft(
            session, factories.COUNTY, factories.squares(), title="third", author="t"
        )
        service.publish(session, third.id, approver="b", effective=CHANGE_OVER + timedelta(days=30))
    assert shapes_read(snapshot)[0] == 3


@pytest.mark.parametrize("which", [0, 1])
def test_damage_within_a_file_is_found_beside_and_mended(
    database: Database, county: factories.County, tmp_path: Path, which: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with database.transaction() as session:
        whole = store.load(session, tmp_path)
    damaged = tmp_path / store.file_names(whole.compiled[0])[which]
    before = damaged.read_bytes()
    data = bytearray(damaged.read_bytes())
    data[-3] ^= 1
    damaged.write_bytes(data)
    made = Keeper(database, tmp_path)
    made.refresh()
    wait_for(lambda: made.snapshot is None)
    assert not made.is_current, "the database is asked meanwhile"
    made.refresh()
    assert made.is_current
    wait_for(lambda: len(made._verified) == len(whole.compiled))
    if which == 0:
        assert damaged.with_suffix(".damaged").read_bytes() == bytes(data)
    assert damaged.read_bytes() == before
    assert made.snapshot is not None
    for each in made.snapshot.compiled:
        each.locator.verify()
        each.grids.verify()
    assert names(made)
    assert "damaged on the disk" in caplog.text


@pytest.fixture
def kept(
    database: Database, county: factories.County, tmp_path: Path
) -> Iterator[tuple[Keeper, list[str]]]:
    """A keeper at work, and the words on access that it passed on."""
    words: list[str] = []
    with keeping(Keeper(database, tmp_path / "index", lambda: words.append("access"))) as made:
        yield made, words


@contextmanager
def keeping(made: Keeper) -> Iterator[Keeper]:
    stopping = threading.Event()
    thread = threading.Thread(target=made.keep, args=(stopping,))
    thread.start()
    try:
        wait_for(lambda: made.is_current)
        yield made
    finally:
        stopping.set()
        thread.join(timeout=20)
    assert not thread.is_alive()


def wait_for(what: Any, *, within_s: float = 180) -> None:
    """Long by default: on a new machine the first to ask compiles the kernels."""
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def names(made: Keeper, place: int = 0) -> list[str]:
    assert made.snapshot is not None
    found = made.snapshot.answer(*factories.middle(place), at=datetime.now(UTC))
    assert found is not None
    return [each.name for each in found.responsible]


def test_changes_are_followed(kept: tuple[Keeper, list[str]], database: Database) -> None:
    made, words = kept
    assert "新人" not in names(made)
    with database.transaction() as session:
        shape = people.grid_by_code(session, factories.grid_code(0), datetime.now(UTC))
        who = people.add(session, "新人", county_code=factories.COUNTY, actor="t")
        people.assign(session, who, shape, actor="t", is_primary=False)
    wait_for(lambda: "新人" in names(made))
    with database.transaction() as session:
        factories.account(session, "analyst", factories.COUNTY, login="xiao")
        session.execute(sa.text("UPDATE accounts SET name = 'y' WHERE login = 'xiao'"))
    wait_for(lambda: words)


@pytest.mark.parametrize("channel", [keeper.CHANNEL, "nobody_speaks_here"])
def test_a_published_edition_is_answered_from(
    database: Database,
    county: factories.County,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    channel: str,
) -> None:
    monkeypatch.setattr(keeper, "CHANNEL", channel)  # the database looked at alone, without words
    at_line = (WEST + 1.2 * STEP, 45.01)

    def grid(at: datetime) -> int | None:
        found = made.snapshot.answer(*at_line, at=at) if made.snapshot else None
        return None if found is None or found.grid is None else found.grid.grid_id

    with keeping(Keeper(database, tmp_path / "index")) as made:
        before = datetime.now(UTC)
        assert grid(before) == county.grids[factories.grid_code(1)]
        with database.transaction() as session:
            later = session.scalar(sa.text("SELECT max(id) FROM editions"))
            withdrawal.withdraw(session, later, actor="b")
            third = service.save_draft(
                session, factories.COUNTY, moved_line(), title="third", author="t"
            )
            service.publish(session, third.id, approver="b")
        wait_for(lambda: grid(datetime.now(UTC)) == county.grids[factories.grid_code(0)])
        assert grid(before) == county.grids[factories.grid_code(1)]


def test_a_change_that_commits_late_is_not_lost(
    kept: tuple[Keeper, list[str]], database: Database
) -> None:
    made, _ = kept
    with database.engine.connect() as slow:
        outer = slow.begin()
        slow.execute(sa.text("UPDATE persons SET name = '晚' WHERE name = '网格员1'"))
        with database.transaction() as session:
            session.execute(sa.text("UPDATE persons SET name = '早' WHERE name = '网格员2'"))
        wait_for(lambda: "早" in names(made, 1))
        assert "网格员1" in names(made)
        outer.commit()
    wait_for(lambda: "晚" in names(made))


def test_without_a_database_answers_go_on_and_it_comes_back(
    kept: tuple[Keeper, list[str]], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = kept
    monkeypatch.setattr(keeper, "LOOK_S", 0.1)
    name = database.url.database
    admin = sa.create_engine(
        database.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
    with admin.connect() as connection:
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(sa.text(end), {"name": name})
        wait_for(lambda: made.is_cut_off)
        known = made.as_of
        assert "网格员1" in names(made)
        looked = time.time()  # before it is asked: it may cease to be current at any moment
        assert not made.is_current or looked - known < keeper.FRESH_S
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    wait_for(lambda: made.is_current and not made.is_cut_off)
    assert made.as_of > known
