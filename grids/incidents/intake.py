"""What residents report by scanning the code of a sign, without an account.

A sign hangs somewhere in the street; whoever scans it may report in its county, and ask what became
of a report whose receipt they hold. Nothing else is seen by it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from boundaries.access import Scope
from boundaries.repository import point, units_covering
from gis import audit
from gis.crs import parse_crs
from gis.database import execute
from gis.errors import BadInput, Problem
from grids.incidents import reporters, service
from grids.incidents.errors import IncidentNotFound, SignNotFound
from grids.incidents.models import Incident, Sign

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from gis.secrets import Keyring

SOURCE: Final = "sign"
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH: Final = 12
LONGEST_NAME: Final = 100
# Somebody who scans a sign stands before it, and what they report is near: a block, say.
NEAR_SIGN_M: Final = 50.0
COUNTY: Final = 6


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a scanned sign hangs; ``lon`` and ``lat`` in WGS 84 degrees."""

    login: str
    county_code: str
    area_code: str
    place_name: str
    lon: float
    lat: float


def put_up(session: Session, place_name: str, *, lon: float, lat: float, actor: str) -> Sign:
    """Make a sign for a place.

    Parameters
    ----------
    place_name
        What hangs above the code, such as the gate of an estate; up to 100 characters.
    lon, lat
        Where it hangs, WGS 84 degrees.

    Raises
    ------
    BadInput
        It has no name, or lies in no county.
    Forbidden
        It lies outside the caller's area.
    """
    name = " ".join(place_name.split())
    problems = []
    if not 0 < len(name) <= LONGEST_NAME:
        problems.append(
            Problem(
                f"the name of the place is empty or longer than {LONGEST_NAME} characters",
                "Say where the sign hangs, such as '东苑小区北门'",
                field="place_name",
            )
        )
    county = None
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        problems.append(Problem("this is no place", "Give WGS 84 degrees", field="lon, lat"))
    else:
        covering = units_covering(session, lon, lat, datetime.now(UTC))
        county = next((unit.code for unit in covering if unit.level == COUNTY), None)
        if county is None:
            problems.append(
                Problem(
                    f"{lon:.6f},{lat:.6f} lies in no county that is known here",
                    "Check the order, longitude first, or import the county",
                    field="lon, lat",
                )
            )
    if problems:
        raise BadInput(problems)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    session.execute(
        sa.select(sa.func.wangge_put_up_sign(code, county, name, point(lon, lat), actor))
    )
    sign = session.get_one(Sign, code)
    _record(session, sign, "sign.put_up", actor)
    return sign


def take_down(session: Session, code: str, *, actor: str) -> Sign:
    """End a sign: whoever scans it from now on is told that it is no longer in use.

    Raises
    ------
    SignNotFound
        No sign of that code hangs in the caller's area.
    """
    sign = found(session, code)
    if sign.ended_at is None:
        sign.ended_at, sign.ended_by = datetime.now(UTC), actor
        session.flush()
        _record(session, sign, "sign.taken_down", actor)
    return sign


def signs(session: Session) -> Sequence[Sign]:
    """Every sign of the caller's area, those taken down too, by area and name."""
    return session.scalars(
        sa.select(Sign).order_by(Sign.ended_at.is_not(None), Sign.area_code, Sign.place_name)
    ).all()


def found(session: Session, code: str) -> Sign:
    """The sign of a code, as it is read or typed.

    Raises
    ------
    SignNotFound
        None in the caller's area.
    """
    sign = session.get(Sign, normal(code))
    if sign is None:
        raise SignNotFound("there is no sign of that code")
    return sign


def normal(code: str) -> str:
    """A code as it was made: typed ones have capitals, hyphens, and letters for figures."""
    bare = re.sub(r"[\s-]", "", code).lower()
    return bare.translate(str.maketrans("oil", "011"))


def enter(session: Session, code: str, *, origin: str = "") -> Desk:
    """Let a resident in by the code of a sign, for this transaction.

    Raises
    ------
    SignNotFound
        It was taken down, or never was.
    """
    row = execute(
        session, "SELECT * FROM wangge_enter_by_sign(:code)", code=normal(code)
    ).one_or_none()
    if row is None:
        raise SignNotFound("this sign is no longer in use: report by phone, or scan another one")
    audit.come_in(
        session,
        audit.Context(
            actor=row.login,
            account_id=row.account_id,
            role="resident",
            area=row.county_code,
            origin=origin,
        ),
    )
    return Desk(row.login, row.county_code, row.area_code, row.place_name, row.lon, row.lat)


def report(
    session: Session,
    desk: Desk,
    *,
    receipt_id: uuid.UUID,
    category: str,
    text: str,
    position: tuple[float, float, float] | None,
    who: reporters.Identity,
    keyring: Keyring,
) -> service.Stored:
    """Store what a resident reports; a retry with the same id and content changes nothing.

    Parameters
    ----------
    receipt_id
        Made by the resident's page, so that a lost answer can be asked for again.
    position
        Longitude and latitude in WGS 84 degrees and the accuracy in metres, as the phone has it;
        None: it is where the sign hangs, give or take a block.

    Raises
    ------
    BadInput, IncidentConflict, PlaceOutsideArea
        As for every report.
    """
    lon, lat, accuracy_m = position or (desk.lon, desk.lat, NEAR_SIGN_M)
    stored = service.record(
        session,
        service.Report(
            id=receipt_id,
            category=category,
            text=text,
            address=desk.place_name,
            x=lon,
            y=lat,
            crs=parse_crs("wgs84").name,
            accuracy_m=accuracy_m,
            method="gps" if position else "sign",
            source=SOURCE,
            county_code=desk.county_code,
        ),
        actor=desk.login,
        scope=Scope(desk.county_code),
    )
    if stored.is_new:
        reporters.keep(session, stored.incident, who, keyring=keyring)
    return stored


def receipt(session: Session, incident_id: uuid.UUID) -> Incident:
    """What became of a report that came in by a sign of the same county.

    Raises
    ------
    IncidentNotFound
        No such receipt.
    """
    incident = session.get(Incident, incident_id)
    if incident is None or incident.source != SOURCE:
        raise IncidentNotFound("there is no report with this receipt")
    return incident


def _record(session: Session, sign: Sign, action: str, actor: str) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        object_kind="sign",
        object_id=sign.code,
        county_code=sign.county_code,
        area_code=sign.area_code,
    )
