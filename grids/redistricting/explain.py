"""Why a plan is as it is: every rule that is not kept, by name and place, with its cause."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from gis.wording import counted, verb
from grids.redistricting.borders import compactness
from grids.redistricting.causes import Place, Weighing, misfit
from grids.redistricting.cells import Cells
from grids.redistricting.compiled import Flags, Floats, Ints, Labels
from grids.redistricting.graph import CellGraph
from grids.redistricting.inputs import (
    LEAST_GROUND_M2,
    Geometries,
    Town,
    point_array,
    to_lonlat,
)
from grids.redistricting.limits import Limits
from grids.redistricting.plan import Finding
from grids.redistricting.rules import NODE_M
from grids.redistricting.travel import Travel


def explain(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    label: Labels,
    *,
    codes: Ints,
    outlines: Geometries,
    is_locked: Flags,
    pinned: Ints,
    weighing: Weighing,
) -> list[Finding]:
    """List findings on the input and on the grids."""
    findings = list(town.findings)
    findings += _on_grids(
        town,
        cells,
        graph,
        label,
        codes=codes,
        outlines=outlines,
        is_locked=is_locked,
        pinned=pinned,
        weighing=weighing,
    )
    findings += _on_parts(town, graph, is_locked)
    findings += _on_links(town, cells, graph, label, codes)
    findings += _on_footprints(town)
    return findings


def _unit_name(town: Town, unit: int) -> str:
    return town.unit_codes[unit] or "the area"


def _unit_name_zh(town: Town, unit: int) -> str:
    return f"单元 {town.unit_codes[unit]}" if town.unit_codes[unit] else "本区域"


def _on_grids(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    label: Labels,
    *,
    codes: Ints,
    outlines: Geometries,
    is_locked: Flags,
    pinned: Ints,
    weighing: Weighing,
) -> list[Finding]:
    count = len(outlines)
    unit = np.zeros(count, dtype=np.int64)
    unit[label] = graph.unit
    targets, tolerances = town.targets[unit], town.tolerances[unit]
    load = np.bincount(label, cells.households, count)
    largest = np.zeros(count, dtype=np.int64)
    np.maximum.at(largest, label, cells.households)
    largest_cell = np.zeros(count, dtype=np.int64)
    top = np.flatnonzero(cells.households == largest[label])
    largest_cell[label[top]] = top
    lived_in = np.bincount(cells.of_building[town.households > 0], minlength=len(label))
    part = np.zeros(count, dtype=np.int64)
    part[label] = graph.component
    alone = largest > targets * (1 + tolerances)
    settled = np.bincount(graph.component, cells.households > 0)
    settled -= np.bincount(part[alone], minlength=len(settled))
    lonlat = to_lonlat(shapely.point_on_surface(outlines), town.metres)
    found = []
    for grid in np.flatnonzero(np.abs(load - targets) > targets * tolerances + 1e-9):
        target, tolerance = targets[grid], tolerances[grid]
        lon, lat = lonlat[grid]
        code = str(codes[grid])
        off = (load[grid] - target) / target
        rule = "out_of_tolerance"
        if load[grid] == 0:
            rule = "no_households"
            cause = "nobody lives in this part of the area"
            cause_zh = "区域的这一部分无人居住"
        elif alone[grid]:
            rule = "building_above_tolerance"
            homes = counted(largest[grid], "household")
            cause = f"one building has {homes} and is never cut"
            cause_zh = f"其中一栋建筑有 {largest[grid]} 户，建筑不拆分"
            together = int(lived_in[largest_cell[grid]])
            if together > 1:
                cause = f"{together:,} buildings on one place have {homes} and are never parted"
                cause_zh = f"位于同一处的 {together} 栋建筑共 {largest[grid]} 户，不拆分"
        elif is_locked[unit[grid]]:
            cause, cause_zh = "it is locked as it is", "该网格已锁定"
        elif pinned[grid] > target * (1 + tolerance):
            homes = counted(pinned[grid], "household")
            cause = f"the buildings pinned to it have {homes}; unpin some of them"
            cause_zh = f"固定于此网格的建筑共 {pinned[grid]} 户，请解除部分固定"
        else:
            mine = ~alone & (part == part[grid])
            place = Place(load[mine], int(settled[part[grid]]), target, tolerance)
            cause, cause_zh = misfit(place, weighing)
        text = f"{counted(round(load[grid]), 'household')}, {off:+.1%} from {target:.12g}: {cause}"
        text_zh = f"{load[grid]:.0f} 户，与标准 {target:.12g} 户相差 {off:+.1%}：{cause_zh}"
        found.append(Finding(rule, code, text, text_zh, float(off), lon, lat))
    return found


def _on_parts(town: Town, graph: CellGraph, is_locked: Flags) -> list[Finding]:
    """Units whose households cannot be divided by the target, and parts cut off on foot."""
    found = []
    people = np.bincount(graph.component, graph.households)
    area = np.bincount(graph.component, graph.area_m2)
    unit = np.zeros(len(people), dtype=np.int64)
    unit[graph.component] = graph.unit
    middle = np.zeros(len(people), dtype=np.int64)
    middle[graph.component[::-1]] = np.arange(graph.size)[::-1]
    lonlat = to_lonlat(
        point_array(np.column_stack([graph.x[middle], graph.y[middle]])), town.metres
    )
    for number in range(len(town.unit_codes)):
        if is_locked[number]:
            continue
        target, tolerance = town.targets[number], town.tolerances[number]
        parts = np.flatnonzero(unit == number)
        total = people[parts].sum()
        counts = np.arange(1, max(2, int(total / target) + 3))
        if total and not _divides(total, target, tolerance):
            best = counts[np.argmin(np.abs(total / counts - target))]
            text = (
                f"{counted(round(total), 'household')}: {counted(best, 'grid')} would have "
                f"{total / best:,.0f}{' each' if best > 1 else ''}; no "
                f"number of grids comes within {tolerance:.0%} of {target:.12g}"
            )
            text_zh = (
                f"共 {total:.0f} 户：划成 {best} 个网格各 {total / best:.0f} 户；"
                f"无论划成几个都不在 {target:.12g} 户上下 {tolerance:.0%} 之内"
            )
            place = _unit_name(town, number)
            found.append(Finding("unit_not_divisible", place, text, text_zh, float(total)))
        if len(parts) > 1:
            home = int(parts[np.argmax(people[parts])])
            causes = _causes_of_parts(town, graph, is_locked, number, middle[[*parts, home]])
        else:
            home, causes = -1, []
        for part, (cause, cause_zh) in zip(parts if causes else (), causes, strict=True):
            if part == home or not people[part]:
                continue
            lon, lat = lonlat[part]
            text = (
                f"{counted(round(people[part]), 'household')} on {area[part] / 1e4:.1f} ha cannot "
                "be reached on foot from the rest of the unit and "
                f"{verb(round(people[part]), 'was', 'were')} divided apart; {cause}"
            )
            text_zh = (
                f"{area[part] / 1e4:.1f} 公顷上的 {people[part]:.0f} 户从本单元其余部分步行"
                f"无法到达，已单独划分；{cause_zh}"
            )
            place = _unit_name(town, number)
            found.append(
                Finding("cut_off_on_foot", place, text, text_zh, float(people[part]), lon, lat)
            )
    return found


def _causes_of_parts(
    town: Town, graph: CellGraph, is_locked: Flags, number: int, cells: Ints
) -> list[tuple[str, str]]:
    """What keeps parts of a unit, each by one of its cells, from the part of the last cell.

    A bridge joins what river or rail divide, but not ground that lies apart.
    """
    pieces = shapely.get_parts(town.units[number])
    at = point_array(np.column_stack([graph.x, graph.y])[cells])
    *own, main = (int(shapely.distance(pieces, point).argmin()) for point in at)
    causes = []
    for piece in own:
        if piece == main:
            causes.append(
                (
                    "a bridge that is missing from the barriers would join them",
                    "如屏障数据中缺了桥，补上即可相连",
                )
            )
            continue
        locked = np.flatnonzero(is_locked)
        beside = locked[shapely.distance(town.units[locked], pieces[piece]) <= 2 * NODE_M]
        if len(beside):
            names = ", ".join(town.unit_codes[row] for row in beside)
            causes.append(
                (f"unlocking {names} beside it may join them", f"解锁旁边的 {names} 或可相连")
            )
        else:
            causes.append(("the ground of the unit lies in pieces", "本单元的地块互不相连"))
    return causes


def _on_links(
    town: Town, cells: Cells, graph: CellGraph, label: Labels, codes: Ints
) -> list[Finding]:
    """Ground across rail or river that each grid was given, all its pieces together."""
    grid = label[graph.joined]
    ground = graph.area_m2[graph.joined]
    found = []
    for number in np.unique(grid):
        mine = np.flatnonzero(grid == number)
        size = float(ground[mine].sum())
        if size < LEAST_GROUND_M2:
            continue
        largest = cells.polygons[graph.joined[mine[[np.argmax(ground[mine])]]]]
        lon, lat = to_lonlat(shapely.point_on_surface(largest), town.metres)[0]
        text = (
            f"{size:,.0f} m² where nobody lives, cut off by rail or river, were joined to this grid"
        )
        text_zh = f"被铁路或河流隔开的 {size:,.0f} m² 无人地块并入了本网格"
        found.append(
            Finding("nobody_lives_across", str(codes[number]), text, text_zh, size, lon, lat)
        )
    return found


def _on_footprints(town: Town) -> list[Finding]:
    """Footprints that reach out of their unit: the unit's line goes before the building."""
    solid = np.flatnonzero(shapely.get_dimensions(town.footprints) == 2)
    over = shapely.area(shapely.difference(town.footprints[solid], town.units[town.unit_of[solid]]))
    found = []
    size = shapely.area(town.footprints[solid])
    for row in np.flatnonzero(over > np.maximum(0.5, 0.01 * size)):
        building = solid[row]
        lon, lat = to_lonlat(shapely.point_on_surface(town.footprints[[building]]), town.metres)[0]
        text = (
            f"{over[row]:,.1f} m² of the footprint lie outside unit "
            f"{_unit_name(town, int(town.unit_of[building]))}; its households count there"
        )
        text_zh = (
            f"有 {over[row]:,.1f} m² 伸出{_unit_name_zh(town, int(town.unit_of[building]))}之外，"
            "其户数计入该单元"
        )
        identity = str(town.ids[building])
        found.append(
            Finding("footprint_cut_by_unit", identity, text, text_zh, float(over[row]), lon, lat)
        )
    return found


