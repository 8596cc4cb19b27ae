"""Seasonal camps: the other places where households of the list live part of the year.

A camp is a place of its own on the ground, without households: they are counted at home, once.
The search pays for every household whose camp lies in another grid than its home.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import Problem
from gis.wording import counted
from grids.redistricting import checks
from grids.redistricting.cells import Cells
from grids.redistricting.compiled import Flags, Ints, Labels
from grids.redistricting.graph import CellGraph
from grids.redistricting.inputs import Town, to_lonlat, units_of
from grids.redistricting.plan import Finding
from grids.redistricting.ties import Ties

SEASON = "camp"
"""Name of the season of camps that name none."""


@dataclass(frozen=True)
class Camps:
    """Camps that lie in the area; they are the last rows of the town's buildings.

    Attributes
    ----------
    home
        Row of the building whose households live there.
    season
        Name of the season they do.
    first
        Row of the first camp among the town's buildings.
    """

    home: Ints
    season: npt.NDArray[np.object_]
    first: int

    @property
    def rows(self) -> Ints:
        """Row of each camp among the town's buildings."""
        return np.arange(self.first, self.first + len(self.home))


def camp_problems(camps: gpd.GeoDataFrame | None, buildings: gpd.GeoDataFrame) -> list[Problem]:
    """Camps without a place, or of no building there is."""
    if camps is None or (isinstance(camps, gpd.GeoDataFrame) and camps.empty):
        return []
    found = list(checks.layer_problems(camps, "camps", ("Point",)))
    if isinstance(camps, gpd.GeoDataFrame):
        found += checks.column_problems(camps, "camps", "building_id")
    if found or not isinstance(buildings, gpd.GeoDataFrame):
        return found
    known = set(checks.ids_of(buildings).tolist())
    for row, identity in enumerate(camps["building_id"].astype(str)):
        if identity not in known:
            found.append(
                Problem(
                    f"no building has the id {identity}",
                    "Give the id of the building its households are listed at",
                    "camps",
                    row + 1,
                    "building_id",
                )
            )
    return found[: checks.ROWS_SHOWN]


def settle(town: Town, camps: gpd.GeoDataFrame) -> tuple[Town, Camps]:
    """The town with its camps as places; camps outside the area are told and left out."""
    homes = {str(identity): row for row, identity in enumerate(town.ids)}
    names = camps["building_id"].astype(str).to_numpy()
    home = np.array([homes.get(name, -1) for name in names], dtype=np.int64)
    places = np.asarray(camps.geometry.force_2d().to_crs(town.metres).to_numpy(), dtype=object)
    unit = units_of(places, town.units, town.unit_codes)
    seasons = np.full(len(camps), SEASON, dtype=object)
    if "season" in camps.columns:
        seasons = camps["season"].fillna(SEASON).astype(str).to_numpy(dtype=object)
    lonlat = to_lonlat(places, town.metres)
    for row in np.flatnonzero((unit < 0) & (home >= 0)):
        people = int(town.households[home[row]])
        text = (
            f"the {_camp(seasons[row])} of its {counted(people, 'household')} lies outside the area"
        )
        text_zh = f"其 {people} 户的季节营地（{seasons[row]}）位于区域之外"
        town.findings.append(
            Finding("camp_apart", names[row], text, text_zh, float(people), *lonlat[row])
        )
    kept = (unit >= 0) & (home >= 0)
    ids = [f"{name} ({season})" for name, season in zip(names[kept], seasons[kept], strict=True)]
    whole = replace(
        town,
        ids=np.concatenate([town.ids, np.array(ids, dtype=object)]),
        households=np.concatenate([town.households, np.zeros(len(ids), dtype=np.int64)]),
        footprints=np.concatenate([town.footprints, places[kept]]),
        unit_of=np.concatenate([town.unit_of, unit[kept]]),
    )
    return whole, Camps(home[kept], seasons[kept], len(town.ids))


def ties_of(town: Town, cells: Cells, camps: Camps) -> Ties:
    """Ties between the cells of homes and of their camps; of several camps each counts a part."""
    each = 1.0 / np.bincount(camps.home, minlength=camps.first)[camps.home]
    pairs = np.column_stack([cells.of_building[camps.home], cells.of_building[camps.rows]])
    apart = pairs[:, 0] != pairs[:, 1]
    return Ties(pairs[apart], (town.households[camps.home] * each)[apart])


def seasons_of(town: Town, cells: Cells, camps: Camps | None) -> list[Flags]:
    """Whether households live in each cell: all at home, then in the season of each camp."""
    count = len(cells.unit)
    at_home = cells.households > 0
    if camps is None:
        return [at_home]
    settled = [at_home]
    for name in np.unique(camps.season.astype(str)):
        mine = camps.season == name
        away = np.zeros(camps.first, dtype=bool)
        away[camps.home[mine]] = True
        stays = ~away & (town.households[: camps.first] > 0)
        lived = np.zeros(count, dtype=bool)
        lived[cells.of_building[: camps.first][stays]] = True
        lived[cells.of_building[camps.rows[mine]]] = True
        settled.append(lived)
    return settled


def camps_apart(cells: Cells, camps: Camps, label: Labels) -> Flags:
    """Whether each camp lies in another grid than its home."""
    of_building = label[cells.of_building]
    return np.asarray(of_building[camps.home] != of_building[camps.rows])


def explain_camps(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    camps: Camps,
    *,
    label: Labels,
    codes: Sequence[str],
    is_locked: Flags,
) -> Iterable[Finding]:
    """Households whose camp lies in another grid than their home, and why."""
    lonlat = to_lonlat(shapely.centroid(town.footprints[camps.rows]), town.metres)
    for number in np.flatnonzero(camps_apart(cells, camps, label)):
        home, camp = cells.of_building[[camps.home[number], camps.first + number]]
        people = int(town.households[camps.home[number]])
        if not people:
            continue
        here, there = cells.unit[home], cells.unit[camp]
        if is_locked[here] or is_locked[there]:
            cause, cause_zh = "a locked grid lies between", "受锁定网格所限"
        elif here != there:
            cause, cause_zh = "they lie in different units", "两处分属不同单元"
        elif graph.component[home] != graph.component[camp]:
            cause = "rail or river without a bridge lies between"
            cause_zh = "中间隔着无桥的铁路或河流"
        else:
            cause = "a grid with both would be larger or longer than it is worth"
            cause_zh = "划入同一网格会使户数或形状失当"
        season = camps.season[number]
        text = (
            f"{counted(people, 'household lives', 'households live')} in "
            f"{codes[label[home]]}, their {_camp(season)} lies in {codes[label[camp]]}: {cause}"
        )
        text_zh = (
            f"{people} 户定居在 {codes[label[home]]}，季节营地（{season}）在 "
            f"{codes[label[camp]]}：{cause_zh}"
        )
        identity = str(town.ids[camps.home[number]])
        yield Finding("camp_apart", identity, text, text_zh, float(people), *lonlat[number])


def _camp(season: str) -> str:
    """Summer camp; camp where no season is named."""
    return season if season == SEASON else f"{season} camp"
