"""The database's own functions, called past the service: each checks, and fails closed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from gis.database import execute
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gis.database import Database

WEST, EAST = factories.VILLAGES
# What each asks for is in its name; {it} is an account of the west village.
ADMINISTERING = (
    "SELECT wangge_add_account('new', 'n', '990121101001', NULL, NULL, NULL, '[2026-01-01,)', 'x')",
    "SELECT wangge_add_account('new', 'n', NULL, NULL, NULL, NULL, '[2026-01-01,)', 'x')",
    "SELECT wangge_set_password({it}, 'hash')",
    "SELECT wangge_set_password(NULL, 'hash')",
    "SELECT wangge_disable({it}, true)",
    "SELECT wangge_disable(NULL, true)",
    "SELECT wangge_assign_role({it}, 'dispatcher', '')",
    "SELECT wangge_assign_role({it}, NULL, '990121101001')",
    "SELECT wangge_assign_role(NULL, 'dispatcher', '990121101001')",
    "SELECT wangge_assign_role({it}, 'dispatcher', NULL)",
    "SELECT wangge_remove_totp({it})",
    "SELECT wangge_remove_totp(NULL)",
    "SELECT wangge_issue_key({it}, 'k', sha256('k'), NULL, NULL, 60, '1 day', 'x')",
    "SELECT wangge_issue_key(NULL, 'k', sha256('k'), NULL, NULL, 60, '1 day', 'x')",
    "SELECT wangge_give_grant({it}, '990121101002', 'long enough', now(), now() + '1 day', 'x')",
    "SELECT wangge_give_grant({it}, '990121101002', 'long enough', now(), NULL, 'x')",
    "SELECT wangge_give_grant(NULL, NULL, 'long enough', now(), now() + '1 day', 'x')",
)
# The same for {own}, the caller's own account.
ONE_S_OWN = (
    "SELECT wangge_assign_role({own}, 'dispatcher', '')",
    "SELECT wangge_disable({own}, false)",
    "SELECT wangge_issue_key({own}, 'k', sha256('k'), NULL, NULL, 60, '1 day', 'x')",
    "SELECT wangge_give_grant({own}, '990121', 'long enough', now(), now() + '1 day', 'x')",
    "SELECT wangge_break_glass('990121101002', 'long enough', '5 hours', 'x')",
    "SELECT wangge_break_glass('990121101002', 'long enough', NULL, 'x')",
)


@pytest.fixture
def it(database: Database) -> uuid.UUID:
    with database.transaction() as session:
        factories.county(session)
        return factories.account(session, "integrator", WEST).id


def refused(session: Session, sql: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError) as no, session.begin_nested():
        execute(session, sql)
    assert getattr(no.value.orig, "sqlstate", "") == "42501", sql


def test_nobody_who_has_not_entered_administers(database: Database, it: uuid.UUID) -> None:
    with database.service_transaction() as session:
        for sql in (*ADMINISTERING, *ONE_S_OWN):
            refused(session, sql.format(it=f"'{it}'::uuid", own="wangge_account()"))
        for sql in (
            "SELECT wangge_end_grant(gen_random_uuid(), 'x')", "SELECT wangge_begin_totp('x')",
            "SELECT wangge_confirm_totp(1, '{}')",
        ):  # fmt: skip
            assert execute(session, sql).scalar() is False
        assert execute(session, "SELECT * FROM wangge_own_secrets()").all() == []
        assert execute(session, "SELECT count(*) FROM accounts").scalar() == 0


@pytest.mark.parametrize(
    ("role", "area"),
    [
        ("community", WEST), ("dispatcher", factories.COUNTY), ("planner", ""), ("audit_admin", ""),
        ("system_admin", EAST), ("security_admin", EAST), (None, ""), ("integrator", WEST),
    ],
)  # fmt: skip
def test_nor_does_who_has_no_right_or_another_area(
    database: Database, it: uuid.UUID, role: str | None, area: str
) -> None:
    with database.transaction() as session:
        # There is nobody to appoint any more.
        for login in ("security_admin", "audit_admin"):
            factories.account(session, login, "", login=f"the.{login.replace('_', '-')}")
        who = factories.account(session, role, area, login="caller")
        token = factories.token(session, who)
    with database.service_transaction() as session:
        enter(session, Credential.of(token, is_key=False))
        for sql in (*ADMINISTERING, *ONE_S_OWN):
            refused(session, sql.format(it=f"'{it}'::uuid", own=f"'{who.id}'::uuid"))
    with database.transaction() as session:
        found = execute(session, "SELECT * FROM accounts WHERE id = :id", id=it).one()
    assert (found.role, found.area_code, found.disabled_at) == ("integrator", WEST, None)
    assert found.password_hash is None


def test_functions_with_the_owner_s_rights_are_nobody_else_s(shared_database: Database) -> None:
    """What runs with the owner's rights is granted by name, and pins where it looks."""
    with shared_database.transaction() as session:
        found = execute(
            session,
            "SELECT p.oid::regprocedure::text AS name, p.proconfig AS settings, "
            "has_function_privilege('public', p.oid, 'EXECUTE') AS is_public "
            "FROM pg_proc AS p LEFT JOIN pg_depend AS d ON d.objid = p.oid AND d.deptype = 'e' "
            "WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND d.objid IS NULL",
        ).all()
    assert len(found) > 20
    assert [each.name for each in found if each.is_public] == []
    assert [
        each.name for each in found if "search_path=pg_catalog, public" not in (each.settings or [])
    ] == []
