"""Pins: buildings, or places, that are to lie in a given grid of the plan before.

A pin is a price no other outweighs on its cell's being anywhere but in its grid, so every move of
the search honours it. Grids are first led to their pins, since moves keep them in one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.redistricting import checks
from grids.redistricting.cells import Cells
from grids.redistricting.compiled import Flags, Ints, Labels
from grids.redistricting.graph import CellGraph
from grids.redistricting.inputs import Town, to_lonlat
from grids.redistricting.plan import Finding

PASSES = 4
"""Times the grids are led to their pins: the way to one may cut another off."""


@dataclass(frozen=True)
class Pins:
    """Cells that are to lie in a grid of the plan before.

    Attributes
    ----------
    cells, grids
        Cell of each pin and number of the older grid it is pinned to.
    names
        Building id, or row, of each.
    led
        Grid of each cell in the older plan, led to its pins.
    wanted
        Older grid each cell must lie in, -1 for any: the pins that can be kept.
    """

    cells: Ints
    grids: Ints
    names: list[str]
    led: Ints
    wanted: Ints


def pin_problems(
    pinned: pd.DataFrame | None, buildings: gpd.GeoDataFrame, before: gpd.GeoDataFrame | None
) -> list[Problem]:
    """Pins to no grid there was, of no building there is, or without a plan they refer to."""
    if pinned is None or not len(pinned):
        return []
    if before is None:
        return [Problem("pins name grids of a plan before", "Give `before` too", "pinned")]
    found = [*checks.column_problems(pinned, "pinned", "code")]
    if not found and "code" in before.columns:
        found += _unknown_codes(pinned, before["code"].astype(str).tolist())
    if "building_id" in pinned.columns:
        if isinstance(buildings, gpd.GeoDataFrame):
            found += _unknown_buildings(pinned, buildings)
    elif isinstance(pinned, gpd.GeoDataFrame):
        found += checks.layer_problems(pinned, "pinned", ("Point",))
    else:
        found += checks.column_problems(pinned, "pinned", "building_id")
    found.sort(key=lambda each: each.row or 0)
    return found[: checks.ROWS_SHOWN]


def _unknown_codes(pinned: pd.DataFrame, codes: list[str]) -> list[Problem]:
    known = set(codes)
    return [
        Problem(
            f"no grid of the plan before has the code {code}",
            f"Give the code of one, such as {codes[0]}" if codes else "It has none",
            "pinned",
            row + 1,
            "code",
        )
        for row, code in enumerate(pinned["code"].astype(str))
        if code not in known
    ][: checks.ROWS_SHOWN]


def _unknown_buildings(pinned: pd.DataFrame, buildings: gpd.GeoDataFrame) -> list[Problem]:
    known = set(checks.ids_of(buildings).tolist())
    return [
        Problem(
            f"no building has the id {identity}",
            "Give the id of a building there is",
            "pinned",
            row + 1,
            "building_id",
        )
        for row, identity in enumerate(pinned["building_id"].astype(str))
        if identity not in known
    ]


def place_pins(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    pinned: pd.DataFrame,
    *,
    older: Ints,
    older_codes: list[str],
    is_locked: Flags,
) -> Pins:
    """Pins on their cells, and the older plan led to them.

    Raises
    ------
    BadInput
        A place outside the area, or two pins of one cell to different grids.
    """
    number = {code: grid for grid, code in enumerate(older_codes)}
    codes = pinned["code"].astype(str).tolist()
    if "building_id" in pinned.columns:
        names = pinned["building_id"].astype(str).tolist()
        at = {str(name): int(cell) for name, cell in zip(town.ids, cells.of_building, strict=False)}
        where = [at.get(name, -1) for name in names]
    else:
        assert isinstance(pinned, gpd.GeoDataFrame)
        names = [f"row {row + 1}" for row in range(len(pinned))]
        spots = pinned.geometry.force_2d().to_crs(town.metres).to_numpy()
        spot, cell = shapely.STRtree(cells.polygons).query(spots, predicate="intersects")
        lowest = np.full(len(spots), len(cells.polygons))
        np.minimum.at(lowest, spot, cell)
        where = np.where(lowest == len(cells.polygons), -1, lowest).tolist()
    problems = []
    taken: dict[int, tuple[str, str]] = {}
    for row, (code, name, cell) in enumerate(zip(codes, names, where, strict=True)):
        if cell < 0:
            reason = f"{name} lies outside the area"
            problems.append(Problem(reason, "Remove the pin", "pinned", row + 1))
        elif taken.setdefault(cell, (code, name))[0] != code:
            other, first = taken[cell]
            problems.append(
                Problem(
                    f"{name} is pinned to {code}, but {first} in the same place to {other}",
                    "Pin them to one grid: what stands on one place is never parted",
                    "pinned",
                    row + 1,
                )
            )
    if problems:
        raise BadInput(problems)
    at_cells = np.array(where, dtype=np.int64)
    grids = np.array([number[code] for code in codes], dtype=np.int64)
    wanted = np.full(len(cells.unit), -1, dtype=np.int64)
    wanted[at_cells] = grids
    wanted[is_locked[cells.unit]] = -1
    led, wanted = led_to_pins(graph, older, wanted)
    return Pins(at_cells, grids, names, led, wanted)


def led_to_pins(graph: CellGraph, before: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """The older plan with every grid led to the cells pinned to it, where there is a way.

    Parameters
    ----------
    before
        Older grid of each cell, -1 for none.
    wanted
        Older grid each cell is pinned to, -1 for none.

    Returns
    -------
    tuple
        The plan, and `wanted` without the pins that their grid cannot be led to.
    """
    led = np.where(wanted >= 0, wanted, before)
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    grids = [grid for grid in np.unique(wanted).tolist() if grid >= 0]
    for _ in range(PASSES):
        changed = [_lead(graph, left, led, grid, wanted=wanted, before=before) for grid in grids]
        if not any(changed):
            break
    wanted = wanted.copy()
    for grid in grids:
        mine, is_main = _pieces(graph, left, led, grid, before)
        wanted[mine[~is_main & (wanted[mine] == grid)]] = -1
        led[mine[~is_main]] = before[mine[~is_main]]
    return led, wanted


def _pieces(
    graph: CellGraph, left: Ints, label: Ints, grid: int, before: Ints
) -> tuple[Ints, Flags]:
    """Cells of a grid, and whether each is in its main piece: that with most of what it was."""
    mine = np.flatnonzero(label == grid)
    place = np.full(graph.size, -1, dtype=np.int64)
    place[mine] = np.arange(len(mine))
    same = graph.walk & (place[left] >= 0) & (place[graph.ends] >= 0)
    ends = (place[left[same]], place[graph.ends[same]])
    joined = coo_array((np.ones(int(same.sum())), ends), (len(mine), len(mine)))
    piece = connected_components(joined, directed=False)[1]
    worth = np.where(before[mine] == grid, graph.households[mine] + 1e-3, 1e-6)
    return mine, piece == np.bincount(piece, worth).argmax()


def _lead(
    graph: CellGraph, left: Ints, label: Ints, grid: int, *, wanted: Ints, before: Ints
) -> bool:
    """Join the pieces of a grid that hold pins by the ways that move fewest households."""
    changed = False
    while True:
        mine, is_main = _pieces(graph, left, label, grid, before)
        cut_off = mine[~is_main & (wanted[mine] == grid)]
        if not len(cut_off):
            return changed
        open_ground = (wanted < 0) | (wanted == grid)
        usable = graph.walk & open_ground[left] & open_ground[graph.ends]
        # Ground of its own costs nothing, other cells the households that move.
        cost = np.where(label[graph.ends] == grid, 1e-6, 1.0 + graph.households[graph.ends])
        ways = csr_array(
            (cost[usable], (left[usable], graph.ends[usable])), (graph.size, graph.size)
        )
        source = int(mine[is_main][0])
        reach, origin = dijkstra(ways, indices=np.array([source]), return_predecessors=True)
        far, via = reach[0], origin[0]
        cell = int(cut_off[np.argmin(far[cut_off])])
        if not np.isfinite(far[cell]):
            return changed
        while cell != source:
            label[cell] = grid
            cell = int(via[cell])
        changed = True


def pinned_heirs(heir: Ints, label: Labels, wanted: Ints) -> Ints:
    """Older grid each grid takes its code from, those with pins first."""
    heir = heir.copy()
    for grid in [each for each in np.unique(wanted).tolist() if each >= 0]:
        heir[heir == grid] = -1
        heir[np.bincount(label[wanted == grid]).argmax()] = grid
    return heir


def pinned_households(cells: Cells, pins: Pins | None, label: Labels) -> Ints:
    """Households of each grid that are pinned to where they are."""
    held = np.zeros(len(label), dtype=np.int64)
    if pins is not None:
        held[pins.cells] = cells.households[pins.cells]
    return np.bincount(label, held).astype(np.int64)


def explain_pins(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    pins: Pins,
    *,
    label: Labels,
    codes: npt.NDArray[np.object_],
    older: Ints,
    older_codes: Sequence[str],
    is_locked: Flags,
) -> Iterable[Finding]:
    """Pins that could not be kept, and why."""
    middles = to_lonlat(shapely.point_on_surface(cells.polygons[pins.cells]), town.metres)
    for number, (cell, grid) in enumerate(
        zip(pins.cells.tolist(), pins.grids.tolist(), strict=True)
    ):
        code = older_codes[grid]
        if codes[label[cell]] == code:
            continue
        ground = np.flatnonzero(older == grid)
        if is_locked[cells.unit[cell]]:
            cause, cause_zh = "it lies in a locked grid", "它位于锁定的网格内"
        elif not len(ground):
            cause, cause_zh = "that grid has no ground in the area", "该网格在本区域内没有地块"
        elif not (cells.unit[ground] == cells.unit[cell]).any():
            cause, cause_zh = "that grid lies in another unit", "该网格属于另一单元"
        elif not (graph.component[ground] == graph.component[cell]).any():
            cause = "it cannot be reached on foot from there; a bridge may be missing"
            cause_zh = "从该网格步行无法到达，可能缺了桥"
        else:
            cause = "the way there is closed by other pins, or the number of grids asked for"
            cause_zh = "通路被其他固定的建筑或所要求的网格数阻断"
        people = int(cells.households[cell])
        where = codes[label[cell]]
        text = (
            f"is pinned to {code} with {counted(people, 'household')} but lies in {where}: {cause}"
        )
        text_zh = f"固定于 {code}（{people} 户），却落在 {where}：{cause_zh}"
        name = pins.names[number]
        yield Finding("pin_not_kept", name, text, text_zh, float(people), *middles[number])
