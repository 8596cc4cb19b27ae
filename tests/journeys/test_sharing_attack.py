"""Whoever is given any number of shared maps and tables cannot tell a single case from them.

The attacker has keys of several areas that may see densities and grids and no incident; it also
holds shared tables of counts. It asks for every period, category and unit it likes, writes down
what each answer says of the numbers behind it, and asks a solver for each of them: one that can
have a single value only is told. Each rule is switched off in turn, and the attack must then
succeed: an attack that finds nothing anyway proves nothing.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pytest
import sqlalchemy as sa
import sqlalchemy.orm
from fastapi.testclient import TestClient
from scipy import sparse
from scipy.optimize import linprog
from shapely import box

from api.app import create_app
from api.settings import ServerSettings
from boundaries.access import Credential, enter
from grids import service as editions
from grids.incidents import service
from grids.incidents.repository import Filter
from maps import raster, sharing
from maps.disclosure import K
from maps.exports import collections
from maps.gridmaps import gridmap
from maps.service import MapCache, incident_heatmap
from tests import conftest, factories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster
    from gis.database import Database

pytestmark = pytest.mark.slow
ZONE = ZoneInfo("Asia/Shanghai")
QUARTERS = [sharing.quarter_of(day, "Asia/Shanghai") for day in (
    datetime(2026, 2, 2, tzinfo=ZONE).date(), datetime(2026, 5, 4, tzinfo=ZONE).date(),
)]  # fmt: skip
KINDS = ("neighbour", "contract", "housing", "tourism")
VILLAGES = tuple(f"990121{town}{village:03}" for town in (101, 102) for village in (1, 2, 3))
GRIDS = 6
"""Of each village."""
URL = "/api/v1/gridmaps"
Atom = tuple[str, str, datetime]
"""A grid, a category and a Monday: the finest that a question can tell apart."""


def grid(village: int, number: int) -> str:
    return f"{VILLAGES[village]}{number + 1:03}"


def middle(code: str) -> tuple[float, float]:
    village, number = VILLAGES.index(code[:12]), int(code[12:]) - 1
    return 117.005 + number * 0.01, 45.005 + village * 0.01


def secrets_of_the_place() -> dict[Atom, int]:
    """Incidents by grid, category and week: some grids with many, most with few, some with ones."""
    rng = np.random.default_rng(17)
    found: dict[Atom, int] = {}
    for quarter in QUARTERS:
        for village, number in itertools.product(range(len(VILLAGES)), range(GRIDS)):
            usual = (9, 1.5, 0.6, 5, 0, 3)[number] * (1 + village % 3) / 2
            for kind, share in zip(KINDS, (0.5, 0.25, 0.15, 0.1), strict=True):
                for _ in range(rng.poisson(usual * share)):
                    monday = quarter.start + timedelta(weeks=int(rng.integers(13)))
                    atom = (grid(village, number), kind, monday)
                    found[atom] = found.get(atom, 0) + 1
    # A village in which one grid alone is small, and one with a one in each of five grids.
    start = QUARTERS[0].start
    found = {a: n for a, n in found.items()
             if a[0][:12] not in {VILLAGES[0], VILLAGES[5]} or a[2] >= QUARTERS[0].end}  # fmt: skip
    for number, count in enumerate((9, 2, 30, 11, 6, 0)):
        if count:
            found[grid(0, number), "contract", start] = count
    for number in range(5):
        found[grid(5, number), KINDS[number % 4], start] = 1
    found[grid(5, 5), "housing", start] = 40
    # A grid with many, of which one category alone is small; it stands in another week.
    found[grid(0, 2), "housing", start + timedelta(weeks=1)] = 3
    return found


SECRETS = secrets_of_the_place()


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
            for area in ("990121", "990121101", VILLAGES[0], VILLAGES[5]):
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


class Attack:
    """What is known of the numbers, as linear equations, and what follows from them."""

    def __init__(self) -> None:
        self.columns: dict[Atom, int] = {
            (grid(v, g), kind, quarter.start + timedelta(weeks=week)): n
            for n, (quarter, week, v, g, kind) in enumerate(
                itertools.product(QUARTERS, range(13), range(len(VILLAGES)), range(GRIDS), KINDS)
            )
        }
        self.equations: dict[frozenset[int], int] = {}
        self.at_least_one: set[frozenset[int]] = set()

    def atoms(self, code: str, kinds: tuple[str, ...], start: str, end: str) -> frozenset[int]:
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        return frozenset(
            n for (g, kind, monday), n in self.columns.items()
            if g.startswith(code) and (not kinds or kind in kinds) and first <= monday < last
        )  # fmt: skip

    def read(self, told: dict[str, Any], kinds: tuple[str, ...]) -> None:
        """Of a grid map, each number; and that what is hidden is no zero, as far as it is told."""
        for each in told["grids"]:
            atoms = self.atoms(each["code"], kinds, told["start"], told["end"])
            if each["incidents"] is not None:
                self.equations[atoms] = each["incidents"]
            elif not kinds:
                self.at_least_one.add(atoms)

    def told(self) -> set[str]:
        """Grids, categories of grids, and weeks of grids with 1 to 4 incidents that are told."""
        n = len(self.columns)
        known = [(atoms, value) for atoms, value in self.equations.items() if atoms]
        rows = np.repeat(np.arange(len(known)), [len(atoms) for atoms, _ in known])
        cols = np.concatenate([np.fromiter(atoms, int) for atoms, _ in known])
        table = sparse.csr_array((np.ones(cols.size), (rows, cols)), shape=(len(known), n))
        values = np.array([value for _, value in known], dtype=float)
        # Numbers that occur in the same equations only stand for one unknown: their sum.
        lower = [sum(1 for _ in atoms) > 0 for atoms in self.at_least_one]
        more = np.array(
            [[a in atoms for a in range(n)] for atoms in self.at_least_one], dtype=float
        )
        shape = np.concatenate([table.toarray(), more]) if lower else table.toarray()
        patterns, which = np.unique(shape, axis=1, return_inverse=True)
        which = which.ravel()
        equal, least = patterns[: len(known)], patterns[len(known) :]
        found = set()
        truth = np.zeros(n)
        for atom, count in SECRETS.items():
            truth[self.columns[atom]] = count
        for name, atoms in self.targets():
            secret = int(truth[list(atoms)].sum())
            if not 0 < secret < K:
                continue
            groups = set(which[list(atoms)])
            # What cannot be put together from whole unknowns is not told by any of them.
            if set(np.flatnonzero(np.isin(which, list(groups)))) - set(atoms):
                continue
            wanted = np.zeros(patterns.shape[1])
            wanted[list(groups)] = 1
            ends = [
                linprog(sign * wanted, A_eq=equal, b_eq=values,
                        A_ub=-least if len(least) else None,
                        b_ub=-np.ones(len(least)) if len(least) else None)
                for sign in (1, -1)
            ]  # fmt: skip
            if ends[1].status == 0 and ends[0].fun > -ends[1].fun - 0.5:
                assert round(ends[0].fun) == secret
                found.add(name)
        return found

    def targets(self) -> Iterator[tuple[str, frozenset[int]]]:
        """Numbers that are secrets where they are small."""
        for v, g in itertools.product(range(len(VILLAGES)), range(GRIDS)):
            code = grid(v, g)
            for quarter in QUARTERS:
                span = (quarter.start.isoformat(), quarter.end.isoformat())
                yield f"{code} {quarter.number}", self.atoms(code, (), *span)
                for kind in KINDS:
                    yield f"{code} {quarter.number} {kind}", self.atoms(code, (kind,), *span)
            # By week in the first villages: of all of them it takes long.
            for week in range(13 if v in {0, 1} else 0):
                monday = QUARTERS[0].start + timedelta(weeks=week)
                after = monday + timedelta(weeks=1)
                yield (
                    f"{code} week {week}",
                    self.atoms(code, (), monday.isoformat(), after.isoformat()),
                )


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
        for area in ("990121101", VILLAGES[0], VILLAGES[5]):
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


def pictures(database: Database, lone: tuple[float, float] | None) -> list[bytes]:
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
        for unit, bandwidth_m in itertools.product(UNITS, (50, 600)):
            made = incident_heatmap(
                session,
                Filter(start=datetime(2026, 7, 8, tzinfo=ZONE),
                       end=datetime(2026, 7, 9, tzinfo=ZONE)),
                unit=unit, bandwidth_m=bandwidth_m, case_team=False,
                now=datetime(2026, 10, 20, tzinfo=ZONE),
            )  # fmt: skip
            picture, bounds = raster.to_mercator(made, 256)
            found.append(repr((made.n, made.maximum, made.bulk_m, bounds)).encode())
            found.append(picture.tobytes() + made.values.tobytes() + made.hidden.tobytes())
        outer.rollback()
    return found


def test_a_lone_incident_changes_no_shared_density(given: Given) -> None:
    """Whether there is one, and where, is told by no area and no bandwidth."""
    without = pictures(given.database, None)
    for lone in LONE:
        assert pictures(given.database, lone) == without, lone


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
