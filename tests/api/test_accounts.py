"""Accounts, keys and grants over HTTP: who gives what to whom, and who may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.settings import ServerSettings
from boundaries.access import Credential, enter
from boundaries.accounts import passwords, repository
from gis.database import execute
from grids.incidents import service as incidents
from tests import factories
from tests.api.accounts import OTHER, PASSWORD, browser, kind, person, sign_in

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator

    from gis.database import Database
    from tests.api.conftest import TestClient

    As = Callable[[str], TestClient]

WEST_VILLAGE, EAST_VILLAGE = factories.VILLAGES


@pytest.fixture
def place(database: Database) -> Database:
    with database.transaction() as session:
        factories.county(session)
        for number in range(4):
            lon, lat = factories.middle(number)
            incidents.record(
                session,
                incidents.Report(
                    id=factories.uuid_of(number), category="other", source="s", x=lon, y=lat
                ),
                actor="t",
            )
    for role, area in (
        ("system_admin", ""), ("security_admin", ""), ("audit_admin", ""),
        ("community", WEST_VILLAGE), ("township", factories.TOWNSHIP), ("integrator", WEST_VILLAGE),
        (None, WEST_VILLAGE),
    ):  # fmt: skip
        person(database, role, area, login=role or "newcomer")
    return database


@pytest.fixture
def as_(place: Database) -> Iterator[As]:
    """Clients that are signed in, by login."""
    app, clients = create_app(ServerSettings(), place), {}
    stack: list[Any] = []

    def get(login: str) -> TestClient:
        if login not in clients:
            stack.append(browser(app))
            clients[login] = stack[-1].__enter__()
            answer = sign_in(clients[login], login)
            assert answer.status_code == 201, answer.text
        return clients[login]

    yield get
    for each in stack:
        each.__exit__(None, None, None)


def id_of(place: Database, login: str) -> uuid.UUID:
    with place.transaction() as session:
        found = execute(session, "SELECT id FROM accounts WHERE login = :login", login=login)
        return found.scalar_one()


def seen(client: TestClient) -> list[int]:
    """Places of the incidents that a client sees, 0 in the west to 3."""
    items = client.get("/api/v1/incidents").json()["items"]
    return sorted(int(each["id"][-1]) for each in items)


class TestOpening:
    """The system administrator opens, shuts and resets accounts, and gives no roles."""

    NEW: ClassVar = {"login": "Wang.Yi", "name": "王一", "area_code": WEST_VILLAGE}

    def test_an_account_without_a_role_may_do_nothing(self, as_: As, place: Database) -> None:
        answer = as_("system_admin").post("/api/v1/accounts", json=self.NEW)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["login"], made["role"], made["must_change_password"]) == (
            "wang.yi",
            None,
            True,
        )
        assert answer.headers["cache-control"] == "no-store"
        with browser(as_("system_admin").app) as client:
            assert sign_in(client, "wang.yi", made["one_time_password"]).status_code == 201
            body = {"current": made["one_time_password"], "new": OTHER}
            assert client.put("/api/v1/password", json=body).status_code == 204
            session = client.get("/api/v1/session").json()
            assert (session["rights"], session["role"]) == ([], None)
            assert client.get("/api/v1/incidents").status_code == 403
        listed = as_("system_admin").get("/api/v1/accounts").text
        assert made["one_time_password"] not in listed
        assert "password_hash" not in listed

    @pytest.mark.parametrize(
        ("change", "status", "field"),
        [
            ({"login": "x"}, 422, "login"), ({"login": "a b"}, 422, "login"),
            ({"login": "Ü" * 5}, 422, "login"), ({"name": "  "}, 422, "name"),
            ({"area_code": "99012"}, 422, "area_code"), ({"area_code": "120101"}, 422, "area_code"),
            ({"valid_until": "2020-01-01T00:00:00Z"}, 422, "valid_until"),
            ({"person_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}, 422, "person_id"),
            ({"login": "community"}, 409, None), ({"role": "system_admin"}, 422, "role"),
        ],
    )  # fmt: skip
    def test_refused(self, as_: As, change: dict[str, Any], status: int, field: str | None) -> None:
        answer = as_("system_admin").post("/api/v1/accounts", json=self.NEW | change)
        assert answer.status_code == status, answer.text
        if field:
            assert [each["field"] for each in answer.json()["problems"]] == [field]

    @pytest.mark.parametrize("login", ["security_admin", "audit_admin", "township", "integrator"])
    def test_others_may_not(self, as_: As, place: Database, login: str) -> None:
        client, target = as_(login), id_of(place, "community")
        assert client.post("/api/v1/accounts", json=self.NEW).status_code == 403
        assert client.post(f"/api/v1/accounts/{target}/password").status_code == 403
        assert client.delete(f"/api/v1/accounts/{target}/totp").status_code == 403
        state = {"disabled": True}
        assert client.put(f"/api/v1/accounts/{target}/state", json=state).status_code == 403
        assert client.delete(f"/api/v1/accounts/{target}/sessions").status_code == 403

    def test_reset_ends_sessions_and_forgets_failures(self, as_: As, place: Database) -> None:
        community, target = as_("community"), id_of(place, "community")
        for _ in range(5):
            with browser(community.app) as client:
                sign_in(client, "community", "not the password")
        listed = as_("system_admin").get(f"/api/v1/accounts/{target}").json()
        assert listed["locked_until"] is None, "shown in the list only"
        every = {
            a["login"]: a for a in as_("system_admin").get("/api/v1/accounts").json()["accounts"]
        }
        assert every["community"]["locked_until"] is not None
        assert every["township"]["locked_until"] is None
        answer = as_("system_admin").post(f"/api/v1/accounts/{target}/password")
        assert answer.status_code == 201
        assert community.get("/api/v1/meta").status_code == 401
        assert sign_in(community, "community").status_code == 401
        new = answer.json()["one_time_password"]
        assert sign_in(community, "community", new).json()["must_change_password"] is True

    def test_shut_out_at_once_and_let_in_again(self, as_: As, place: Database) -> None:
        community, target = as_("community"), id_of(place, "community")
        address = f"/api/v1/accounts/{target}/state"
        assert as_("system_admin").put(address, json={"disabled": True}).status_code == 200
        assert community.get("/api/v1/meta").status_code == 401
        assert sign_in(community, "community").status_code == 401
        assert as_("system_admin").put(address, json={"disabled": False}).status_code == 200
        assert sign_in(community, "community").status_code == 201

    def test_a_lost_device_by_the_administrator(self, as_: As, place: Database) -> None:
        target = id_of(place, "community")
        with place.transaction() as session:
            execute(
                session,
                "UPDATE accounts SET totp_secret = 'x', totp_confirmed_at = now() WHERE id = :id",
                id=target,
            )
        with browser(as_("system_admin").app) as client:
            assert kind(sign_in(client, "community")) == "CodeNeeded"
            assert as_("system_admin").delete(f"/api/v1/accounts/{target}/totp").status_code == 204
            assert sign_in(client, "community").status_code == 201

    def test_devices_of_an_account(self, as_: As, place: Database) -> None:
        community, target = as_("community"), id_of(place, "community")
        address = f"/api/v1/accounts/{target}/sessions"
        assert len(as_("system_admin").get(address).json()["sessions"]) == 1
        assert as_("system_admin").delete(address).json() == {"ended": 1}
        assert community.get("/api/v1/meta").status_code == 401

    def test_administrators_do_not_rule_each_other(self, as_: As, place: Database) -> None:
        """Else the system administrator could become the security administrator by a reset."""
        for login in ("security_admin", "audit_admin"):
            target = id_of(place, login)
            answer = as_("system_admin").post(f"/api/v1/accounts/{target}/password")
            assert answer.status_code == 403
            assert "on the server" in answer.json()["detail"]
            address = f"/api/v1/accounts/{target}"
            assert as_("system_admin").delete(f"{address}/totp").status_code == 403
            state = {"disabled": True}
            assert as_("system_admin").put(f"{address}/state", json=state).status_code == 403
            assert sign_in(as_(login), login).status_code == 201, "nothing was changed"


class TestRoles:
    """The security administrator gives roles; nobody their own."""

    def give(self, client: TestClient, target: uuid.UUID, role: str | None, area: str = "") -> Any:
        body = {"role": role, "area_code": area}
        return client.put(f"/api/v1/accounts/{target}/role", json=body)

    def test_holds_at_the_next_request(self, as_: As, place: Database) -> None:
        community, target = as_("community"), id_of(place, "community")
        assert seen(community) == [0, 1]
        security = as_("security_admin")
        assert self.give(security, target, "community", EAST_VILLAGE).status_code == 200
        assert seen(community) == [2, 3], "the same session"
        assert self.give(security, target, "analyst", factories.COUNTY).status_code == 200
        assert seen(community) == [0, 1, 2, 3]
        assert self.give(security, target, None, factories.COUNTY).status_code == 200
        assert community.get("/api/v1/incidents").status_code == 403

    @pytest.mark.parametrize("login", ["security_admin", "system_admin"])
    def test_nobody_gives_themselves_one(self, as_: As, place: Database, login: str) -> None:
        answer = self.give(as_(login), id_of(place, login), "dispatcher")
        assert answer.status_code == 403
        assert "own account" in answer.json()["detail"]

    @pytest.mark.parametrize("login", ["audit_admin", "township", "community"])
    def test_others_may_not(self, as_: As, place: Database, login: str) -> None:
        assert self.give(as_(login), id_of(place, "newcomer"), "analyst").status_code == 403

    @pytest.mark.parametrize("role", ["analyst", "security_admin", "audit_admin", "system_admin"])
    def test_the_system_administrator_gives_none_while_there_is_a_security_administrator(
        self, as_: As, place: Database, role: str
    ) -> None:
        answer = self.give(as_("system_admin"), id_of(place, "newcomer"), role)
        assert answer.status_code == 403

    @pytest.mark.parametrize("role", ["security_admin", "audit_admin"])
    def test_the_system_administrator_appoints_the_first(
        self, as_: As, place: Database, role: str
    ) -> None:
        with place.transaction() as session:
            execute(session, "UPDATE accounts SET disabled_at = now() WHERE role = :r", r=role)
        system, newcomer = as_("system_admin"), id_of(place, "newcomer")
        assert self.give(system, newcomer, "analyst").status_code == 403
        # Nor does somebody who has a role already change it on the way.
        assert self.give(system, id_of(place, "township"), role).status_code == 403
        assert self.give(system, newcomer, role).status_code == 200
        again = person(place, None, login="second")
        assert self.give(system, again.id, role).status_code == 403, "the first one only"

    @pytest.mark.parametrize(
        ("role", "area", "field"),
        [("king", "", "role"), ("analyst", "120101", "area_code"), ("grid_worker", "", "role")],
    )
    def test_refused_by_name(
        self, as_: As, place: Database, role: str, area: str, field: str
    ) -> None:
        answer = self.give(as_("security_admin"), id_of(place, "newcomer"), role, area)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["problems"]] == [field]

    def test_administrators_see_no_business_data(self, as_: As) -> None:
        for login in ("system_admin", "security_admin", "audit_admin"):
            client = as_(login)
            for path in (
                "incidents", "heatmaps", f"incidents/{factories.uuid_of(0)}", "people",
            ):  # fmt: skip
                assert client.get(f"/api/v1/{path}").status_code == 403, (login, path)
            lon, lat = factories.middle(0)
            where = {"lon": lon, "lat": lat}
            assert client.get("/api/v1/locate", params=where).status_code == 403
            assert client.get("/api/v1/session").json()["tilesets"] == ["units", "borders"]
            assert client.get("/api/v1/meta").json()["incidents"]["count"] == 0

    def test_an_administrator_of_a_part_rules_that_part_only(
        self, as_: As, place: Database
    ) -> None:
        person(place, "security_admin", WEST_VILLAGE, login="west.security")
        client = as_("west.security")
        assert {each["login"] for each in client.get("/api/v1/accounts").json()["accounts"]} == {
            "community", "integrator", "newcomer", "west.security",
        }  # fmt: skip
        outside, inside = id_of(place, "township"), id_of(place, "newcomer")
        assert client.get(f"/api/v1/accounts/{outside}").status_code == 404
        assert self.give(client, outside, "analyst", WEST_VILLAGE).status_code == 404
        assert self.give(client, inside, "analyst", EAST_VILLAGE).status_code == 403
        assert self.give(client, inside, "analyst", "").status_code == 403
        assert self.give(client, inside, "analyst", WEST_VILLAGE).status_code == 200


class TestKeys:
    """Keys of programs: told once, narrower than their account, revocable."""

    NEW: ClassVar = {"login": "integrator", "name": "12345"}

    def test_issued_used_and_revoked(self, as_: As, place: Database) -> None:
        security = as_("security_admin")
        answer = security.post("/api/v1/keys", json=self.NEW | {"rights": ["grids.read"]})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert made["key"].startswith("wgk_")
        assert answer.headers["cache-control"] == "no-store"
        listed = security.get("/api/v1/keys")
        assert made["key"] not in listed.text
        assert [each["name"] for each in listed.json()["keys"]] == ["12345"]
        with browser(security.app) as program:
            program.headers["Authorization"] = f"Bearer {made['key']}"
            assert program.get("/api/v1/session").json()["rights"] == ["grids.read"]
            lon, lat = factories.middle(0)
            found = program.get("/api/v1/locate", params={"lon": lon, "lat": lat})
            assert found.json()["inside"] is True
            report = {"id": str(factories.uuid_of(9)), "category": "other", "lon": lon, "lat": lat}
            assert program.post("/api/v1/incidents", json=report).status_code == 403
            assert security.delete(f"/api/v1/keys/{made['id']}").status_code == 204
            assert program.get("/api/v1/session").status_code == 401
        assert security.delete(f"/api/v1/keys/{made['id']}").status_code == 404
        with place.transaction() as session:
            dump = session.scalar(sa.text("SELECT string_agg(k::text, '') FROM api_keys AS k"))
            log = session.scalar(sa.text("SELECT string_agg(a::text, '') FROM audit_log AS a"))
        assert made["key"] not in dump + log

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"rights": ["incidents.read"]}, "rights"), ({"rights": []}, "rights"),
            ({"rights": ["*"]}, "rights"), ({"area_code": factories.COUNTY}, "area_code"),
            ({"area_code": ""}, "area_code"), ({"area_code": EAST_VILLAGE}, "area_code"),
            ({"days": 401}, "days"), ({"days": 0}, "days"), ({"per_minute": 0}, "per_minute"),
            ({"login": "nobody"}, "login"), ({"name": " "}, "name"),
            ({"login": "community"}, "login"),
            ({"login": "system_admin"}, "login"),
        ],
    )  # fmt: skip
    def test_never_wider_than_its_account(
        self, as_: As, change: dict[str, Any], field: str
    ) -> None:
        answer = as_("security_admin").post("/api/v1/keys", json=self.NEW | change)
        assert answer.status_code == 422, answer.text
        assert field in {each["field"] for each in answer.json()["problems"]}

    def test_the_database_refuses_it_too(self, place: Database) -> None:
        """Should a check of the service be forgotten: its own function says no."""
        with place.transaction() as session:
            token = factories.token(session, repository.account(session, "security_admin"))
        sql = (
            "SELECT wangge_issue_key((SELECT id FROM accounts WHERE login = :login), 'k', "
            "sha256('k'), CAST(:rights AS text[]), :area, 60, :lasts, 'x')"
        )
        for login, rights, area, days in (
            ("community", None, None, 1), ("integrator", ["incidents.read"], None, 1),
            ("integrator", None, EAST_VILLAGE, 1), ("integrator", None, None, 401),
            ("integrator", None, "", 1), ("security_admin", None, None, 1),
        ):  # fmt: skip
            with place.service_transaction() as session:
                enter(session, Credential.of(token, is_key=False))
                values = {
                    "login": login, "rights": rights, "area": area, "lasts": timedelta(days=days),
                }  # fmt: skip
                with pytest.raises(sa.exc.ProgrammingError) as no:
                    session.execute(sa.text(sql), values)
                assert no.value.orig.sqlstate == "42501"
                session.rollback()

    def test_narrowed_with_its_account(self, as_: As, place: Database) -> None:
        """A key of a village is worth nothing when its account moves to another."""
        security = as_("security_admin")
        made = security.post("/api/v1/keys", json=self.NEW | {"area_code": WEST_VILLAGE}).json()
        target = id_of(place, "integrator")
        body = {"role": "integrator", "area_code": EAST_VILLAGE}
        assert security.put(f"/api/v1/accounts/{target}/role", json=body).status_code == 200
        with browser(security.app) as program:
            program.headers["Authorization"] = f"Bearer {made['key']}"
            assert program.get("/api/v1/session").status_code == 401

    def test_expired_and_too_often(self, as_: As, place: Database) -> None:
        security = as_("security_admin")
        made = security.post("/api/v1/keys", json=self.NEW | {"per_minute": 2}).json()
        with browser(security.app) as program:
            program.headers["Authorization"] = f"Bearer {made['key']}"
            statuses = [program.get("/api/v1/session").status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
            with place.transaction() as session:
                execute(session, "UPDATE api_keys SET expires_at = now()")
            answer = program.get("/api/v1/session")
        assert (answer.status_code, "expired" in answer.text) == (401, True)

    @pytest.mark.parametrize("login", ["system_admin", "audit_admin", "community", "integrator"])
    def test_others_may_not(self, as_: As, login: str) -> None:
        assert as_(login).post("/api/v1/keys", json=self.NEW).status_code == 403
        assert as_(login).get("/api/v1/keys").status_code == 403


class TestGrants:
    """Access to another area for a time, and breaking the glass."""

    def grant(self, **change: Any) -> dict[str, Any]:
        until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        given = {"login": "community", "area_code": EAST_VILLAGE, "reason": "joint case 2026-17"}
        return given | {"until": until} | change

    def test_given_listed_and_revoked(self, as_: As) -> None:
        security, community = as_("security_admin"), as_("community")
        answer = security.post("/api/v1/grants", json=self.grant())
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["kind"], made["given_by"]) == ("grant", "security_admin")
        assert seen(community) == [0, 1, 2, 3]
        assert community.get("/api/v1/session").json()["also"] == [EAST_VILLAGE]
        mine = community.get("/api/v1/grants").json()["grants"]
        assert [each["id"] for each in mine] == [made["id"]], "whoever has one sees it"
        assert as_("township").get("/api/v1/grants").json()["grants"] == []
        assert community.delete(f"/api/v1/grants/{made['id']}").status_code == 404
        assert security.delete(f"/api/v1/grants/{made['id']}").status_code == 204
        assert seen(community) == [0, 1]
        assert security.delete(f"/api/v1/grants/{made['id']}").status_code == 404

    def test_begins_and_ends_by_itself(self, as_: As, place: Database) -> None:
        security, community = as_("security_admin"), as_("community")
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        assert security.post("/api/v1/grants", json=self.grant(since=later)).status_code == 201
        assert seen(community) == [0, 1], "not yet"
        with place.transaction() as session:
            execute(session, "UPDATE area_grants SET valid = tstzrange('2026-01-01', now())")
        assert seen(community) == [0, 1], "not any more"

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"area_code": ""}, "area_code"), ({"area_code": "120101"}, "area_code"),
            ({"reason": "because"}, "reason"), ({"until": "2020-01-01T00:00:00Z"}, "until"),
            ({"until": "2036-01-01T00:00:00Z"}, "until"), ({"until": "soon"}, "until"),
        ],
    )  # fmt: skip
    def test_refused_by_name(self, as_: As, change: dict[str, Any], field: str) -> None:
        answer = as_("security_admin").post("/api/v1/grants", json=self.grant(**change))
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["problems"]] == [field]

    def test_nobody_gives_themselves_one(self, as_: As) -> None:
        answer = as_("security_admin").post(
            "/api/v1/grants", json=self.grant(login="security_admin")
        )
        assert answer.status_code == 403
        for login in ("system_admin", "audit_admin", "community", "township"):
            assert as_(login).post("/api/v1/grants", json=self.grant()).status_code == 403

    def test_broken_glass_is_told_until_it_was_seen(self, as_: As, place: Database) -> None:
        community, security = as_("community"), as_("security_admin")
        assert security.get("/api/v1/grants").json()["unseen"] == 0
        body = {"area_code": EAST_VILLAGE, "reason": "fire behind the border", "minutes": 30}
        answer = community.post("/api/v1/grants/break-glass", json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        lasts = datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["since"])
        assert lasts == timedelta(minutes=30)
        assert seen(community) == [0, 1, 2, 3]
        told = security.get("/api/v1/grants").json()
        assert told["unseen"] == 1
        assert told["grants"][0]["reason"] == "fire behind the border"
        # Not by the one who broke it.
        own = f"/api/v1/grants/{made['id']}/seen"
        assert community.post(own).status_code == 403
        assert security.post(own).status_code == 204
        assert security.get("/api/v1/grants").json()["unseen"] == 0
        assert security.post(own).status_code == 404
        assert community.delete(f"/api/v1/grants/{made['id']}").status_code == 204, "its own to end"
        assert seen(community) == [0, 1]
        with place.transaction() as session:
            actions = session.scalars(
                sa.text("SELECT action FROM audit_log WHERE object_kind = 'grant' ORDER BY id")
            ).all()
        assert actions == ["grant.glass_broken", "grant.seen", "grant.revoked"]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"minutes": 241}, "minutes"), ({"minutes": 0}, "minutes"), ({"reason": ""}, "reason"),
            ({"area_code": ""}, "area_code"),
        ],
    )  # fmt: skip
    def test_glass_is_not_broken_for_long_or_for_nothing(
        self, as_: As, change: dict[str, Any], field: str
    ) -> None:
        body = {"area_code": EAST_VILLAGE, "reason": "fire behind the border", "minutes": 30}
        answer = as_("community").post("/api/v1/grants/break-glass", json=body | change)
        assert answer.status_code == 422
        assert field in {each["field"] for each in answer.json()["problems"]}

    def test_programs_and_administrators_break_no_glass(self, as_: As, place: Database) -> None:
        body = {"area_code": EAST_VILLAGE, "reason": "fire behind the border"}
        for login in ("system_admin", "security_admin", "audit_admin", "integrator"):
            answer = as_(login).post("/api/v1/grants/break-glass", json=body)
            assert answer.status_code == 403, login
        with place.transaction() as session:
            who = factories.account(session, "community", EAST_VILLAGE, login="keyed")
            key = factories.key(session, who)
        with browser(as_("community").app) as program:
            program.headers["Authorization"] = f"Bearer {key}"
            assert program.post("/api/v1/grants/break-glass", json=body).status_code == 403


def test_a_worker_whose_duty_ends_loses_its_grids_at_once(place: Database, as_: As) -> None:
    with place.transaction() as session:
        worker = execute(
            session,
            "SELECT a.person_id FROM assignments AS a JOIN grid_shapes AS s USING (grid_id) "
            "WHERE s.code = :code",
            code=factories.grid_code(0),
        ).scalar_one()
    person(place, "grid_worker", WEST_VILLAGE, login="worker", person_id=worker)
    client = as_("worker")
    assert seen(client) == [0]
    with place.transaction() as session:
        execute(
            session,
            "UPDATE assignments SET valid = tstzrange(lower(valid), now()) WHERE person_id = :who",
            who=worker,
        )
    # It still knows of those it was given itself; of its grid it knows nothing more.
    assert client.get("/api/v1/session").status_code == 200
    with place.transaction() as session:
        assert execute(session, "SELECT wangge_grids_of(:who, now())", who=worker).scalar() is None


def test_what_a_caller_cannot_see_reads_the_same_as_what_is_not_there(
    as_: As, place: Database
) -> None:
    person(place, "system_admin", WEST_VILLAGE, login="west.system")
    client = as_("west.system")
    for path in ("", "/sessions"):
        hidden = client.get(f"/api/v1/accounts/{id_of(place, 'township')}{path}")
        missing = client.get(f"/api/v1/accounts/{factories.uuid_of(77)}{path}")
        assert hidden.status_code == missing.status_code == 404
        strip = {hidden.json()["detail"].split()[-1], missing.json()["detail"].split()[-1]}
        assert len(strip) == 2
        assert hidden.json()["type"] == missing.json()["type"]


def test_passwords_of_tests_are_as_strong_as_those_of_people() -> None:
    for password in (PASSWORD, OTHER):
        passwords.check(password, login="zhang", name="张")
