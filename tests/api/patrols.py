"""Workers of the town with their accounts, routes, patrols and fixes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from boundaries.accounts.models import Account
from tests import factories

if TYPE_CHECKING:
    from tests.api.conftest import Town

NOW: Final = datetime.now(UTC).replace(microsecond=0)


def worker(town: Town, place: int) -> uuid.UUID:
    return town.county.workers[factories.grid_code(place)]


def headers(
    town: Town, role: str, area: str = factories.COUNTY, *, person: uuid.UUID | None = None
) -> dict[str, str]:
    """Of a new account, or of the person's, which is given the role."""
    with town.database.transaction() as session:
        login = f"{role.replace('_', '-')}.{uuid.uuid4().hex[:8]}"
        has = Account.person_id == person
        made = session.scalars(sa.select(Account).where(has)).first() if person else None
        if made is None:
            made = factories.account(session, role, area, login=login, person=person)
        made.role, made.area_code = role, area
        return {"Authorization": f"Bearer {factories.key(session, made)}"}


def route(town: Town, place: int = 0) -> int:
    """Through one grid."""
    lon, lat = factories.middle(place)
    with town.database.transaction() as session:
        return int(
            session.execute(
                sa.text(
                    "INSERT INTO patrol_routes (county_code, name, means, interval_days, geom, "
                    "source, external_id) VALUES (:county, 'r', 'horse', 3, ST_SetSRID(ST_MakeLine("
                    "ST_MakePoint(:lon - 0.005, :lat), ST_MakePoint(:lon + 0.005, :lat)), 4326), "
                    "'s', :name) RETURNING id"
                ),
                {"county": factories.COUNTY, "lon": lon, "lat": lat, "name": str(uuid.uuid4())},
            ).scalar_one()
        )


def patrol(
    town: Town,
    who: uuid.UUID | None,
    started: datetime,
    *,
    fixes: int = 3,
    route_id: int | None = None,
    minutes: int = 60,
) -> int:
    """An hour on duty, with a fix every ten minutes."""
    with town.database.transaction() as session:
        number = int(
            session.execute(
                sa.text(
                    "INSERT INTO patrols (county_code, route_id, team, started_at, ended_at, "
                    "state, source, external_id, person_id) VALUES (:county, :route, '一组', "
                    ":start, :end, 'done', 's', :name, :who) RETURNING id"
                ),
                {
                    "county": factories.COUNTY,
                    "route": route_id,
                    "start": started,
                    "end": started + timedelta(minutes=minutes),
                    "name": str(uuid.uuid4()),
                    "who": who,
                },
            ).scalar_one()
        )
        for step in range(fixes):
            fix(session, number, started + timedelta(minutes=10 * step), 117.0 + step / 1000)
        return number


def fix(session: Any, number: int, at: datetime, lon: float = 117.0) -> None:
    session.execute(sa.text("SELECT wangge_track_partition(:at)"), {"at": at})
    session.execute(
        sa.text(
            "INSERT INTO track_fixes (patrol_id, fixed_at, county_code, accuracy_m, geom) VALUES "
            "(:number, :at, :county, 5.5, ST_SetSRID(ST_MakePoint(:lon, 45.01), 4326))"
        ),
        {"number": number, "at": at, "county": factories.COUNTY, "lon": lon},
    )


def entries(town: Town, where: str) -> list[Any]:
    with town.database.transaction() as session:
        return list(session.execute(sa.text(f"SELECT * FROM audit_log WHERE {where} ORDER BY id")))
