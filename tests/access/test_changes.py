"""What is taken away is gone at the next request; what is given begins with it, never before."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from api.auth import COOKIE
from boundaries.access import SETTINGS, Credential, enter
from boundaries.accounts.models import Account
from boundaries.errors import NotSignedIn
from tests import factories
from tests.access import rules
from tests.access.place import A1, A11, B11, GRIDS, A, Caller, middle, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from tests.access.conftest import Answer, Marked

INCIDENTS = "/api/v1/incidents"


class Signed:
    """An account of a test's own, signed in on a device."""

    made = 0

    def __init__(self, marked: Marked, role: str, area: str) -> None:
        Signed.made += 1
        self.marked = marked
        with marked.database.transaction() as session:
            account = factories.account(session, role, area, login=f"own.{Signed.made}")
            self.id, self.token = account.id, factories.token(session, account)
        self.caller = Caller(role, area)

    def get(self, path: str, query: str = "") -> Answer:
        """Ask with the cookie of its session."""
        cookie = ((b"cookie", f"{COOKIE}={self.token}".encode()),)
        return self.marked.ask(None, "GET", path, query, headers=cookie)

    def sees(self) -> set[str]:
        """Ids of the incidents that it is shown."""
        return {item["id"] for item in json.loads(self.get(INCIDENTS).body)["items"]}

    def change(self, sql: str, **values: Any) -> None:
        """Let an administrator change something, committed."""
        with self.marked.database.transaction() as session:
            session.execute(sa.text(sql), {"id": self.id} | values)

    def grant(self, area: str, valid: str) -> None:
        """Give it access to another area."""
        self.change(
            "INSERT INTO area_grants (account_id, area_code, kind, reason, valid, given_by) "
            "VALUES (:id, :area, 'grant', 'a joint case', CAST(:valid AS tstzrange), 'test')",
            area=area, valid=valid,
        )  # fmt: skip

    @contextmanager
    def let_in(self) -> Iterator[Session]:
        """A request that takes long."""
        with self.marked.database.service_transaction() as session:
            enter(session, Credential.of(self.token, is_key=False))
            yield session


def ids(marked: Marked, *areas: str) -> set[str]:
    """Incidents of areas."""
    rows = marked.place.rows["incident"]
    return {report(row)["id"] for row in rows if row.areas[0].startswith(areas)}


def listed(session: Session) -> set[str]:
    return set(session.scalars(sa.text("SELECT id::text FROM incidents")))


DAY = timedelta(days=1)  # a run takes its time, and these are of its beginning
NOW = f"[{datetime.now(UTC) - DAY}, {datetime.now(UTC) + DAY})"
OVER = f"[{datetime.now(UTC) - 2 * DAY}, {datetime.now(UTC) - DAY})"
TO_COME = f"[{datetime.now(UTC) + DAY}, {datetime.now(UTC) + 2 * DAY})"


def test_a_change_of_role_or_area_holds_from_the_next_request(marked: Marked) -> None:
    who = Signed(marked, "township", A1)
    assert who.sees() == ids(marked, A1)
    who.change("UPDATE accounts SET area_code = :area WHERE id = :id", area=A11)
    assert who.sees() == ids(marked, A11)
    who.change("UPDATE accounts SET role = 'planner' WHERE id = :id")
    assert who.get(INCIDENTS).status == 403
    assert who.get("/tiles/incidents/9/422/184").status == 403
    who.change("UPDATE accounts SET role = NULL WHERE id = :id")
    assert json.loads(who.get("/api/v1/session").body)["rights"] == []
    assert who.get("/tiles/grids/9/422/184").status == 403


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET disabled_at = now() WHERE id = :id",
        "UPDATE accounts SET valid = tstzrange(NULL, now() - interval '1 s') WHERE id = :id",
        "UPDATE sessions SET ended_at = now(), ended_by = 'test' WHERE account_id = :id",
        "UPDATE sessions SET expires_at = now() WHERE account_id = :id",
        "UPDATE sessions SET last_seen_at = '2026-01-01' WHERE account_id = :id",
    ],
)
def test_whoever_is_shut_out_is_out_at_the_next_request(marked: Marked, change: str) -> None:
    who = Signed(marked, "dispatcher", A)
    assert who.get(INCIDENTS).status == 200
    who.change(change)
    answer = who.get(INCIDENTS)
    assert answer.status == 401
    assert not marked.place.found(answer.whole)


def test_a_grant_adds_its_area_while_it_lasts(marked: Marked) -> None:
    who = Signed(marked, "township", A1)
    for valid in (OVER, TO_COME):
        who.grant(B11, valid)
        assert who.sees() == ids(marked, A1)
    who.grant(B11, NOW)
    assert who.sees() == ids(marked, A1, B11)
    lon, lat = middle(GRIDS[8])
    found = json.loads(who.get("/api/v1/locate", f"lon={lon}&lat={lat}").body)
    assert found["grid"]["code"] == GRIDS[8]
    page = json.loads(who.get(INCIDENTS, f"bbox={lon - 0.02},{lat - 0.1},{lon},{lat + 0.1}").body)
    assert page["count"] == 1
    # Every table shows what the table of sight says of an account with two areas.
    caller = Caller("township", A1, also=(B11,))
    with who.let_in() as session:
        for kind, table, key in (("grid", "grid_shapes", "code"), ("person", "persons", "id"),
                                 ("edition", "editions", "title"), ("leave", "leaves", "author"),
                                 ("barrier", "barriers", "name")):  # fmt: skip
            shown = session.scalars(sa.text(f"SELECT {key}::text FROM {table}")).all()
            wanted = rules.marks(rules.visible(marked.place, caller, kind))
            assert {marked.place.keys[table, each] for each in shown} == wanted, kind
    who.change("UPDATE area_grants SET ended_at = now(), ended_by = 'test' WHERE account_id = :id")
    assert who.sees() == ids(marked, A1)


