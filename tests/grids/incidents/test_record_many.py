"""Many incidents at once are stored exactly as each alone would be."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from grids.incidents import service, steps
from grids.people import service as people
from grids.people.models import Person
from tests import conftest, factories
from tests.factories import NORTH, SOUTH, STEP, WEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from gis.cluster import Cluster
    from gis.database import Database

LEAVE = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC)
BORDER = NORTH + 0.002
KEPT = "edition_id, grid_id, assignment_id, person_id, reason, review, county_code, state"


def border(session: Session) -> None:
    """A stretch of the national border some 200 m north of the county."""
    session.execute(
        sa.text(
            "INSERT INTO border_lines (county_code, name, our_side, geom, source, external_id) "
            "VALUES (:county, '北界', 'right', ST_GeomFromText(:line, 4326), 't', '1')"
        ),
        {
            "county": factories.COUNTY,
            "line": f"LINESTRING({WEST - 1} {BORDER},{WEST + 1} {BORDER})",
        },
    )


@pytest.fixture(scope="module")
def staffed(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """One worker on leave with a deputy, one without, one grid with nobody."""
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            county = factories.county(session)
            deputy = people.add(session, "代理", county_code=factories.COUNTY, actor="t")
            for place, instead in ((0, deputy), (1, None)):
                who = session.get_one(Person, county.workers[factories.grid_code(place)])
                people.take_leave(
                    session, who, since=LEAVE[0], until=LEAVE[1], actor="t", deputy=instead
                )
            session.execute(
                sa.text("DELETE FROM assignments WHERE grid_id = :grid"),
                {"grid": county.grids[factories.grid_code(3)]},
            )
            border(session)
        yield database


longitude = st.one_of(
    st.integers(-1, 5).map(lambda n: WEST + n * STEP),
    st.floats(WEST - STEP, WEST + 5 * STEP),
)
latitude = st.one_of(
    st.sampled_from([SOUTH, NORTH, np.nextafter(SOUTH, 0), np.nextafter(NORTH, 90)]),
    st.floats(SOUTH - 0.005, NORTH + 0.005),
)
SECOND = timedelta(seconds=1)
moment = st.sampled_from(
    [
        factories.SINCE - SECOND, factories.SINCE, datetime(2026, 1, 15, tzinfo=UTC),
        LEAVE[0] - SECOND, LEAVE[0], LEAVE[1] - SECOND, LEAVE[1],
    ]
)  # fmt: skip
place = st.one_of(st.none(), st.tuples(longitude, latitude))


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    made = pd.DataFrame(rows)
    for name, value in (
        ("county_code", factories.COUNTY), ("source", "many"), ("category", "other"),
    ):  # fmt: skip
        if name not in made:
            made[name] = value
    if "lon" in made:
        has_place = made["lon"].notna()
        made["source_crs"] = np.where(has_place, "wgs84", None)
        made["method"] = np.where(has_place, "import", None)
        made["source_x"], made["source_y"] = made["lon"], made["lat"]
    return made


def stored(session: Session, source: str) -> list[tuple[Any, ...]]:
    rows = session.execute(
        sa.text(f"SELECT {KEPT} FROM incidents WHERE source = :s ORDER BY external_id"),
        {"s": source},
    )
    return [tuple(row) for row in rows]


@given(reports=st.lists(st.tuples(place, moment), min_size=1, max_size=12))
def test_as_each_alone(
    staffed: Database, reports: list[tuple[tuple[float, float] | None, datetime]]
) -> None:
    with staffed.engine.connect() as connection:
        session = sa.orm.Session(connection)
        for number, (where, at) in enumerate(reports):
            x, y = where if where is not None else (None, None)
            service.record(
                session,
                service.Report(
                    id=uuid.uuid4(), category="other", source="alone", reported_at=at, x=x, y=y,
                    external_id=f"{number:03d}",
                ),
                actor="t",
            )  # fmt: skip
        done = service.record_many(
            session,
            frame(
                [
                    {
                        "external_id": f"{number:03d}",
                        "reported_at": at,
                        "lon": where[0] if where else np.nan,
                        "lat": where[1] if where else np.nan,
                    }
                    for number, (where, at) in enumerate(reports)
                ]
            ),
            actor="t",
        )
        assert (done.new, done.unchanged) == (len(reports), 0)
        assert stored(session, "many") == stored(session, "alone")
        reviews = [row[5] for row in stored(session, "alone") if row[5] is not None]
        assert dict(done.review) == {name: reviews.count(name) for name in set(reviews)}
        events = session.execute(
            sa.text(
                "SELECT i.source, e.kind, e.to_state, e.data, e.at = i.reported_at "
                "FROM incident_events AS e JOIN incidents AS i ON i.id = e.incident_id "
                "ORDER BY i.external_id, i.source"
            )
        ).all()
        assert [tuple(row)[1:] for row in events[::2]] == [tuple(row)[1:] for row in events[1::2]]
        session.close()
        connection.rollback()


AT = datetime(2026, 1, 15, 8, tzinfo=UTC)


def one(**fields: Any) -> dict[str, Any]:
    lon, lat = factories.middle(0)
    return {"external_id": "1", "reported_at": AT, "lon": lon, "lat": lat} | fields


def test_across_the_border_is_told_from_outside(session: Session) -> None:
    factories.county(session)
    border(session)
    lon, before = factories.middle(0)[0], factories.SINCE - SECOND
    rows = [
        one(external_id="1 across", lat=BORDER + 1e-6),
        one(external_id="2 across, before any edition", lat=BORDER + 1e-6, reported_at=before),
        one(external_id="3 on it", lat=BORDER),
        one(external_id="4 ours", lat=BORDER - 1e-6),
        one(external_id="5 beyond its end", lon=lon + 2, lat=BORDER + 1e-6),
    ]
    done = service.record_many(session, frame(rows), actor="t")
    found = session.execute(sa.text("SELECT reason, review FROM incidents ORDER BY external_id"))
    across, outside = ("across_border", "outside"), ("outside", "outside")
    assert [tuple(row) for row in found] == [across, across, outside, outside, outside]
    assert dict(done.review) == {"outside": 5}


def test_again_changes_nothing(session: Session) -> None:
    factories.county(session)
    rows = frame([one(external_id=str(number)) for number in range(5)])
    first = service.record_many(session, rows, actor="t")
    again = service.record_many(session, rows, actor="t")
    assert (first.new, first.unchanged) == (5, 0)
    assert (again.new, again.unchanged, list(again.conflicting)) == (0, 5, [])
    assert session.scalar(sa.text("SELECT count(*) FROM incident_events")) == 5


def test_other_content_is_named_and_not_written(session: Session) -> None:
    factories.county(session)
    service.record_many(session, frame([one(text="first"), one(external_id="2")]), actor="t")
    done = service.record_many(
        session, frame([one(text="second"), one(external_id="2")]), actor="t"
    )
    assert (done.new, done.unchanged, list(done.conflicting)) == (0, 2, ["1"])
    assert session.scalar(sa.text("SELECT text FROM incidents WHERE external_id = '1'")) == "first"


def test_without_an_external_id_the_content_is_the_identity(session: Session) -> None:
    factories.county(session)
    rows = frame([one(external_id=None, text="a"), one(external_id=None, text="b")])
    assert service.record_many(session, rows, actor="t").new == 2
    assert service.record_many(session, rows, actor="t").unchanged == 2


def test_closed_ones_get_their_closing_event(session: Session) -> None:
    factories.county(session)
    closed = AT + timedelta(days=3)
    service.record_many(
        session, frame([one(closed_at=closed), one(external_id="2", closed_at=None)]), actor="t"
    )
    states = session.execute(sa.text("SELECT external_id, state FROM incidents ORDER BY 1")).all()
    assert [tuple(row) for row in states] == [("1", "closed"), ("2", "reported")]
    (event,) = session.execute(
        sa.text("SELECT at, from_state FROM incident_events WHERE kind = 'state'")
    ).all()
    assert tuple(event) == (closed, "reported")


def test_a_row_that_is_there_twice_is_stored_and_closed_once(session: Session) -> None:
    factories.county(session)
    row = one(closed_at=AT + timedelta(days=1))
    done = service.record_many(session, frame([row, row]), actor="t")
    assert (done.new, done.unchanged, list(done.conflicting)) == (1, 1, [])
    assert session.scalar(sa.text("SELECT count(*) FROM incident_events")) == 2


class TestClosedSince:
    """The ledger comes again, with a closing time that was empty before."""

    CLOSED = AT + timedelta(days=3)

    @pytest.fixture(autouse=True)
    def open_one(self, session: Session) -> None:
        factories.county(session)
        service.record_many(session, frame([one(), one(external_id="2")]), actor="t")

    def again(self, session: Session, **fields: Any) -> service.Recorded:
        rows = [one(**fields), one(external_id="2")]
        return service.record_many(session, frame(rows), actor="ledger")

    def step(self, session: Session, *states: str, at: datetime = AT) -> None:
        (number,) = session.scalars(sa.text("SELECT id FROM incidents WHERE external_id = '1'"))
        for state in states:
            steps.step(session, number, state, actor="t", at=at)

    def steps(self, session: Session) -> list[tuple[Any, ...]]:
        rows = session.execute(
            sa.text(
                "SELECT from_state, to_state, e.at, actor FROM incident_events AS e "
                "JOIN incidents AS i ON i.id = incident_id WHERE external_id = '1' "
                "AND to_state = 'closed' ORDER BY e.id"
            )
        )
        return [tuple(row) for row in rows]

    def test_it_is_closed_once(self, session: Session) -> None:
        for closed, unchanged in ((1, 1), (0, 2)):
            done = self.again(session, closed_at=self.CLOSED)
            assert (done.new, done.closed, done.unchanged) == (0, closed, unchanged)
            assert (list(done.conflicting), list(done.not_closed)) == ([], [])
            assert self.steps(session) == [("reported", "closed", self.CLOSED, "ledger")]
        assert session.scalar(sa.text("SELECT count(*) FROM incident_events")) == 3

    def test_from_the_state_it_was_brought_to_here(self, session: Session) -> None:
        self.step(session, "handling", "resolved")
        assert self.again(session, closed_at=self.CLOSED).closed == 1
        assert self.steps(session) == [("resolved", "closed", self.CLOSED, "ledger")]

    def test_not_past_the_state_machine(self, session: Session) -> None:
        self.step(session, "handling")
        done = self.again(session, closed_at=self.CLOSED)
        assert (done.closed, done.unchanged, list(done.not_closed)) == (0, 2, ["1"])
        assert self.steps(session) == []

    def test_not_before_a_later_step(self, session: Session) -> None:
        self.step(session, "handling", "resolved", at=self.CLOSED + timedelta(hours=1))
        assert list(self.again(session, closed_at=self.CLOSED).not_closed) == ["1"]
        assert self.steps(session) == []

    def test_not_again_after_it_was_reopened(self, session: Session) -> None:
        self.again(session, closed_at=self.CLOSED)
        self.step(session, "reopened", "handling", "resolved", at=self.CLOSED + timedelta(days=1))
        done = self.again(session, closed_at=self.CLOSED)
        assert (done.closed, list(done.not_closed)) == (0, [])
        assert len(self.steps(session)) == 1

    def test_not_by_a_row_with_other_content(self, session: Session) -> None:
        done = self.again(session, closed_at=self.CLOSED, text="another dispute")
        assert (done.closed, list(done.conflicting), list(done.not_closed)) == (0, ["1"], [])
        assert self.steps(session) == []


def test_nothing(session: Session) -> None:
    done = service.record_many(session, frame([]), actor="t")
    assert (done.new, done.unchanged) == (0, 0)


def test_twenty_thousand(session: Session) -> None:
    factories.county(session)
    random = np.random.default_rng(3)
    lon = random.uniform(WEST, WEST + 4 * STEP, 20_000)
    lat = random.uniform(SOUTH, NORTH, 20_000)
    rows = frame(
        [
            one(external_id=str(number), lon=x, lat=y)
            for number, (x, y) in enumerate(zip(lon, lat, strict=True))
        ]
    )
    done = service.record_many(session, rows, actor="t")
    assert (done.new, dict(done.review)) == (20_000, {})
    counts = session.execute(
        sa.text(
            "SELECT g.code, count(*) FROM incidents AS i "
            "JOIN grid_shapes AS g USING (edition_id, grid_id) GROUP BY 1 ORDER BY 1"
        )
    ).all()
    by_hand = np.bincount(((lon - WEST) / STEP).astype(int))
    assert [tuple(row) for row in counts] == [
        (factories.grid_code(place), int(by_hand[place])) for place in range(4)
    ]
