"""Draw the grids of an area that is in the database, and read an edition's grids back."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar, Unpack

import geopandas as gpd
import numpy as np
import pandas as pd
import sqlalchemy as sa

from boundaries import editions
from gis.errors import BadInput, Problem
from grids import service
from grids.models import Building, Cell, GridShape
from grids.plans import locks, opening
from grids.plans.models import PlanLock
from grids.redistricting import AREA_TYPES, draw
from grids.redistricting.camps import camp_problems
from grids.redistricting.checks import figure_problems
from grids.redistricting.limits import Limits
from grids.redistricting.pins import pin_problems
from grids.redistricting.rules import GROUND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from boundaries.models import Edition
    from grids.redistricting import Plan

HAN: Final = re.compile("[\u4e00-\u9fff]")
COUNTED: Final = {
    "incidents": "SELECT geom FROM incidents WHERE county_code = :county AND geom IS NOT NULL "
    "AND reported_at > :since",
    "places": "SELECT geom FROM places WHERE county_code = :county",
}
"""What the database can count at each building as a second measure."""
SECOND: Final = (*COUNTED, GROUND)

Table = TypeVar("Table", bound=pd.DataFrame)


class Wishes(TypedDict, total=False):
    """What else is asked of a drawing, by the names of `grids.redistricting.draw`."""

    prices: str | None
    effort: str | float | None
    keep: float
    keeps: Sequence[float]
    count: int | None
    minimum: int | None
    maximum: int | None
    second: str | None
    second_weight: float
    compactness_floor: float
    walk_m: float
    travel_min: float


@dataclass(frozen=True, slots=True)
class Layers:
    """What an area of the database is drawn from.

    Attributes
    ----------
    frames
        ``area``, ``buildings``, ``barriers`` and, where they are asked for, ``before``,
        ``locked``, ``pinned`` and ``camps``, as `draw` takes them.
    prices
        Name of the prices for the area type that all units share; None where they differ.
    identities
        Grid of each code of the edition before.
    """

    frames: dict[str, gpd.GeoDataFrame]
    prices: str | None
    identities: dict[str, int]


def read_layers(
    session: Session,
    area_code: str,
    *,
    target: float | None = None,
    tolerance: float | None = None,
    before: int | None = None,
    second: str | None = None,
    pinned: pd.DataFrame | None = None,
    camps: gpd.GeoDataFrame | None = None,
    most_buildings: int | None = None,
    more: Sequence[Problem] = (),
) -> Layers:
    """Layers of an area as they are now, for `draw`.

    Parameters
    ----------
    target, tolerance
        For all units; by each unit's area type when left out (urban where it is unknown).
    before
        Edition to change as little as possible. What is locked in it, where it is a plan, stays.
    second
        ``incidents`` counts those of the last year, ``places`` key places, both by the building
        nearest to each; ``area_m2`` is the ground of the grids.
    pinned, camps
        As `draw` takes them: ``building_id`` is the number of a building in the database. Where
        a row has none, ``external_id`` names it by its id in the source it was imported from.
    most_buildings
        More than so many are refused.
    more
        Problems of other figures, to be told together with these.

    Raises
    ------
    BadInput
        Target, tolerance or second measure cannot be used, the edition before has no grid in the
        area, a pin or camp is of no building or grid there, or the area is too large. With every
        problem of figures, pins and camps.
    """
    asked = (300 if target is None else target, 0.1 if tolerance is None else tolerance)
    problems = [*figure_problems(*asked), *more]
    if second not in {None, *SECOND}:
        remedy = f"Use {', '.join(SECOND)}; other columns are taken from files"
        problems.append(Problem(f"second is {second!r}", remedy, field="second"))
    now = datetime.now(UTC)
    area, buildings, barriers = service.planning_input(session, area_code, now)
    if buildings.empty:
        remedy = "Import them first: wangge import buildings FILE --commit"
        raise BadInput(Problem(f"{area_code} has no buildings yet", remedy, field="area"))
    if most_buildings is not None and len(buildings) > most_buildings:
        raise BadInput(
            Problem(
                f"{area_code} has {len(buildings):,} buildings, more than {most_buildings:,}",
                f"Draw a part of it, or all with: wangge plan draw --unit {area_code}",
                field="area",
            )
        )
    older = None if before is None else _older_grids(session, area_code, before)
    if pinned is not None:
        pinned = _by_number(session, area_code, pinned, "pinned", problems)
        problems += _but_told(problems, pin_problems(pinned, buildings, older))
    if camps is not None:
        camps = _by_number(session, area_code, camps, "camps", problems)
        problems += _but_told(problems, camp_problems(camps, buildings))
    if problems:
        raise BadInput(problems)
    kinds = [kind or "urban" for kind in area["area_type"]]
    norms = [AREA_TYPES[kind] for kind in kinds]
    area["target"] = [norm.target if target is None else target for norm in norms]
    area["tolerance"] = [norm.tolerance if tolerance is None else tolerance for norm in norms]
    if second in COUNTED:
        counted = _by_building(session, area_code, COUNTED[second], now)
        buildings[second] = [counted.get(number, 0) for number in buildings["id"]]
    frames = {"area": area, "buildings": buildings, "barriers": barriers}
    identities: dict[str, int] = {}
    wanted = {"pinned": pinned, "camps": camps}
    frames |= {name: layer for name, layer in wanted.items() if layer is not None and len(layer)}
    if older is not None:
        identities = dict(zip(older["code"], older["grid_id"], strict=True))
        frames["before"] = older
        held = set(
            session.scalars(sa.select(PlanLock.grid_id).where(PlanLock.edition_id == before))
        )
        locked = older[older["grid_id"].isin(held)]
        if len(locked):
            frames["locked"] = locked
    shared = kinds[0] if len(set(kinds)) == 1 else None
    return Layers(frames, shared, identities)


def draw_draft(
    session: Session,
    area_code: str,
    *,
    author: str,
    target: float | None = None,
    tolerance: float | None = None,
    seed: int = 1,
    title: str | None = None,
    before: int | None = None,
    pinned: pd.DataFrame | None = None,
    camps: gpd.GeoDataFrame | None = None,
    most_buildings: int | None = None,
    progress: Callable[[str, float], None] | None = None,
    **wishes: Unpack[Wishes],
) -> tuple[Plan, Edition]:
    """Draw grids for every unit under a code and keep them as a draft edition.

    Parameters
    ----------
    target, tolerance
        For all units; by each unit's area type when left out (urban where it is unknown).
    before
        Edition to change as little as possible: grids whose code lives on keep their identity,
        and what is locked in it stays, and is locked in the new one.
    pinned, camps
        Buildings held in a grid of the edition before, and places where households live part of
        the year, by buildings of the database: see `read_layers`.
    wishes
        Prices are by default those of the area type that all units share.

    Returns
    -------
    The plan in EPSG:4326, and the draft.

    Raises
    ------
    BadInput
        A figure, or a layer of the area, cannot be used.
    """
    layers = read_layers(
        session,
        area_code,
        target=target,
        tolerance=tolerance,
        before=before,
        second=wishes.get("second"),
        pinned=pinned,
        camps=camps,
        most_buildings=most_buildings,
        more=_limits(wishes).problems(),
    )
    area = layers.frames["area"]
    if wishes.get("prices") is None:
        wishes["prices"] = layers.prices
    plan = draw(**layers.frames, seed=seed, progress=progress, **wishes)
    names = dict(zip(area["code"], area["name"], strict=True))
    kinds = dict(zip(area["code"], area["area_type"], strict=True))
    grids = plan.grids.assign(
        name=[
            grid_name(names[unit], int(code[len(unit) :]))
            for unit, code in zip(plan.grids["unit"], plan.grids["code"], strict=True)
        ],
        area_type=[kinds[unit] or "urban" for unit in plan.grids["unit"]],
    )
    # A grid that lives on is called as it was.
    if before is not None:
        older = layers.frames["before"].set_index("code")["name"]
        grids["name"] = grids["code"].map(older).where(lambda name: name.notna(), grids["name"])
    edition = service.save_draft(
        session,
        area_code,
        grids,
        title=title or f"{area_code} {datetime.now(UTC):%Y-%m-%d}",
        author=author,
        cells=plan.cells,
        rules={"seed": seed, "target": target, "tolerance": tolerance}
        | {
            name: value
            for name, value in wishes.items()
            if name != "keeps" and value not in {None, math.inf}
        }
        | {name: len(layers.frames[name]) for name in ("pinned", "camps") if name in layers.frames},
        based_on=before,
        identities=layers.identities,
    )
    if "locked" in layers.frames:
        row = opening.open_draft(session, edition.id, author=author)
        locks.lock(
            session, row, [int(n) for n in layers.frames["locked"]["grid_id"]], author=author
        )
    return plan, edition


def _limits(wishes: Wishes) -> Limits:
    return Limits(
        wishes.get("count"),
        wishes.get("minimum"),
        wishes.get("maximum"),
        wishes.get("compactness_floor", 0.0),
        wishes.get("walk_m", math.inf),
        wishes.get("travel_min", math.inf),
    )


def _by_number(
    session: Session, area_code: str, table: Table, source: str, problems: list[Problem]
) -> Table:
    """A table of buildings by their numbers here; told are ids of a source that name none or two.

    A number that a format without missing whole numbers made a fraction is made whole.
    """
    if "building_id" not in table.columns and "external_id" not in table.columns:
        return table
    number = pd.Series(None, index=range(len(table)), dtype=object)
    if "building_id" in table.columns:
        given = table["building_id"].reset_index(drop=True).astype(object)
        whole = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float)
        number = given.where(given.notna(), None)
        for row in np.flatnonzero(np.isfinite(whole) & (whole == np.floor(whole))):
            number[row] = int(whole[row])
    if "external_id" in table.columns:
        names = table["external_id"].reset_index(drop=True)
        names = names[number.isna() & names.notna()].astype(str)
        known: dict[str, list[int]] = {}
        for found in session.execute(
            sa.select(Building.id, Building.external_id).where(
                Building.county_code == area_code[:6],
                Building.external_id.in_(sorted(set(names))),
            )
        ):
            known.setdefault(found.external_id, []).append(found.id)
        for row, name in names.items():
            numbers = known.get(name, [])
            if len(numbers) == 1:
                number[row] = numbers[0]
                continue
            reason = f"{len(numbers) or 'no'} buildings have the id {name} in their source"
            remedy = "Give building_id, the number of the building here"
            problems.append(Problem(reason, remedy, source, int(str(row)) + 1, "external_id"))
    return table.assign(building_id=number.to_numpy())


def _but_told(told: Sequence[Problem], found: Sequence[Problem]) -> list[Problem]:
    """Problems but those of buildings of rows that something is wrong with already."""
    rows = {(each.source, each.row) for each in told}
    return [
        each for each in found if each.field != "building_id" or (each.source, each.row) not in rows
    ]


def _older_grids(session: Session, area_code: str, edition_id: int) -> gpd.GeoDataFrame:
    edition = editions.get(session, edition_id)
    older = grids_frame(session, edition.id)
    older = older[older["unit"].str.startswith(area_code)].reset_index(drop=True)
    if older.empty:
        raise BadInput(
            Problem(
                f"edition {edition_id} has no grid in {area_code}",
                f"It is of {edition.area_code}: choose one of the area that is drawn",
                field="before",
            )
        )
    return older


def _by_building(session: Session, area_code: str, points: str, now: datetime) -> dict[int, int]:
    """Points by the building nearest to each, within 500 m."""
    rows = session.execute(
        sa.text(
            "SELECT near.id, count(*) AS n FROM ("  # noqa: S608 - texts of this module
            + points
            + ") AS p CROSS JOIN LATERAL ("
            "  SELECT b.id, b.point FROM buildings AS b WHERE b.county_code = :county"
            "  ORDER BY b.point <-> p.geom LIMIT 1) AS near "
            "WHERE ST_DWithin(near.point::geography, p.geom::geography, 500) GROUP BY near.id"
        ),
        {"county": area_code[:6], "since": now - timedelta(days=365)},
    )
    return {row.id: row.n for row in rows}


def grid_name(unit: str, number: int) -> str:
    """What a grid is called: 河东社区第3网格, or "Riverside 3" where the name is not Chinese."""
    return f"{unit}第{number}网格" if HAN.search(unit) else f"{unit} {number}"


def grids_frame(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Grids of an edition: code, unit, name, figures and polygon in EPSG:4326, by code."""
    columns = ("code", "name", "area_type", "households", "buildings", "target")
    figures = ("deviation", "compactness", "area_m2")
    rows = session.execute(
        sa.select(
            GridShape.grid_id,
            GridShape.unit_code.label("unit"),
            *(getattr(GridShape, name) for name in (*columns, *figures)),
            sa.func.ST_AsBinary(GridShape.geom).label("wkb"),
        )
        .where(GridShape.edition_id == edition_id)
        .order_by(GridShape.code)
    ).all()
    names = ("grid_id", "unit", *columns, *figures)
    return gpd.GeoDataFrame(
        {name: [getattr(row, name) for row in rows] for name in names},
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )


def cells_frame(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Cells of an edition, by id: grid code (None: of none), unit, households, buildings.

    Returns
    -------
    GeoDataFrame
        ``cell_id``, ``grid``, ``unit``, ``block``, ``households``, ``building_ids`` (list) and
        polygon in EPSG:4326.
    """
    rows = session.execute(
        sa.select(
            Cell.cell_id,
            GridShape.code.label("grid"),
            Cell.unit_code.label("unit"),
            Cell.block,
            Cell.households,
            Cell.building_ids,
            sa.func.ST_AsBinary(Cell.geom).label("wkb"),
        )
        .outerjoin(
            GridShape,
            (GridShape.edition_id == Cell.edition_id) & (GridShape.grid_id == Cell.grid_id),
        )
        .where(Cell.edition_id == edition_id)
        .order_by(Cell.cell_id)
    ).all()
    names = ("cell_id", "grid", "unit", "block", "households", "building_ids")
    return gpd.GeoDataFrame(
        {name: [getattr(row, name) for row in rows] for name in names},
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )
