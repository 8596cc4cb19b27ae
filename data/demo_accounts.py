"""Accounts of the demo place: one for each role, in areas that show what a scope is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from boundaries.accounts import repository, service
from gis.database import execute

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from boundaries.accounts.models import Account
    from gis.database import Database

ACTOR: Final = "wangge demo"
FILE: Final = "demo-accounts.txt"
PREFIX: Final = "demo."
ORDER: Final = tuple(
    PREFIX + each
    for each in (
        "dispatcher", "township", "community", "worker", "patrol", "planner", "analyst",
        "department", "resident", "integrator", "system", "security", "audit",
    )
)  # fmt: skip
"""Logins; the demo's page signs in as the first by itself."""


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account of the demo: whom it shows, and where."""

    login: str
    name: str
    role: str
    area_code: str
    person_id: uuid.UUID | None = None


def ensure(database: Database, folder: Path) -> Path:
    """Make the accounts that are missing, with passwords of this installation's own.

    Returns
    -------
    The file, readable by its owner only, that the passwords stand in.
    """
    path = folder / FILE
    with database.transaction(timeout_s=0) as session:
        execute(session, "SELECT pg_advisory_xact_lock(hashtext('wangge first account'))")
        known = {account.login for account, _ in repository.accounts(session)}
        made = [(each, _add(session, each)) for each in _wanted(session) if each.login not in known]
        if made:
            _write(path, made)
    return path


def listed(database: Database) -> list[Account]:
    """Accounts of the demo, whom its page signs in as first."""
    with database.transaction() as session:
        found = [each for each, _ in repository.accounts(session) if each.login.startswith(PREFIX)]
    order = [*ORDER, *(each.login for each in found)]
    return sorted(found, key=lambda each: order.index(each.login))


def _add(session: Session, wanted: DemoAccount) -> str:
    account, password = service.add(
        session,
        login=wanted.login,
        name=wanted.name,
        area_code=wanted.area_code,
        person_id=wanted.person_id,
        actor=ACTOR,
    )
    service.assign_role(session, account, wanted.role, wanted.area_code, actor=ACTOR)
    # Nobody has to change a password to look at an invented place.
    execute(
        session, "UPDATE accounts SET must_change_password = false WHERE id = :id", id=account.id
    )
    return str(password)


def _write(path: Path, made: Sequence[tuple[DemoAccount, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("a", encoding="utf-8") as file:
        for account, password in made:
            area = account.area_code or "-"
            file.write(f"{account.login:<24} {password}  {account.role} {area}\n")


def _wanted(session: Session) -> list[DemoAccount]:
    """Who is wanted: the community, and the worker of it, with most incidents."""
    county = _one(session, "SELECT code FROM admin_units WHERE level = 6 ORDER BY code LIMIT 1")
    villages = session.scalars(
        sa.text(
            "SELECT s.unit_code FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id "
            "LEFT JOIN incidents AS i ON i.edition_id = e.id AND i.grid_id = s.grid_id "
            "WHERE e.status <> 'draft' AND e.valid @> now() "
            "GROUP BY 1 ORDER BY count(i.id) DESC, 1"
        )
    ).all()
    if county is None or not villages:
        return []
    village = villages[0]
    worker = session.execute(
        sa.text(
            "SELECT p.id, p.name, p.county_code FROM persons AS p "
            "JOIN assignments AS a ON a.person_id = p.id "
            "JOIN grid_shapes AS s ON s.grid_id = a.grid_id "
            "LEFT JOIN incidents AS i ON i.grid_id = a.grid_id "
            "WHERE a.role = 'grid_worker' AND a.is_primary AND a.valid @> now() "
            "AND s.unit_code = :village GROUP BY 1, 2, 3 ORDER BY count(i.id) DESC, 2 LIMIT 1"
        ),
        {"village": village},
    ).one_or_none()
    found = [
        DemoAccount("demo.dispatcher", "调度员 Dispatcher", "dispatcher", county),
        DemoAccount("demo.township", "镇干部 Township officer", "township", village[:9]),
        DemoAccount("demo.community", "社区干部 Community officer", "community", village),
    ]
    if worker is not None:
        found.append(DemoAccount("demo.worker", worker.name, "grid_worker", village, worker.id))
    return [
        *found,
        DemoAccount("demo.patrol", "巡逻队长 Patrol leader", "patrol_leader", county),
        DemoAccount("demo.planner", "规划员 Planner", "planner", county),
        DemoAccount("demo.analyst", "分析员 Analyst", "analyst", county),
        DemoAccount("demo.department", "部门人员 Department", "department", county),
        DemoAccount("demo.resident", "居民 Resident", "resident", county),
        DemoAccount("demo.integrator", "对接系统 Integrator", "integrator", county),
        DemoAccount("demo.system", "系统管理员 System", "system_admin", ""),
        DemoAccount("demo.security", "安全管理员 Security", "security_admin", ""),
        DemoAccount("demo.audit", "审计管理员 Audit", "audit_admin", ""),
    ]


def _one(session: Session, sql: str) -> str | None:
    return session.scalar(sa.text(sql))
