"""A plan as it is handed out: grids, the cells they are made of, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import geopandas as gpd


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule, or one thing in the input that shaped the plan, by name and place.

    Attributes
    ----------
    rule
        Name of the rule: ``out_of_tolerance``, ``building_above_tolerance``,
        ``unit_not_divisible``, ``cut_off_on_foot``, ``no_households``, ``building_outside``,
        ``buildings_share_a_place``, ``footprint_cut_by_unit``, ``units_overlap`` or
        ``nobody_lives_across``.
    place
        Grid code, unit code or building id it concerns.
    text
        What is so, why, and what could be done, with the numbers.
    value
        The number concerned: households, square metres; None where there is none.
    lon, lat
        A point inside the place, WGS 84 degrees; None where it has no place.
    """

    rule: str
    place: str
    text: str
    value: float | None = None
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
        ``block``, ``unit``, ``grid`` (code) and ``geometry``. The cells of a grid tile it.
    findings
        Broken rules and remarks on the input, worst first.
    settings
        What was asked: target, tolerance, seed, and what was made of it.
    """

    grids: gpd.GeoDataFrame
    cells: gpd.GeoDataFrame
    findings: tuple[Finding, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def within_tolerance(self) -> float:
        """Share of grids whose deviation from the target is within the tolerance."""
        return float((self.grids["deviation"].abs() <= self.grids["tolerance"] + 1e-9).mean())

    def broken(self, rule: str) -> Iterator[Finding]:
        """Give the findings of one rule."""
        return (finding for finding in self.findings if finding.rule == rule)