def test_a_grant_adds_no_rights(marked: Marked) -> None:
    who = Signed(marked, "planner", A1)
    who.grant(B11, NOW)
    assert who.get(INCIDENTS).status == 403
    with who.let_in() as session:
        assert listed(session) == set()


def test_what_begins_during_a_request_does_not_widen_it(marked: Marked) -> None:
    who = Signed(marked, "township", A1)
    with who.let_in() as session:
        assert listed(session) == ids(marked, A1)
        who.change("UPDATE accounts SET area_code = '', role = 'dispatcher' WHERE id = :id")
        who.grant(B11, NOW)
        assert listed(session) == ids(marked, A1)
        assert session.scalar(sa.text("SELECT count(*) FROM cameras")) == 0
    with who.let_in() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM cameras")) > 0


def test_entering_anew_leaves_nothing_of_the_one_before(marked: Marked) -> None:
    who = Signed(marked, "township", A1)
    who.grant(B11, NOW)
    with who.let_in() as session:
        enter(session, Credential.of(marked.place.tokens["community.990121101001"], is_key=True))
        assert listed(session) == ids(marked, A11)
        with pytest.raises(NotSignedIn):
            enter(session, Credential.of("no such key", is_key=True))
        assert listed(session) == set()
        for name in SETTINGS:
            setting = sa.text(f"SELECT current_setting('wangge.{name}', true)")
            assert not session.scalar(setting), name


def test_a_key_sees_no_more_than_its_account_and_what_it_was_given(marked: Marked) -> None:
    who = Signed(marked, "dispatcher", A)
    with marked.database.transaction() as session:
        account = session.get_one(Account, who.id)
        narrow = factories.key(session, account, rights=["incidents.read"], area=A11)
        # A right that its role has not, and an area that is not its account's.
        bold = factories.key(session, account, rights=["drafts.read", "incidents.read"])
        away = factories.key(session, account, area=B11)
    who.grant(B11, NOW)
    for key, wanted, rights in (
        (narrow, ids(marked, A11), {"incidents.read"}),
        (bold, ids(marked, A), {"incidents.read"}),
    ):
        with marked.database.service_transaction() as session:
            assert enter(session, Credential.of(key, is_key=True)).rights == rights
            assert listed(session) == wanted
            assert session.scalar(sa.text("SELECT count(*) FROM grid_shapes")) == 0
    with marked.database.service_transaction() as session:
        with pytest.raises(NotSignedIn):
            enter(session, Credential.of(away, is_key=True))
        assert listed(session) == set()


def counted(answer: Answer) -> int:
    found = json.loads(answer.body)
    return found["n"] + found["n_outside"] + found["n_without_place"]


def test_no_heat_map_of_another_sight_is_answered(marked: Marked) -> None:
    """Two analysts of one village, one of whom has reported something elsewhere."""
    url = "/api/v1/heatmaps"
    moved, other = Caller("analyst", A11), Signed(marked, "analyst", A11)
    # The newest event is one that both see, so that nothing but their sight tells them apart.
    lon, lat = middle(A11 + "001")
    body = json.dumps({"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "category": "other",
                       "lon": lon, "lat": lat}).encode()  # fmt: skip
    assert marked.ask(Caller("dispatcher", A), "POST", INCIDENTS, body=body).status == 201
    first = counted(marked.ask(moved, "GET", url))
    assert counted(other.get(url)) == first - 1 == len(other.sees())
    assert counted(marked.ask(moved, "GET", url)) == first
    # A key of the same account that may see densities and no incidents is shown what may leave.
    with marked.database.transaction() as session:
        account = session.get_one(Account, other.id)
        blind = factories.key(session, account, rights=["heatmaps.read"])
    headers = ((b"authorization", f"Bearer {blind}".encode()),)
    shown = json.loads(marked.ask(None, "GET", url, headers=headers).body)
    assert (shown["shared"], shown["n_without_place"]) == (True, 0)
    assert shown["n"] is None or shown["n"] % 5 == 0


def test_sight_names_all_that_the_policies_read(marked: Marked) -> None:
    with marked.database.engine.connect() as connection:
        policies = connection.scalars(
            sa.text("SELECT concat(qual, ' ', with_check) FROM pg_policies")
        ).all()
        functions = dict(
            connection.execute(
                sa.text(
                    "SELECT proname, string_agg(prosrc, ' ') FROM pg_proc WHERE proname LIKE "
                    "'wangge%' AND pronamespace = 'public'::regnamespace GROUP BY 1"
                )
            ).all()
        )
    text, called, more = " ".join(policies), set(), True
    while more:
        new = {name for name in functions if f"{name}(" in text} - called
        text += " ".join(functions[name] for name in new)
        called |= new
        more = bool(new)
    read = set(re.findall(r"wangge_setting\('(\w+)'", text))
    read |= set(re.findall(r"current_setting\('wangge\.(\w+)'", text))
    assert read == set(SETTINGS)
