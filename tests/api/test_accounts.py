"""Accounts and their roles over HTTP: who gives what to whom, and who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from boundaries.accounts import passwords
from gis.database import execute
from tests import factories
from tests.api.accounts import OTHER, PASSWORD, browser, kind, person, sign_in
from tests.api.office import EAST_VILLAGE, WEST_VILLAGE, as_, furnished, id_of, place, seen

if TYPE_CHECKING:
    import uuid

    from gis.database import Database
    from tests.api.conftest import TestClient
    from tests.api.office import As

__all__ = ["as_", "furnished", "place"]  # fixtures


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
