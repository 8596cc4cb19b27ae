"""Editions of grids: kept as a draft, published whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from geoalchemy2.shape import from_shape

from boundaries import areas, editions
from boundaries.models import AdminUnit, Edition
from gis import audit
from gis.crs import from_wgs84_geometry, metric_crs
from gis.errors import BadInput, Problem
from grids import succession
from grids.checking import check, unnested
from grids.errors import TilingBroken
from grids.models import Building, Cell, Grid, GridShape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

COUNTY_DIGITS: Final = 6
# A grid of the new edition is the old one when they share more than half of both.
SAME_GRID_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Published:
    """What a change-over did."""

    edition: Edition
    replaced: Sequence[Edition]
    grids: int
    kept: int  # grids whose identity goes on from the edition before
    unassigned: int  # grids without anybody to answer for them, from the moment it is in force
    # Micro grids in force that no longer nest in its base grids: they answer on until redrawn.
    unnested: Sequence[Problem] = ()


def planning_input(
    session: Session, area_code: str, at: datetime
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Units, buildings and barriers of an area, as ``grids.redistricting.draw`` takes them.

    Returns
    -------
    area, buildings, barriers
        EPSG:4326; buildings have ``id`` and ``households``, barriers ``kind``. Of a part of a
        county those that lie in it or are said to, of a county all.
    """
    area = areas.planning_area(session, area_code, at)
    box = sa.func.ST_MakeEnvelope(*area.total_bounds, 4326)
    buildings = session.execute(
        sa.select(
            Building.id,
            Building.households,
            Building.unit_code,
            sa.func.ST_AsBinary(Building.point).label("point"),
            sa.func.ST_AsBinary(Building.geom).label("wkb"),
        )
        .where(Building.point.op("&&")(box), Building.county_code == area_code[:6])
        .order_by(Building.id)
    ).all()
    if len(area_code) > COUNTY_DIGITS:
        # Around a township its neighbours' buildings lie in the same box: they are not its own,
        # and not lost either.
        points = shapely.from_wkb([bytes(row.point) for row in buildings])
        ground = shapely.STRtree(area.geometry.to_numpy())
        inside = set(ground.query(points, predicate="intersects")[0].tolist())
        buildings = [
            row
            for number, row in enumerate(buildings)
            if number in inside or (row.unit_code or "").startswith(area_code)
        ]
    barriers = session.execute(
        sa.text(
            "SELECT kind, ST_AsBinary(geom) AS wkb FROM barriers "
            "WHERE geom && ST_MakeEnvelope(:w, :s, :e, :n, 4326) ORDER BY id"
        ),
        dict(zip("wsen", map(float, area.total_bounds), strict=True)),
    ).all()
    return (
        area,
        gpd.GeoDataFrame(
            {
                "id": [row.id for row in buildings],
                "households": np.array([row.households for row in buildings], dtype=np.int64),
            },
            geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in buildings], crs=4326),
        ),
        gpd.GeoDataFrame(
            {"kind": [row.kind for row in barriers]},
            geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in barriers], crs=4326),
        ),
    )


def save_draft(
    session: Session,
    area_code: str,
    grids: gpd.GeoDataFrame,
    *,
    title: str,
    author: str,
    cells: gpd.GeoDataFrame | None = None,
    rules: dict[str, Any] | None = None,
    note: str = "",
    based_on: int | None = None,
    identities: Mapping[str, int] = MappingProxyType({}),
    kind: str = "base",
) -> Edition:
    """Keep drawn or imported grids as a draft edition.

    Parameters
    ----------
    grids
        ``code``, ``unit``, ``households``, ``buildings``, ``target``, ``geometry`` (any CRS);
        optional ``name``, ``area_type``.
    cells
        ``cell_id``, ``grid`` (code), ``unit``, ``block``, ``households``, ``building_ids``
        (numbers of the buildings table), optional ``neighbours`` and ``doors`` (cell ids), and
        ``geometry``: what the planner made the grids of.
    based_on
        Edition that it is to take the place of.
    identities
        Grid of each code that lives on; the others are new.
    kind
        ``base``, ``micro`` or ``exclusive``.
    """
    county = area_code[:6]
    shapes = grids.to_crs(4326)
    _check_codes(shapes, area_code)
    edition = Edition(
        area_code=area_code,
        kind=kind,
        title=title,
        author=author,
        rules=rules or {},
        note=note,
        based_on_id=based_on,
    )
    session.add(edition)
    session.flush()
    new = [code for code in shapes["code"] if code not in identities]
    number = dict(identities)
    if new:
        made = session.scalars(
            sa.insert(Grid).returning(Grid.id, sort_by_parameter_order=True),
            [{"county_code": county, "kind": kind} for _ in new],
        )
        number |= dict(zip(new, made, strict=True))
    metric = metric_crs(tuple(shapes.total_bounds))
    flat = from_wgs84_geometry(shapes.geometry.to_numpy(), metric)
    area_m2, length_m = shapely.area(flat), shapely.length(flat)
    compactness = np.clip(4 * np.pi * area_m2 / length_m**2, 0, 1)
    area_types = _area_types(session, shapes["unit"])
    session.execute(
        sa.insert(GridShape),
        [
            {
                "edition_id": edition.id,
                "grid_id": number[row.code],
                "county_code": county,
                "code": row.code,
                "unit_code": row.unit,
                "name": getattr(row, "name", "") or "",
                "area_type": getattr(row, "area_type", None) or area_types.get(row.unit, "urban"),
                "households": int(row.households),
                "buildings": int(row.buildings),
                "target": int(row.target),
                "compactness": float(compactness[place]),
                "area_m2": float(area_m2[place]),
                "geom": from_shape(row.geometry, srid=4326),
            }
            for place, row in enumerate(shapes.itertuples(index=False))
        ],
    )
    if cells is not None and len(cells):
        save_cells(
            session, edition, cells.to_crs(4326).assign(grid=[number[c] for c in cells["grid"]])
        )
    audit.record(
        session,
        actor=author,
        action="edition.draft",
        object_kind="edition",
        object_id=edition.id,
        county_code=county,
        grids=len(shapes),
    )
    session.flush()
    return edition