def explain_shapes(
    town: Town, limits: Limits, *, codes: Ints, outlines: Geometries, ways: Floats
) -> list[Finding]:
    """Grids less compact, or longer on foot, than was asked for."""
    found = []
    lonlat = to_lonlat(shapely.point_on_surface(outlines), town.metres)
    compact = compactness(outlines)
    for grid in np.flatnonzero(compact < limits.compactness):
        text = (
            f"Polsby-Popper {compact[grid]:.2f}, below {limits.compactness:g}: straighter borders "
            "cost balance or run through blocks; lower the floor or widen the tolerance"
        )
        text_zh = (
            f"紧凑度 {compact[grid]:.2f}，低于 {limits.compactness:g}：边界再取直会影响均衡或"
            "穿过街区；可降低下限或放宽容差"
        )
        below = float(limits.compactness - compact[grid])
        found.append(
            Finding("below_compactness", str(codes[grid]), text, text_zh, below, *lonlat[grid])
        )
    for grid in np.flatnonzero(ways > limits.walk_m):
        text = (
            f"{ways[grid]:,.0f} m on foot from end to end, more than {limits.walk_m:,.0f}: a "
            "smaller target makes grids shorter, a missing bridge may too"
        )
        text_zh = (
            f"两端步行 {ways[grid]:,.0f} 米，超过 {limits.walk_m:,.0f} 米：可减小标准户数，"
            "或补上缺失的桥"
        )
        beyond = float(ways[grid] - limits.walk_m)
        found.append(
            Finding("walk_too_far", str(codes[grid]), text, text_zh, beyond, *lonlat[grid])
        )
    return found


