"""Keys of programs over HTTP: told once, narrower than their account, revocable."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from boundaries.accounts import repository
from gis.database import execute
from tests import factories
from tests.api.accounts import browser
from tests.api.office import EAST_VILLAGE, WEST_VILLAGE, as_, furnished, id_of, place

if TYPE_CHECKING:
    from gis.database import Database
    from tests.api.office import As

__all__ = ["as_", "furnished", "place"]  # fixtures


class TestKeys:
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
