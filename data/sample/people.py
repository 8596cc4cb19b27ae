"""Invented people for the demo's grids: workers, deputies, heads, border guards, and leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from data.sample.place import DEFAULT_UNTIL, DemoPlace

COLUMNS = (
    "id", "name", "role", "grid", "building", "route", "primary", "employment", "valid_from",
    "valid_to", "leave_from", "leave_to", "deputy", "note",
)  # fmt: skip
NOTE = "虚构人员"
# The ten heavenly stems stand for "any person" in Chinese as A, B and C do in English.
_FAMILY = "甲乙丙丁戊己庚辛壬癸"
_GIVEN = "山河云星林原草泉石岭川野风雪松柏桦杨溪湖晨曦朝晖"

SHARE_TWO_WORKERS = 0.16
SHARE_TWO_GRIDS = 0.07
SHARE_ON_LEAVE = 0.05
WITHOUT_WORKER = 4
GUARDS_PER_ROUTE = 3
BUILDING_HEADS = 160


def workers(
    grids: gpd.GeoDataFrame,
    *,
    place: DemoPlace | None = None,
    seed: int = 1,
    until: date = DEFAULT_UNTIL,
) -> pd.DataFrame:
    """People for published grids, one row for each assignment.

    Parameters
    ----------
    grids
        Columns code, unit, households, geometry; any order.
    place
        When given, border guards on its routes and heads of its big buildings are added.
    seed, until
        The same seed gives the same people; leaves lie around `until`.

    Returns
    -------
    id, name, role (grid_worker, deputy, grid_head, building_head, border_guard), grid, building,
    route, primary (yes/no; only a grid's first worker is), employment (full/part), valid_from,
    valid_to, leave_from, leave_to (dates, ISO; empty when none), deputy (id of who stands in),
    note. A person's leave and deputy stand in each of the person's rows. Some grids have two
    workers, some workers two grids, and four grids, when there are forty or more, have nobody.
    """
    rng = np.random.default_rng([seed, 77])
    people = _People(rng, until)
    ordered = grids.sort_values("code").reset_index(drop=True)
    codes = [str(code) for code in ordered["code"]]
    units = [str(unit) for unit in ordered["unit"]]
    count = len(codes)
    empty = set(rng.permutation(count)[: WITHOUT_WORKER if count >= 40 else 0].tolist())
    main: dict[int, str] = {}
    for i in range(count):
        if i in empty:
            continue
        # One village worker often answers for two neighbouring small grids.
        if i - 1 in main and units[i] == units[i - 1] and rng.random() < SHARE_TWO_GRIDS:
            main[i] = main[i - 1]
        else:
            main[i] = people.new("full" if rng.random() < 0.7 else "part")
        people.assign(main[i], "grid_worker", grid=codes[i], primary=True)
        if rng.random() < SHARE_TWO_WORKERS:
            second = people.new("part")
            role = "grid_worker" if rng.random() < 0.5 else "deputy"
            people.assign(second, role, grid=codes[i], primary=False)
    heads: dict[str, str] = {}
    for i in range(count):
        if units[i] not in heads:
            heads[units[i]] = people.new("full")
        if i not in empty:
            people.assign(heads[units[i]], "grid_head", grid=codes[i], primary=False)
    _leaves(people, main, units, heads, rng)
    if place is not None:
        _guards_and_heads(people, place, rng)
    return people.frame()


def _leaves(
    people: _People,
    main: dict[int, str],
    units: list[str],
    heads: dict[str, str],
    rng: np.random.Generator,
) -> None:
    """Some workers are away around `until`; a colleague of the same unit stands in, or the head."""
    away: set[str] = set()
    deputies: set[str] = set()
    for i, person in main.items():
        if person in away or person in deputies or rng.random() > SHARE_ON_LEAVE:
            continue
        near = [main[j] for j in (i - 1, i + 1) if j in main and units[j] == units[i]]
        free = [p for p in near if p != person and p not in away]
        deputy = free[0] if free else heads[units[i]]
        away.add(person)
        deputies.add(deputy)
        begin = people.until - timedelta(days=int(rng.integers(0, 9)))
        people.leave(person, begin, begin + timedelta(days=int(rng.integers(9, 21))), deputy)


def _guards_and_heads(people: _People, place: DemoPlace, rng: np.random.Generator) -> None:
    """Border guards on every route and heads of the biggest buildings."""
    for route in place.routes["id"]:
        for n in range(GUARDS_PER_ROUTE):
            guard = people.new("full" if n == 0 else "part")
            people.assign(guard, "border_guard", route=str(route), primary=False)
    flats = place.buildings[place.buildings["kind"].isin(["slab", "tower"])]
    chosen = flats.iloc[np.sort(rng.permutation(len(flats))[:BUILDING_HEADS])]
    for building in chosen["id"]:
        people.assign(people.new("part"), "building_head", building=str(building), primary=False)


class _People:
    """Persons with running ids and names that nobody else has, and their rows."""

    def __init__(self, rng: np.random.Generator, until: date) -> None:
        self.until = until
        self._rng = rng
        self._names = _names(rng)
        self._persons: dict[str, dict[str, Any]] = {}
        self._rows: list[dict[str, Any]] = []

    def new(self, employment: str) -> str:
        """A new person's id."""
        person = f"RY{len(self._persons) + 1:04d}"
        since = date(self.until.year - 1, 1, 1) - timedelta(days=int(self._rng.integers(0, 700)))
        self._persons[person] = {
            "name": next(self._names),
            "employment": employment,
            "valid_from": since.isoformat(),
        }
        return person

    def assign(
        self,
        person: str,
        role: str,
        *,
        primary: bool,
        grid: str = "",
        building: str = "",
        route: str = "",
    ) -> None:
        """Give a person a grid, a building or a route."""
        self._rows.append(
            {
                "id": person,
                "role": role,
                "grid": grid,
                "building": building,
                "route": route,
                "primary": "yes" if primary else "no",
            }
        )

    def leave(self, person: str, first: date, last: date, deputy: str) -> None:
        """Send a person on leave."""
        self._persons[person] |= {
            "leave_from": first.isoformat(),
            "leave_to": last.isoformat(),
            "deputy": deputy,
        }

    def frame(self) -> pd.DataFrame:
        """All rows in the order of the columns; what is not known is an empty text."""
        blank = dict.fromkeys(COLUMNS, "")
        rows = [{**blank, **self._persons[row["id"]], **row, "note": NOTE} for row in self._rows]
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def _names(rng: np.random.Generator) -> Iterator[str]:
    """Invented names, each once: 甲山河, 丁云, ..."""
    given = [*_GIVEN, *(a + b for a in _GIVEN for b in _GIVEN if a != b)]
    every = [f + g for g in given for f in _FAMILY]
    for i in rng.permutation(len(every)):
        yield every[i]