def explain_travel(
    town: Town, cells: Cells, travel: Travel, label: Labels, *, codes: Ints
) -> list[Finding]:
    """Grids with households farther apart, by travel time, than was asked for."""
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    whole = Travel(travel.ways, travel.seasons, np.inf)
    ids = np.full(len(label), "", dtype=object)
    ids[cells.of_building[::-1]] = town.ids[::-1]
    found = []
    for grid, mine in enumerate(groups):
        if not travel.beyond(mine):
            continue
        minutes, a, b = whole.farthest(mine)
        limit = travel.limit_min
        lon, lat = to_lonlat(shapely.point_on_surface(cells.polygons[[a]]), town.metres)[0]
        if np.isfinite(minutes):
            text = f"{minutes:.0f} minutes from {ids[a]} to {ids[b]}, more than {limit:g}"
            text_zh = f"从 {ids[a]} 到 {ids[b]} 需 {minutes:.0f} 分钟，超过 {limit:g} 分钟"
        else:
            text = f"there is no way from {ids[a]} to {ids[b]}"
            text_zh = f"从 {ids[a]} 到 {ids[b]} 无路可达"
        text += ": a smaller target makes grids smaller, a road or bridge that is missing may too"
        text_zh += "：可减小标准户数，或补上缺失的道路或桥"
        beyond = float(minutes - limit)
        found.append(Finding("travel_too_long", str(codes[grid]), text, text_zh, beyond, lon, lat))
    return found


