"""Why a plan is as it is: every rule that is not kept, by name and place, with its cause."""

from __future__ import annotations

import numpy as np
import shapely

from grids.redistricting.cells import Cells
from grids.redistricting.compiled import Ints, Labels
from grids.redistricting.graph import CellGraph
from grids.redistricting.inputs import Geometries, Town, point_array, to_lonlat
from grids.redistricting.plan import Finding

ORDER = (
    "out_of_tolerance",
    "building_above_tolerance",
    "cut_off_on_foot",
    "unit_not_divisible",
    "no_households",
    "nobody_lives_across",
    "building_outside",
    "footprint_cut_by_unit",
    "units_overlap",
    "buildings_share_a_place",
)
"""Order in which findings are listed."""


def explain(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    label: Labels,
    *,
    codes: Ints,
    outlines: Geometries,
) -> list[Finding]:
    """List findings on the input and on the grids, worst first, then by place."""
    findings = list(town.findings)
    findings += _on_grids(
        town,
        cells,
        graph,
        label,
        codes=codes,
        outlines=outlines,
    )
    findings += _on_parts(town, graph)
    findings += _on_links(town, cells, graph, label, codes)
    findings += _on_footprints(town)
    return sorted(findings, key=lambda f: (ORDER.index(f.rule), f.place, f.text))


def _unit_name(town: Town, unit: int) -> str:
    return town.unit_codes[unit] or "the area"


def _on_grids(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    label: Labels,
    *,
    codes: Ints,
    outlines: Geometries,
) -> list[Finding]:
    count = len(outlines)
    unit = np.zeros(count, dtype=np.int64)
    unit[label] = graph.unit
    targets, tolerances = town.targets[unit], town.tolerances[unit]
    load = np.bincount(label, cells.households, count)
    largest = np.zeros(count, dtype=np.int64)
    np.maximum.at(largest, label, cells.households)
    part = np.zeros(count, dtype=np.int64)
    part[label] = graph.component
    people = np.bincount(graph.component, cells.households)
    alone = largest > targets * (1 + tolerances)
    grids_of_part = np.bincount(part[~alone], minlength=len(people))
    people = people - np.bincount(part[alone], load[alone], len(people))
    lonlat = to_lonlat(shapely.point_on_surface(outlines), town.metres)
    found = []
    for grid in np.flatnonzero(np.abs(load - targets) > targets * tolerances + 1e-9):
        target, tolerance = targets[grid], tolerances[grid]
        total, here = people[part[grid]], grids_of_part[part[grid]]
        low, high = target * (1 - tolerance), target * (1 + tolerance)
        lon, lat = lonlat[grid]
        code = str(codes[grid])
        off = (load[grid] - target) / target
        if load[grid] == 0:
            rule, cause = "no_households", "nobody lives in this part of the area"
        elif largest[grid] > high:
            rule = "building_above_tolerance"
            cause = f"one building has {largest[grid]} households and is never cut"
        elif here == 1:
            rule = "out_of_tolerance"
            cause = f"the place it lies in has {total:.0f} households, not enough for two grids"
        elif not low <= total / here <= high:
            rule = "out_of_tolerance"
            cause = (
                f"{total:.0f} households in this place make {here} grids of "
                f"{total / here:.0f}, not grids of {target:g}"
            )
        else:
            rule = "out_of_tolerance"
            cause = (
                "no exchange of whole buildings with its neighbours was found that helps; "
                "another seed, a wider tolerance or a barrier less may"
            )
        text = f"{load[grid]:.0f} households, {off:+.1%} from {target:g}: {cause}"
        found.append(Finding(rule, code, text, float(load[grid]), lon, lat))
    return found


def _on_parts(town: Town, graph: CellGraph) -> list[Finding]:
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
        target, tolerance = town.targets[number], town.tolerances[number]
        parts = np.flatnonzero(unit == number)
        total = people[parts].sum()
        counts = np.arange(1, max(2, int(total / target) + 3))
        if total and not (np.abs(total / counts - target) <= target * tolerance + 1e-9).any():
            best = counts[np.argmin(np.abs(total / counts - target))]
            text = (
                f"{total:.0f} households: {best} grids would have {total / best:.0f} each; no "
                f"number of grids comes within {tolerance:.0%} of {target:g}"
            )
            place = _unit_name(town, number)
            found.append(Finding("unit_not_divisible", place, text, float(total)))
        for part in parts if len(parts) > 1 else ():
            if part == parts[np.argmax(people[parts])] or not people[part]:
                continue
            lon, lat = lonlat[part]
            text = (
                f"{people[part]:.0f} households on {area[part] / 1e4:.1f} ha cannot be reached on "
                "foot from the rest of the unit and were divided on their own; a bridge that is "
                "missing from the barriers would join them"
            )
            place = _unit_name(town, number)
            found.append(Finding("cut_off_on_foot", place, text, float(people[part]), lon, lat))
    return found


def _on_links(
    town: Town, cells: Cells, graph: CellGraph, label: Labels, codes: Ints
) -> list[Finding]:
    lonlat = to_lonlat(shapely.point_on_surface(cells.polygons[graph.joined]), town.metres)
    return [
        Finding(
            "nobody_lives_across",
            str(codes[label[cell]]),
            f"{graph.area_m2[cell]:,.0f} m² where nobody lives, cut off by rail or river, were "
            "joined to this grid",
            float(graph.area_m2[cell]),
            lon,
            lat,
        )
        for cell, (lon, lat) in zip(graph.joined, lonlat, strict=True)
    ]


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
        identity = str(town.ids[building])
        found.append(Finding("footprint_cut_by_unit", identity, text, float(over[row]), lon, lat))
    return found