def _check_codes(shapes: gpd.GeoDataFrame, area_code: str) -> None:
    problems = [
        Problem(f"grid code {code} appears twice", "Codes are unique within an edition")
        for code in shapes.loc[shapes["code"].duplicated(), "code"].unique()
    ]
    problems += [
        Problem(
            f"grid {row.code} lies under unit {row.unit}, outside {area_code}",
            "Choose the area it lies in",
        )
        for row in shapes.itertuples(index=False)
        if not row.unit.startswith(area_code)
    ]
    if problems:
        raise BadInput(problems)


def _area_types(session: Session, units: Sequence[str]) -> dict[str, str]:
    rows = session.execute(
        sa.select(AdminUnit.code, AdminUnit.area_type).where(
            AdminUnit.code.in_(sorted(set(units))), AdminUnit.area_type.is_not(None)
        )
    )
    return {row.code: row.area_type for row in rows}


def save_cells(session: Session, edition: Edition, cells: gpd.GeoDataFrame) -> None:
    """Keep cells, whose ``grid`` is a grid's id or None, in EPSG:4326; else as ``save_draft``."""
    connection = session.connection().connection.driver_connection
    # Not COPY: the service, whom row-level security holds, may not use it.
    with connection.cursor() as cursor:  # type: ignore[union-attr]
        cursor.executemany(
            "INSERT INTO cells (edition_id, cell_id, county_code, grid_id, unit_code, block, "
            "households, building_ids, neighbours, doors, geom) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %b::geometry)",
            (
                (
                    edition.id,
                    int(row.cell_id),
                    edition.county_code,
                    None if pd.isna(row.grid) else int(row.grid),
                    row.unit,
                    int(row.block),
                    int(row.households),
                    [int(number) for number in row.building_ids],
                    _numbers(getattr(row, "neighbours", None)),
                    _numbers(getattr(row, "doors", None)),
                    shapely.to_wkb(shapely.set_srid(row.geometry, 4326), include_srid=True),
                )
                for row in cells.itertuples(index=False)
            ),
        )


def _numbers(ids: Sequence[int] | None) -> list[int] | None:
    return None if ids is None else [int(number) for number in ids]


