"""Access to another area for a time over HTTP, and breaking the glass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gis.database import execute
from tests import factories
from tests.api.accounts import browser
from tests.api.office import EAST_VILLAGE, as_, furnished, place, seen

if TYPE_CHECKING:
    from gis.database import Database
    from tests.api.office import As

__all__ = ["as_", "furnished", "place"]  # fixtures


class TestGrants:
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