def explain_locks(town: Town, cells: Cells, is_locked: Flags, parents: list[str]) -> list[Finding]:
    """Units whose ground beside locked grids does not divide, and which lock to open."""
    people = np.bincount(cells.unit, cells.households, len(is_locked))
    found = []
    for row in np.flatnonzero(~is_locked):
        locks = np.flatnonzero(is_locked & (np.array(parents, dtype=object) == parents[row]))
        target, tolerance = town.targets[row], town.tolerances[row]
        if not len(locks) or not people[row] or _divides(people[row], target, tolerance):
            continue
        helps = [
            town.unit_codes[lock]
            for lock in locks
            if _divides(people[row] + people[lock], target, tolerance)
        ]
        opening = f"unlocking {helps[0]} would do" if helps else "no single lock opened would do"
        opening_zh = f"解锁 {helps[0]} 即可" if helps else "只解锁一个网格不够"
        text = (
            f"{counted(round(people[row]), 'household is', 'households are')} left beside "
            f"{counted(len(locks), 'locked grid')}, which do not make grids of "
            f"{target:.12g} within {tolerance:.0%}; {opening}"
        )
        text_zh = (
            f"除 {len(locks)} 个锁定网格外剩 {people[row]:.0f} 户，"
            f"无法划成 {target:.12g} 户上下 {tolerance:.0%} 的网格；{opening_zh}"
        )
        place = parents[row] or "the area"
        found.append(Finding("locks_leave_uneven", place, text, text_zh, float(people[row])))
    return found


def _divides(people: float, target: float, tolerance: float) -> bool:
    """Whether some number of grids comes within the tolerance."""
    counts = np.arange(1, max(2, int(people / target) + 3))
    return bool((np.abs(people / counts - target) <= target * tolerance + 1e-9).any())


def tell_exclusive(town: Town, exclusive: gpd.GeoDataFrame) -> None:
    """Call buildings that lie in exclusive ground by that name, not outside the area."""
    ground = shapely.union_all(exclusive.geometry.force_2d().to_crs(4326).to_numpy())
    for number, finding in enumerate(town.findings):
        if finding.rule != "building_outside" or finding.lon is None or finding.lat is None:
            continue
        if shapely.intersects_xy(ground, finding.lon, finding.lat):
            people = f"{finding.value:.0f}"
            text = f"lies in exclusive ground; its {people} households are in no grid of the plan"
            town.findings[number] = Finding(
                "in_exclusive_ground",
                finding.place,
                text,
                f"位于专属区域内，其 {people} 户不计入本方案的网格",
                finding.value,
                finding.lon,
                finding.lat,
            )
