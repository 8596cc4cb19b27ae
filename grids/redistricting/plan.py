"""A plan as it is handed out: grids, the cells they are made of, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import pandas as pd

RULES: Final = MappingProxyType(
    {
        "out_of_tolerance": ("超出容差的网格", "grids out of tolerance"),
        "building_above_tolerance": ("单栋楼即超出容差的网格", "grids of one building too large"),
        "below_compactness": ("形状不够紧凑的网格", "grids less compact than asked for"),
        "walk_too_far": ("步行距离过长的网格", "grids with too long a way on foot"),
        "travel_too_long": ("行程时间过长的网格", "grids with too long a way to travel"),
        "camp_apart": (
            "季节营地不在本网格的牧户",
            "households whose camp lies in another grid",
        ),
        "pin_not_kept": ("未能保持的固定建筑", "pins that could not be kept"),
        "locks_leave_uneven": (
            "因锁定而无法均分的单元",
            "units that locked grids leave uneven",
        ),
        "cut_off_on_foot": ("步行无法到达的部分", "parts that cannot be reached on foot"),
        "unit_not_divisible": (
            "户数不能按标准均分的单元",
            "units that cannot be divided evenly",
        ),
        "no_households": ("无人居住的网格", "grids where nobody lives"),
        "nobody_lives_across": (
            "并入了铁路或河流对面无人地块的网格",
            "grids with ground across rail or river, where nobody lives",
        ),
        "in_exclusive_ground": ("专属区域内的建筑", "buildings in exclusive ground"),
        "building_outside": ("区域外的建筑", "buildings outside the area"),
        "footprint_cut_by_unit": ("伸出单元的建筑", "footprints that reach out of their unit"),
        "units_overlap": ("互相重叠的单元", "units that overlap"),
        "buildings_share_a_place": ("位于同一处的建筑", "buildings on one place"),
    }
)
"""What each rule's findings are about, in Chinese and English; worst rules first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule, or one thing in the input that shaped the plan, by name and place.

    Attributes
    ----------
    rule
        Name of the rule, of `RULES`.
    place
        Grid code, unit code or building id it concerns.
    text, text_zh
        What is so, why, and what could be done, with the numbers, in English and Chinese.
    value
        The number concerned, larger is worse: share off the target, households, square metres.
    lon, lat
        A point inside the place, WGS 84 degrees; None where it has no place.
    """

    rule: str
    place: str
    text: str
    text_zh: str
    value: float
    lon: float | None = None
    lat: float | None = None

    def __str__(self) -> str:
        """Rule, place and text in one line."""
        return f"{self.rule} {self.place}: {self.text}"


@dataclass(frozen=True)
class Plan:
    """Grids drawn for an area; nothing in it changes after it was made.

    Attributes
    ----------
    grids
        One row per grid: ``code``, ``unit`` (code of the area row), ``households``,
        ``buildings``, ``target``, ``tolerance``, ``deviation`` ((households - target) / target),
        ``compactness`` (Polsby-Popper, measured in metres), ``area_m2`` and ``geometry``, a
        single valid polygon in the CRS of the area. Ordered by code.
    cells
        One row per planning cell: ``cell_id``, ``building_ids`` (list), ``households``,
        ``block``, ``unit``, ``grid`` (code), ``neighbours`` (cells that share a line with it),
        ``doors`` (those of them that one can walk to) and ``geometry``. The cells of a grid tile
        it.
    findings
        Broken rules and remarks on the input: by rule, the worst of each first.
    settings
        What was asked: target, tolerance, seed, and what was made of it; with a plan before it
        also ``households_moved``.
    lineage
        What became of the grids of the plan before: ``code``, ``fate`` (kept, split, merged,
        gone, new), ``successors``, ``predecessors``, ``households``, ``moved``. None without one.
    curve
        What other prices of a household moved would bring, with all else as asked: ``keep``,
        ``grids``, ``within`` (share of grids within tolerance), ``moved`` (households),
        ``moved_share`` and ``drawn`` (True in the row of this plan), by price. None where none
        was asked for.
    """

    grids: gpd.GeoDataFrame
    cells: gpd.GeoDataFrame
    findings: tuple[Finding, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    lineage: pd.DataFrame | None = None
    curve: pd.DataFrame | None = None

    @property
    def within_tolerance(self) -> float:
        """Share of grids whose deviation from the target is within the tolerance."""
        return float((self.grids["deviation"].abs() <= self.grids["tolerance"] + 1e-9).mean())

    def broken(self, rule: str) -> Iterator[Finding]:
        """Give the findings of one rule."""
        return (finding for finding in self.findings if finding.rule == rule)