def publish(
    session: Session,
    edition_id: int,
    *,
    approver: str,
    effective: datetime | None = None,
) -> Published:
    """Put a draft in force: the edition before it is closed at the same moment.

    Grids that share more than half of their ground with a grid of the edition before keep its
    identity, and with it their people.

    Parameters
    ----------
    effective
        From when on; now by default. The first edition of an area may begin in the past.

    Raises
    ------
    TilingBroken
        The grids break the rules of their kind; all breaches are named and nothing is changed.
    EditionConflict
        It is no draft, or the area is taken by an edition of another area.
    """
    edition = editions.get(session, edition_id)
    now = datetime.now(UTC)
    at = effective or now
    problems = check(session, edition, max(at, now))
    if problems:
        raise TilingBroken(problems)
    kept = 0
    before = editions.overlapping(session, edition.area_code, edition.kind, at)
    if before and at < now:
        raise BadInput(
            Problem(
                f"an edition is in force since {before[0].valid.lower}: "  # type: ignore[union-attr]
                "what was answered since cannot be changed",
                "Choose a time from now on",
                field="effective",
            )
        )
    for old in before:
        if old.id == edition.id:
            continue  # published already: refused below
        _keep_identities(session, edition, old)
        kept += _going_on(session, edition, old)
        succession.record(session, edition, old)
    replaced = editions.activate(session, edition, approver=approver, at=at)
    loose = unnested(session, edition, max(at, now)) if edition.kind == "base" else []
    total = session.scalar(sa.select(sa.func.count()).where(GridShape.edition_id == edition.id))
    audit.record(
        session,
        actor=approver,
        action="edition.publish",
        object_kind="edition",
        object_id=edition.id,
        county_code=edition.county_code,
        replaced=[old.id for old in replaced],
        effective=at.isoformat(),
        kept=kept,
        kind=edition.kind,
        unnested=len(loose),
    )
    return Published(
        edition, replaced, int(total or 0), kept, unassigned(session, edition, at), loose
    )


def unassigned(session: Session, edition: Edition, at: datetime) -> int:
    """Grids that nobody answers for at a moment."""
    statement = sa.text(
        "SELECT count(*) FROM grid_shapes AS g WHERE g.edition_id = :edition AND NOT EXISTS "
        "(SELECT FROM assignments AS a WHERE a.grid_id = g.grid_id AND a.valid @> :at)"
    )
    return int(session.scalar(statement, {"edition": edition.id, "at": at}) or 0)


def _going_on(session: Session, new: Edition, old: Edition) -> int:
    """How many grids of an edition were there in the one before."""
    statement = sa.text(
        "SELECT count(*) FROM grid_shapes AS n JOIN grid_shapes AS o USING (grid_id) "
        "WHERE n.edition_id = :new AND o.edition_id = :old"
    )
    return int(session.scalar(statement, {"new": new.id, "old": old.id}) or 0)


def _keep_identities(session: Session, new: Edition, old: Edition) -> None:
    """Give new grids the identity of the old ones they mostly are."""
    pairs = session.execute(
        sa.text(
            """
            SELECT n.grid_id AS fresh, o.grid_id AS kept
            FROM grid_shapes AS n
            JOIN grid_shapes AS o ON o.edition_id = :old AND o.geom && n.geom
            CROSS JOIN LATERAL (
                SELECT ST_Area(ST_Intersection(n.geom, o.geom)) AS shared
            ) AS s
            WHERE n.edition_id = :new AND n.grid_id <> o.grid_id
                -- A branch knows who its grids are.
                AND NOT EXISTS (
                    SELECT FROM grid_shapes AS known
                    WHERE known.edition_id = :old AND known.grid_id = n.grid_id
                )
                AND s.shared > :share * ST_Area(n.geom) AND s.shared > :share * ST_Area(o.geom)
                AND NOT EXISTS (
                    SELECT FROM grid_shapes AS taken
                    WHERE taken.edition_id = :new AND taken.grid_id = o.grid_id
                )
            """
        ),
        {"new": new.id, "old": old.id, "share": SAME_GRID_SHARE},
    ).all()
    if pairs:
        # Cells follow by the cascade of their key.
        session.execute(
            sa.text(
                "UPDATE grid_shapes SET grid_id = pair.kept "
                "FROM unnest(CAST(:fresh AS bigint[]), CAST(:kept AS bigint[])) "
                "AS pair (fresh, kept) "
                "WHERE edition_id = :edition AND grid_id = pair.fresh"
            ),
            {
                "fresh": [pair.fresh for pair in pairs],
                "kept": [pair.kept for pair in pairs],
                "edition": new.id,
            },
        )
        # Another branch may have been made while it was a draft, and go on with the number.
        session.execute(
            sa.text(
                "DELETE FROM grids AS g WHERE g.id = ANY(CAST(:fresh AS bigint[])) "
                "AND NOT EXISTS (SELECT FROM grid_shapes AS s WHERE s.grid_id = g.id) "
                "AND NOT EXISTS (SELECT FROM plan_locks AS l WHERE l.grid_id = g.id)"
            ),
            {"fresh": [pair.fresh for pair in pairs]},
        )


def copy_rows(session: Session, old: int, new: int) -> None:
    """Copy the grids and cells of an edition to another one."""
    for table in (GridShape, Cell):
        names = [
            column.name
            for column in table.__table__.columns
            if column.name != "edition_id" and column.computed is None
        ]
        session.execute(
            sa.insert(table).from_select(
                ["edition_id", *names],
                sa.select(sa.literal(new), *(getattr(table, name) for name in names)).where(
                    table.edition_id == old
                ),
            )
        )
