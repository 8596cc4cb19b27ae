"""From what a planner asks for to the change: move, list, split, merge, border, repair..."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import shapely.ops
import sqlalchemy as sa

from gis.errors import Problem
from gis.wording import counted
from grids.models import Cell, GridShape
from grids.plans.changes import Change
from grids.plans.errors import MoveRefused
from grids.plans.halving import divided
from grids.plans.members import NONE, Member, Row, grid_rows, members, members_by_id, pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.orm import Session

    from grids.plans.models import PlanRow

NEW = -1
LARGEST_SPLIT = 20


def move(
    session: Session,
    plan: PlanRow,
    cells: Collection[int],
    to: int | None,
    *,
    take_along: bool = False,
) -> Change:
    """Cells go to a grid; to none for `to` None.

    Parameters
    ----------
    take_along
        Also what they would cut off from the rest of their grids.
    """
    going = members_by_id(session, plan.edition_id, cells)
    target = NONE if to is None else to
    wanted = dict.fromkeys(sorted(set(cells)), target)
    if take_along:
        for grid in {each.grid_id for each in going.values()} - {NONE, target}:
            rest = [
                each
                for each in members(session, plan.edition_id, [grid]).values()
                if each.cell_id not in wanted
            ]
            for part in pieces(rest)[1:]:
                wanted |= dict.fromkeys(part, target)
    kind = "release" if to is None else "move"
    return Change(kind, wanted, {"cells": sorted(wanted), "to": to}, seen=going)


def assign(session: Session, plan: PlanRow, to: Mapping[int, int | None]) -> Change:
    """Each cell of a list goes to the grid beside it, to none for None; other cells stay."""
    wanted = {cell: NONE if grid is None else grid for cell, grid in sorted(to.items())}
    _known(session, plan, set(wanted.values()) - {NONE})
    return Change("move", wanted, {"listed": len(wanted)})


def merge(session: Session, plan: PlanRow, grids: Sequence[int]) -> Change:
    """Several grids become one: that of them with the most households."""
    wanted = sorted(set(grids))
    if len(wanted) < 2:
        raise MoveRefused(Problem("one grid is no merge", "Name two or more", field="grids"))
    mine = members(session, plan.edition_id, wanted)
    people = _people(mine)
    rows = _known(session, plan, wanted)
    kept = max(wanted, key=lambda grid: (people[grid], -grid))
    to = {cell: kept for cell, each in mine.items() if each.grid_id != kept}
    return Change("merge", to, {"grids": wanted, "kept": kept}, seen=mine, whole=wanted, rows=rows)


def split(session: Session, plan: PlanRow, grid: int, parts: int) -> Change:
    """A grid becomes `parts` of about the same households; the largest keeps its identity.

    Raises
    ------
    MoveRefused
        It has too few cells, or they cannot be divided.
    """
    rows = _known(session, plan, [grid])
    mine = members(session, plan.edition_id, [grid])
    if len(mine) == 1:
        raise MoveRefused(
            Problem(
                "a grid of 1 cell cannot become several: no building is cut",
                "Choose a grid of several cells",
                field="parts",
            )
        )
    if not 2 <= parts <= min(LARGEST_SPLIT, len(mine)):
        raise MoveRefused(
            Problem(
                f"a grid of {len(mine)} cells cannot become {parts}",
                f"Give 2 to {min(LARGEST_SPLIT, len(mine))}",
                field="parts",
            )
        )
    detail = {"grid": grid, "parts": parts}
    return _into("split", detail, grid, divided(mine, parts), mine=mine, rows=rows)


def split_by_line(session: Session, plan: PlanRow, grid: int, line: shapely.LineString) -> Change:
    """A grid becomes two or more along a line drawn across it, as near as its cells allow.

    Parameters
    ----------
    line
        WGS 84 degrees; it has to cross the grid from side to side.

    Raises
    ------
    MoveRefused
        The line does not cut the grid, or all its cells lie on one side.
    """
    rows = _known(session, plan, [grid])
    mine = members(session, plan.edition_id, [grid])
    whole = shapely.coverage_union_all(np.array([each.geom for each in mine.values()]))
    sides = list(shapely.ops.split(whole, line).geoms)
    parts: list[set[int]] = [set() for _ in sides]
    for cell, each in mine.items():
        shares = shapely.area(shapely.intersection(each.geom, np.array(sides, dtype=object)))
        parts[int(np.argmax(shares))].add(cell)
    found = _whole_parts([part for part in parts if part], mine)
    if len(found) < 2:
        raise MoveRefused(
            Problem(
                "the line leaves all cells on one side",
                "Draw it across the grid, from outside to outside",
                field="line",
            )
        )
    detail = {"grid": grid, "line": shapely.to_wkt(line)}
    return _into("split", detail, grid, found, mine=mine, rows=rows)


def border(
    session: Session, plan: PlanRow, ground: shapely.Polygon | shapely.MultiPolygon, to: int | None
) -> Change:
    """What lies in a polygon drawn by hand (WGS 84) goes to a grid, or becomes a new one.

    A cell goes as a whole, where most of it lies. Cells of other units than the grid's stay; for a
    new grid the unit that most of the polygon's households live in counts.

    Raises
    ------
    MoveRefused
        No cell lies in it, or only cells of other units than the grid's.
    """
    if not ground.is_valid:
        raise MoveRefused(Problem("the outline crosses itself", "Draw it anew", field="polygon"))
    ids = session.scalars(
        sa.select(Cell.cell_id).where(
            Cell.edition_id == plan.edition_id,
            Cell.geom.op("&&")(sa.func.ST_GeomFromText(shapely.to_wkt(ground), 4326)),
        )
    ).all()
    near = members_by_id(session, plan.edition_id, ids)
    shapes = np.array([each.geom for each in near.values()], dtype=object)
    inside: dict[int, Member] = {}
    if len(shapes):
        share = shapely.area(shapely.intersection(shapes, ground)) / shapely.area(shapes)
        inside = {c: m for (c, m), part in zip(near.items(), share, strict=True) if part > 0.5}
    if to is None:
        weight: dict[str, int] = defaultdict(int)
        for each in inside.values():
            weight[each.unit_code] += each.households + 1
        unit = max(sorted(weight), key=lambda code: weight[code], default="")
    else:
        unit = _known(session, plan, [to])[to]["unit_code"]
    mine = {cell: each for cell, each in inside.items() if each.unit_code == unit}
    if not mine:
        problem = Problem("no cell lies in the polygon", "Draw it larger", field="polygon")
        if inside:
            problem = Problem(
                f"{counted(len(inside), 'cell lies', 'cells lie')} in the polygon, none of them in "
                f"{unit}, the unit of the grid, which a grid does not leave",
                "Name a grid of the same unit, or make a new one of them",
                field="polygon",
            )
        raise MoveRefused(problem)
    donors = [each.grid_id for each in mine.values() if each.grid_id != NONE]
    grown = {NEW: max(set(donors), key=lambda grid: (donors.count(grid), -grid))} if donors else {}
    return Change(
        "border",
        dict.fromkeys(sorted(mine), NEW if to is None else to),
        {"polygon": shapely.to_wkt(ground, rounding_precision=7), "to": to,
         "left_out": len(inside) - len(mine)},
        {} if to is not None else grown,
    )  # fmt: skip


def rebalance(session: Session, plan: PlanRow, grids: Sequence[int]) -> Change:
    """The cells of some neighbouring grids are divided anew, into as many.

    Each part becomes the grid that most of its households come from, so that few of them move.

    Raises
    ------
    MoveRefused
        They are one grid, or do not touch.
    """
    wanted = sorted(set(grids))
    rows = _known(session, plan, wanted)
    mine = members(session, plan.edition_id, wanted)
    if len(wanted) < 2 or len({rows[grid]["unit_code"] for grid in wanted}) > 1:
        raise MoveRefused(
            Problem("rebalancing takes two or more grids of one unit", "Choose others",
                    field="grids")
        )  # fmt: skip
    if len(pieces(mine.values())) > 1:
        raise MoveRefused(
            Problem("these grids do not touch one another", "Choose neighbours", field="grids")
        )
    parts = divided(mine, len(wanted))
    to: dict[int, int] = {}
    free = set(wanted)
    shared = sorted(
        (
            (-sum(mine[c].households + 1 for c in part if mine[c].grid_id == grid), number, grid)
            for number, part in enumerate(parts)
            for grid in wanted
        )
    )
    taken: set[int] = set()
    for _, number, grid in shared:
        if number not in taken and grid in free:
            taken.add(number)
            free.discard(grid)
            to |= dict.fromkeys(sorted(parts[number]), grid)
    return Change("rebalance", to, {"grids": wanted}, seen=mine, whole=wanted, rows=rows)


def repair(session: Session, plan: PlanRow, grids: Sequence[int] | None = None) -> Change:
    """Ground without a grid, and parts that cannot be reached on foot, go to a neighbour.

    Each goes to the neighbour in its unit with the fewest households; to one that can be reached
    on foot, if there is one.

    Parameters
    ----------
    grids
        Only parts of these; of all, and all ground without a grid, when None.

    Raises
    ------
    MoveRefused
        There is nothing to mend, or nothing that any neighbour can take.
    """
    edition = plan.edition_id
    if grids is None:
        loose = session.scalars(
            sa.select(Cell.cell_id).where(Cell.edition_id == edition, Cell.grid_id.is_(None))
        ).all()
        wanted = session.scalars(
            sa.select(GridShape.grid_id).where(GridShape.edition_id == edition)
        ).all()
        mine = members(session, edition, wanted) | members_by_id(session, edition, loose)
    else:
        _known(session, plan, grids)
        mine = members(session, edition, grids)
        around = {other for each in mine.values() for other in each.neighbours} - set(mine)
        near = members_by_id(session, edition, around)
        mine |= members(session, edition, {each.grid_id for each in near.values()} - {NONE})
    place = {cell: each.grid_id for cell, each in mine.items()}
    people = _people(mine)
    of_grid: dict[int, list[Member]] = defaultdict(list)
    for each in mine.values():
        of_grid[each.grid_id].append(each)
    stray = [[each.cell_id] for each in of_grid.pop(NONE, [])]
    for grid, cells in sorted(of_grid.items()):
        if grids is None or grid in grids:
            stray += pieces(cells, on_foot=True)[1:]
    to: dict[int, int] = {}
    waiting = stray
    while waiting:
        later = []
        for part in waiting:
            found = _taker(part, mine, place, people)
            if found is None:
                later.append(part)
                continue
            to |= dict.fromkeys(part, found)
            for cell in part:
                if place[cell] != NONE:
                    people[place[cell]] -= mine[cell].households
                people[found] += mine[cell].households
                place[cell] = found
        if len(later) == len(waiting):
            break
        waiting = later
    if not to:
        raise MoveRefused(
            Problem(
                "there is nothing to mend"
                if not stray
                else counted(
                    len(stray),
                    "part has no neighbour that could take it",
                    "parts have no neighbour that could take them",
                ),
                "See the findings of the plan",
                field="grids",
            )
        )
    return Change("repair", to, {"grids": list(grids) if grids else None, "left": len(waiting)})


def _taker(
    part: Sequence[int],
    mine: Mapping[int, Member],
    place: Mapping[int, int],
    people: Mapping[int, int],
) -> int | None:
    own, unit = place[part[0]], mine[part[0]].unit_code
    for way in ("doors", "neighbours") if own == NONE else ("doors",):
        reached = {
            place[other]
            for cell in part
            for other in getattr(mine[cell], way)
            if other in mine and mine[other].unit_code == unit
        } - {own, NONE}
        if reached:
            return min(reached, key=lambda grid: (people[grid], grid))
    return None


def _known(session: Session, plan: PlanRow, grids: Collection[int]) -> dict[int, Row]:
    found = grid_rows(session, plan.edition_id, grids)
    missing = sorted(set(grids) - set(found))
    if missing:
        raise MoveRefused(
            Problem(
                f"there is no grid {', '.join(map(str, missing))} in plan {plan.edition_id}",
                "Look at the plan anew",
                field="grid",
            )
        )
    return found


def _people(mine: Mapping[int, Member]) -> dict[int, int]:
    people: dict[int, int] = defaultdict(int)
    for each in mine.values():
        people[each.grid_id] += each.households
    return people


def _whole_parts(parts: Sequence[set[int]], mine: Mapping[int, Member]) -> list[set[int]]:
    """Parts in one piece each: what a part has beside its main piece goes to who touches it."""
    whole: list[set[int]] = []
    stray: list[int] = []
    for part in parts:
        first, *rest = pieces([mine[cell] for cell in part])
        whole.append(set(first))
        stray += [cell for piece in rest for cell in piece]
    while stray:
        left = []
        for cell in stray:
            home = next((part for part in whole if mine[cell].neighbours & part), None)
            if home is None:
                left.append(cell)
            else:
                home.add(cell)
        if len(left) == len(stray):
            whole += [{cell} for cell in left]
            break
        stray = left
    return whole


def _into(
    kind: str,
    detail: dict[str, Any],
    grid: int,
    parts: Sequence[Collection[int]],
    *,
    mine: Mapping[int, Member],
    rows: Mapping[int, Row],
) -> Change:
    ordered = sorted(parts, key=lambda part: (-sum(mine[c].households for c in part), min(part)))
    to: dict[int, int] = {}
    for number, part in enumerate(ordered[1:], start=1):
        to |= dict.fromkeys(sorted(part), -number)
    parents = {-n: grid for n in range(1, len(ordered))}
    return Change(kind, to, detail, parents, seen=mine, whole=[grid], rows=rows)
