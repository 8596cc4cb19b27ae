"""Whoever is given any number of shared maps and tables cannot tell a single case from them.

The attacker has keys of several areas that may see densities and grids and no incident; it also
holds shared tables of counts. It asks for every period, category and unit it likes, writes down
what each answer says of the numbers behind it, and asks a solver for each of them: one that can
have a single value only is told. Each rule is switched off in turn, and the attack must then
succeed: an attack that finds nothing anyway proves nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import sqlalchemy as sa
import sqlalchemy.orm
from fastapi.testclient import TestClient
from shapely import box

from api.app import create_app
from api.settings import ServerSettings
from boundaries.access import Credential, enter
from grids import service as editions
from grids.incidents import service
from grids.incidents.repository import Filter
from grids.models import GridShape
from maps import raster, sharing
from maps.disclosure import K
from maps.exports import collections
from maps.gridmaps import gridmap
from maps.gridmaps import service as gridmaps
from maps.service import MapCache, incident_heatmap
from tests import conftest, factories
from tests.journeys.telling import (
    GRIDS,
    KINDS,
    QUARTERS,
    SECRETS,
    VILLAGES,
    ZONE,
    Attack,
    grid,
    middle,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gis.cluster import Cluster
    from gis.database import Database
    from maps.heatmap import Heatmap

pytestmark = pytest.mark.slow
URL = "/api/v1/gridmaps"


@dataclass
class Given:
    """The application, keys of the attacker by area, and a database to hand out tables of."""

    client: TestClient
    database: Database
    keys: dict[str, str]
    tables: str
    told: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def given(test_cluster: Cluster, template: str) -> Iterator[Given]:
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            _make(session)
            keys = {}
            for area in ("990121", "990121101", VILLAGES[0], VILLAGES[4], VILLAGES[5]):
                account = factories.account(session, "analyst", area, login=f"an.{area}")
                keys[area] = factories.key(session, account, rights=["heatmaps.read", "grids.read"])
            dispatcher = factories.account(session, "dispatcher", "990121", login="dis.patcher")
            tables = factories.key(session, dispatcher)
        app = create_app(ServerSettings(), database)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Given(client, database, keys, tables)


def _make(session: Any) -> None:
    units = [("99", 2, None), ("9901", 4, "99"), ("990121", 6, "9901"),
             *((f"990121{town}", 9, "990121") for town in (101, 102)),
             *((each, 12, each[:9]) for each in VILLAGES)]  # fmt: skip
    for code, level, parent in units:
        session.execute(
            sa.text(
                "INSERT INTO admin_units (code, level, parent_code, name, geom, source) VALUES "
                "(:code, :level, :parent, :code, ST_Multi(ST_MakeEnvelope(:w, :s, :e, :n, 4326)), "
                "'test')"
            ),
            {"code": code, "level": level, "parent": parent, **_box(code)},
        )
    codes = [grid(village, number) for village in range(len(VILLAGES)) for number in range(GRIDS)]
    frame = gpd.GeoDataFrame(
        {"code": codes, "unit": [each[:12] for each in codes], "households": 300, "buildings": 20,
         "target": 300},
        geometry=[
            box(*(round(each, 6) for each in (x - 0.005, y - 0.005, x + 0.005, y + 0.005)))
            for x, y in map(middle, codes)
        ],
        crs=4326,
    )  # fmt: skip
    edition = editions.save_draft(session, "990121", frame, title="first", author="planner")
    editions.publish(
        session, edition.id, approver="approver", effective=datetime(2025, 12, 1, tzinfo=UTC)
    )
    for (code, kind, monday), count in SECRETS.items():
        x, y = middle(code)
        for number in range(count):
            service.record(
                session,
                service.Report(
                    id=uuid.uuid4(), category=kind, source="s", x=x, y=y,
                    reported_at=monday + timedelta(hours=9 + number),
                ),
                actor="t",
            )  # fmt: skip


def _box(code: str) -> dict[str, float]:
    rows = [n for n, each in enumerate(VILLAGES) if each.startswith(code)]
    south, north = (round(45 + row * 0.01, 6) for row in (rows[0], rows[-1] + 1))
    return {"w": 117.0, "e": 117.06, "s": south, "n": north}


def periods() -> Iterator[tuple[datetime, datetime]]:
    """Days, growing periods, sliding weeks, months, halves of the year."""
    start = QUARTERS[0].start
    for week in range(13):
        yield start, start + timedelta(weeks=week + 1)
    for week in (1, 6, 12):
        yield start + timedelta(weeks=week), start + timedelta(weeks=week + 1)
    yield start + timedelta(days=2), start + timedelta(days=3)
    yield start, QUARTERS[1].end
    yield QUARTERS[1].start, QUARTERS[1].end
    yield datetime(2026, 3, 1, tzinfo=ZONE), datetime(2026, 4, 1, tzinfo=ZONE)


def attack(given: Given) -> set[str]:
    """Ask for everything, and tell what follows."""
    given.client.app.state.maps = MapCache()  # type: ignore[attr-defined]
    known = Attack()

    def ask(area: str, kinds: tuple[str, ...] = (), **query: Any) -> dict[str, Any] | None:
        answer = given.client.get(
            URL, params={"measure": "count", "category": kinds} | query,
            headers={"Authorization": f"Bearer {given.keys[area]}"},
        )  # fmt: skip
        if answer.status_code == 422:
            return None
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        assert told["shared"] is True
        known.read(told, kinds)
        return told

    for first, after in periods():
        ask("990121", start=first.isoformat(), end=after.isoformat())
    for quarter in QUARTERS:
        span = {"start": quarter.start.isoformat(), "end": quarter.end.isoformat()}
        for kind in KINDS:
            ask("990121", (kind,), **span)
        for pair in itertools.combinations(KINDS, 3):
            ask("990121", pair, **span)
        for area in ("990121101", VILLAGES[0], VILLAGES[4], VILLAGES[5]):
            ask(area, **span)
            ask("990121", unit=area, **span)
            ask(area, ("contract",), **span)
        ask("990121", unit="990121102", **span)
        _tables(given, known, quarter)
    return known.told()


def _tables(given: Given, known: Attack, quarter: sharing.Quarter) -> None:
    """Shared tables that were handed out: totals of every unit, and incidents by category."""
    with given.database.service_transaction() as session:
        caller = enter(session, Credential.of(given.tables, is_key=True))
        for kinds in ((), *((kind,) for kind in KINDS)):
            asked = collections.Filters(start=quarter.start, end=quarter.end, categories=kinds)
            span = (quarter.start.isoformat(), quarter.end.isoformat())
            counts = collections.read(session, caller, "incident_counts", asked, shared=True)
            for code, _, number, is_hidden in counts.rows:
                atoms = known.atoms(code, kinds, *span)
                if not is_hidden:
                    known.equations[atoms] = number
                elif not kinds:
                    known.at_least_one.add(atoms)
            rows = collections.read(session, caller, "incidents", asked, shared=True).rows
            for kind, number, _, _, code in rows:
                known.equations[known.atoms(code, (kind,), *span)] = number


def test_no_case_is_told_by_any_number_of_shared_maps(given: Given) -> None:
    assert sum(0 < n < K for n in SECRETS.values()) > 50
    assert attack(given) == set()


def _whole_weeks(start: Any, end: Any, *, timezone: str, now: datetime) -> Any:
    """Whole ISO weeks alone, wherever they begin: what one would think is enough."""
    quarter = sharing.quarter_of((start or now).date(), timezone)
    if start is None:
        return quarter
    monday = start - timedelta(days=start.weekday())
    after = end + timedelta(days=-end.weekday() % 7)
    return sharing.Quarter(quarter.year, quarter.number, monday, after)


def _each_by_itself(found: gridmap.Found) -> frozenset[str]:
    """Each map covers what it hides itself, and none thinks of the others."""

    def of(by_grid: Any) -> frozenset[str]:
        one = {(code, ""): 0 for code, _ in by_grid}
        for (code, _), number in by_grid.items():
            one[code, ""] += number
        return HIDDEN_OF(gridmap.Found(by_grid=one, units=found.units))

    gone = set(of(found.by_grid))
    for kind in KINDS:
        part = {key: number for key, number in found.by_grid.items() if key[1] == kind}
        gone |= {gridmap.cell(code, kind) for code in of(part) if code in found.units}
    return frozenset(gone)


HIDDEN_OF = gridmap.hidden_of


def _of_the_caller(session: Any, start: datetime, end: datetime) -> Any:
    """What is hidden is found from the grids that the caller sees, not from whole counties."""
    found, _ = SHARED_COUNTS(session, start, end)
    seen = set(session.scalars(sa.select(GridShape.code)))
    by_grid = {key: number for key, number in found.by_grid.items() if key[0] in seen}
    part = dataclasses.replace(found, by_grid=by_grid)
    return part, HIDDEN_OF(part)


SHARED_COUNTS = gridmaps.shared_counts


def _no_ones(counts: Any, together: Any, k: int) -> bool:
    """The sum of what is hidden is not small; that it may tell its parts all the same is missed."""
    return len(together) > 1 and sum(counts[code] for code in together) >= k


@pytest.mark.parametrize(
    ("target", "instead"),
    [
        pytest.param("maps.gridmaps.gridmap.K", 1, id="small counts are hidden"),
        pytest.param("maps.gridmaps.gridmap.cover", lambda *_: None, id="and what tells them"),
        pytest.param("maps.disclosure._is_covered", _no_ones, id="ones tell each other"),
        pytest.param("maps.sharing.quarter", _whole_weeks, id="periods are quarters"),
        pytest.param(
            "maps.gridmaps.service.hidden_of", _each_by_itself, id="one table for all categories"
        ),
        pytest.param("maps.gridmaps.service.shared_counts", _of_the_caller, id="of whole counties"),
    ],
)
def test_without_a_rule_cases_are_told(
    given: Given, monkeypatch: pytest.MonkeyPatch, target: str, instead: Any
) -> None:
    monkeypatch.setattr(target, instead)
    assert attack(given) != set()


LONE = ((117.0555, 45.0555), (117.0555, 45.0355), (117.0255, 45.0005))
"""Places far from the town, and one at the edge of two villages."""
UNITS = (None, VILLAGES[5], "990121101")


def densities(
    database: Database, lone: tuple[float, float] | None, units: Iterable[str | None] = UNITS
) -> list[Heatmap]:
    """Every shared density of the quarter, in a place with one event more; nothing is kept."""
    found = []
    with database.engine.connect() as connection, connection.begin() as outer:
        session = sa.orm.Session(connection, join_transaction_mode="create_savepoint")
        # A town of its own in the quarter after: many incidents in one spot.
        places = [(117.0255 + 1e-5 * n, 45.0215) for n in range(60)]
        for number, (x, y) in enumerate([*places, *([lone] if lone else [])]):
            service.record(
                session,
                service.Report(
                    id=uuid.uuid4(), category=KINDS[number % 2], source="s", x=x, y=y,
                    reported_at=datetime(2026, 7, 8, tzinfo=ZONE) + timedelta(hours=number),
                ),
                actor="t",
            )  # fmt: skip
        for unit, bandwidth_m in itertools.product(units, (50, 600)):
            found.append(incident_heatmap(
                session,
                Filter(start=datetime(2026, 7, 8, tzinfo=ZONE),
                       end=datetime(2026, 7, 9, tzinfo=ZONE)),
                unit=unit, bandwidth_m=bandwidth_m, case_team=False,
                now=datetime(2026, 10, 20, tzinfo=ZONE),
            ))  # fmt: skip
        outer.rollback()
    return found


def pictures(database: Database, lone: tuple[float, float] | None) -> list[bytes]:
    """All that is told of these densities."""
    found = []
    for made in densities(database, lone):
        picture, bounds = raster.to_mercator(made, 256)
        found.append(repr((made.n, made.maximum, made.bulk_m, bounds)).encode())
        found.append(picture.tobytes() + made.values.tobytes() + made.hidden.tobytes())
    return found


def test_a_lone_incident_changes_no_shared_density(given: Given) -> None:
    """Whether there is one, and where, is told by no area and no bandwidth."""
    without = pictures(given.database, None)
    for lone in LONE:
        assert pictures(given.database, lone) == without, lone


BEYOND = (117.0255, 45.0195)
"""Over the border of the town's village, and so near the town that its ground is of many."""


