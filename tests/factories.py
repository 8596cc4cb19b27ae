"""A small county in the database: two villages side by side, two grids in each, four workers.

::

        990121101001          990121101002
    +---------+---------+---------+---------+  lat 45.02
    | ...1001 | ...1002 | ...2001 | ...2002 |
    +---------+---------+---------+---------+  lat 45.00
    117.00    117.02    117.04    117.06    117.08
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import geopandas as gpd
import sqlalchemy as sa
from shapely import box

from boundaries.access import Credential
from boundaries.accounts import credentials, signing_in
from boundaries.accounts.models import Account, ApiKey
from grids import service
from grids.people import service as people

if TYPE_CHECKING:
    from shapely import Polygon
    from sqlalchemy.orm import Session

COUNTY = "990121"
TOWNSHIP = "990121101"
VILLAGES = ("990121101001", "990121101002")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
STEP = 0.02
WEST, SOUTH, NORTH = 117.0, 45.0, 45.02


@dataclass(frozen=True)
class County:
    """What was made: numbers of the edition and its grids, ids of the workers, by grid code."""

    edition: int
    grids: dict[str, int]
    workers: dict[str, uuid.UUID]


def grid_code(place: int) -> str:
    """Code of the grid at a place, counted from the west, 0 to 3."""
    return f"{VILLAGES[place // 2]}{place % 2 + 1:03d}"


def middle(place: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of a grid."""
    return WEST + (place + 0.5) * STEP, (SOUTH + NORTH) / 2


def units(session: Session, *, source: str = "test") -> None:
    """Region, league, banner, town and two villages; polygons from the banner down."""
    whole = box(WEST, SOUTH, WEST + 4 * STEP, NORTH)
    rows = [
        ("99", 2, None, "示范自治区", "Demo Region", None),
        ("9901", 4, "99", "示范盟", "Demo League", None),
        (COUNTY, 6, "9901", "示范旗", "Demo Banner", whole),
        (TOWNSHIP, 9, COUNTY, "示范镇", "Demo Town", whole),
        *(
            (
                code,
                12,
                TOWNSHIP,
                f"示范村{place + 1}",
                f"Demo Village {place + 1}",
                box(WEST + 2 * place * STEP, SOUTH, WEST + 2 * (place + 1) * STEP, NORTH),
            )
            for place, code in enumerate(VILLAGES)
        ),
    ]
    for code, level, parent, name, name_en, shape in rows:
        session.execute(
            sa.text(
                "INSERT INTO admin_units (code, level, parent_code, name, name_en, geom, source) "
                "VALUES (:code, :level, :parent, :name, :name_en, "
                "ST_Multi(ST_SetSRID(ST_GeomFromText(:wkt), 4326)), :source)"
            ),
            {
                "code": code,
                "level": level,
                "parent": parent,
                "name": name,
                "name_en": name_en,
                "wkt": shape.wkt if shape is not None else None,
                "source": source,
            },
        )


def squares(*, households: int = 300) -> gpd.GeoDataFrame:
    """Four grids that tile the two villages."""
    return gpd.GeoDataFrame(
        {
            "code": [grid_code(place) for place in range(4)],
            "unit": [VILLAGES[place // 2] for place in range(4)],
            "households": [households] * 4,
            "buildings": [20] * 4,
            "target": [300] * 4,
        },
        geometry=[
            box(WEST + place * STEP, SOUTH, WEST + (place + 1) * STEP, NORTH) for place in range(4)
        ],
        crs=4326,
    )


def overlays(shapes: dict[str, Polygon], *, unit: str = VILLAGES[0]) -> gpd.GeoDataFrame:
    """Grids to lie over those of the county, by code."""
    return gpd.GeoDataFrame(
        {
            "code": list(shapes),
            "unit": unit,
            "households": 50,
            "buildings": 2,
            "target": 100,
        },
        geometry=list(shapes.values()),
        crs=4326,
    )


def lay_over(
    session: Session,
    kind: str,
    shapes: dict[str, Polygon],
    *,
    since: datetime = SINCE,
    unit: str = VILLAGES[0],
) -> dict[str, int]:
    """Publish exclusive or micro grids over those of the county; ids of the grids by code."""
    frame = overlays(shapes, unit=unit)
    edition = service.save_draft(session, COUNTY, frame, title=kind, author="planner", kind=kind)
    service.publish(session, edition.id, approver="approver", effective=since)
    return {code: people.grid_by_code(session, code, since).grid_id for code in shapes}


def county(session: Session, *, since: datetime = SINCE, source: str = "test") -> County:
    """Units, a published edition of four grids, and one worker in charge of each."""
    units(session, source=source)
    edition = service.save_draft(session, COUNTY, squares(), title="first", author="planner")
    service.publish(session, edition.id, approver="approver", effective=since)
    grids, workers = {}, {}
    for place in range(4):
        shape = people.grid_by_code(session, grid_code(place), since)
        person = people.add(
            session, f"网格员{place + 1}", county_code=COUNTY, actor="test", external_id=f"w{place}"
        )
        people.assign(session, person, shape, actor="test", since=since)
        grids[shape.code], workers[shape.code] = shape.grid_id, person.id
    return County(edition.id, grids, workers)


def uuid_of(number: int) -> uuid.UUID:
    """An id that a test can tell by its last figure."""
    return uuid.UUID(int=number)


def account(
    session: Session,
    role: str | None,
    area: str = "",
    *,
    login: str | None = None,
    person: uuid.UUID | None = None,
) -> Account:
    """An account that may sign in; its password, if it needs one, is the test's to set."""
    made = Account(
        login=login or f"{role or 'nobody'}.{area or 'all'}".replace("_", "-"),
        name=f"{role} {area}",
        role=role,
        area_code=area,
        person_id=person,
        must_change_password=False,
        created_by="test",
    )
    session.add(made)
    session.flush()
    return made


def token(session: Session, who: Account) -> str:
    """The token of a session of an account."""
    return signing_in.open_session(session, who, by="totp").token


def key(
    session: Session,
    who: Account,
    *,
    per_minute: int = 1_000_000,
    rights: list[str] | None = None,
    area: str | None = None,
) -> str:
    """An API key of an account, whatever its role."""
    secret = credentials.KEY_PREFIX + secrets.token_urlsafe()
    session.add(
        ApiKey(
            account_id=who.id,
            name="test",
            key_hash=Credential.of(secret, is_key=True).hash,
            per_minute=per_minute,
            rights=rights,
            area_code=area,
            expires_at=datetime.now(UTC) + timedelta(days=1),
            created_by="test",
        )
    )
    session.flush()
    return secret
