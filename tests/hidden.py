"""Rows of one village that callers of the other must never see a byte of."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from gis.database import execute
from grids.incidents import service
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CANARY: Final = "KANARIENVOGEL"


def rows(session: Session, county: factories.County) -> uuid.UUID:
    """Incident, camera, route, workers and addresses of the eastern village; the incident's id."""
    lon, lat = factories.middle(3)
    stored = service.record(
        session,
        service.Report(
            id=uuid.UUID(int=7), category="neighbour", severity="simple",
            text=f"{CANARY} 13912345678",
            address=f"{CANARY} 7", occurred_at=None, x=lon, y=lat, crs="wgs84", accuracy_m=None,
            method="map", source=CANARY, external_id=f"{CANARY}-1", county_code=None,
        ),
        actor=f"{CANARY}-actor",
    )  # fmt: skip
    for place in (2, 3):
        execute(
            session, "UPDATE persons SET name = :name WHERE id = :id",
            name=f"{CANARY}{place}", id=county.workers[factories.grid_code(place)],
        )  # fmt: skip
    execute(
        session,
        "INSERT INTO cameras (county_code, name, heading_deg, hfov_deg, range_m, status, geom,"
        " source, external_id) VALUES (:c, :n, 90, 70, 150, 'online',"
        " ST_SetSRID(ST_MakePoint(:x, :y), 4326), :n, :n)",
        c=factories.COUNTY, n=CANARY, x=lon, y=lat,
    )  # fmt: skip
    execute(
        session,
        "INSERT INTO patrol_routes (county_code, name, means, interval_days, geom, valid, source,"
        " external_id) VALUES"
        " (:c, :n, 'foot', 7, ST_GeomFromText(:line, 4326), '[2026-01-01,)', :n, :n)",
        c=factories.COUNTY, n=CANARY, line=f"LINESTRING({lon} {lat}, {lon + 0.001} {lat})",
    )  # fmt: skip
    for table, columns, values in (
        ("places", "kind, name, source, external_id, geom", "'other', :n, :n, :n, {at}"),
        (
            "addresses",
            "label, street, street_key, number, source, external_id, geom",
            ":n, :n, 'main street', 12, :n, :n, {at}",
        ),
        ("address_names", "kind, key, name, geom", "'street', 'main street', :n, {at}"),
        ("address_aliases", "key, text, label, author, geom", "'text', :n, :n, :n, {at}"),
        ("address_reviews", "text, candidates, author", ":n, '[]', :n"),
    ):
        at = "ST_SetSRID(ST_MakePoint(:x, :y), 4326)"
        execute(
            session,
            f"INSERT INTO {table} (county_code, area_code, {columns}) "
            f"VALUES (:c, :a, {values.format(at=at)})",
            c=factories.COUNTY, a=factories.VILLAGES[1], n=CANARY,
            **({"x": lon, "y": lat} if "{at}" in values else {}),
        )  # fmt: skip
    return stored.incident.id