def county_less_village(database: Database, lone: tuple[float, float] | None) -> np.ndarray:
    """What is left of the county's densities, in the town's village, less the village's own."""
    left = []
    made = densities(database, lone, (None, VILLAGES[2]))
    for whole, part in zip(made[:2], made[2:], strict=True):
        row, column = np.argwhere(np.isfinite(part.values)).T
        x, y = (part.bbox_m[i] + (each + 0.5) * part.cell_m for i, each in ((0, column), (1, row)))
        at = [
            ((each - whole.bbox_m[i]) // whole.cell_m).astype(int) for i, each in ((1, y), (0, x))
        ]
        left.append(whole.values[at[0], at[1]] - part.values[row, column])
    return np.concatenate(left)


def test_a_county_less_its_part_is_nothing(given: Given) -> None:
    for lone in (None, BEYOND):
        assert (county_less_village(given.database, lone) == 0).all()


def test_of_parts_by_themselves_what_lies_at_the_edge_is_seen(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maps.service._counties", lambda _session, drawn, _moment: drawn)
    without = county_less_village(given.database, None)
    assert (county_less_village(given.database, BEYOND) - without > 0).any()


def _all_ground(events: Any, bandwidth_m: float) -> Any:
    return np.zeros(events.shape, dtype=bool)


@pytest.mark.parametrize(
    ("target", "instead"),
    [
        pytest.param("maps.heatmap._is_of_few", _all_ground, id="ground of few is hidden"),
        pytest.param("maps.sharing.rounded", lambda n: n, id="numbers are told in fives"),
    ],
)
def test_without_a_rule_a_lone_incident_is_seen(
    given: Given, monkeypatch: pytest.MonkeyPatch, target: str, instead: Any
) -> None:
    monkeypatch.setattr(target, instead)
    assert pictures(given.database, LONE[0]) != pictures(given.database, None)
