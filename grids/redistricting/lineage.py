"""What became of the grids of an older plan: codes kept, split, merged, new and gone."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from gis.errors import BadInput, Problem
from grids.redistricting import checks
from grids.redistricting.cells import Cells
from grids.redistricting.compiled import Ints, Labels
from grids.redistricting.inputs import Town

CORE = 0.5
"""Share of an older grid's households that must stay together for its code to live on."""

BRANCH = 0.1
"""Share of an older grid's households from which another grid counts as its successor."""


def older_grids(town: Town, cells: Cells, before: gpd.GeoDataFrame) -> tuple[Ints, list[str]]:
    """Older grid of each cell (-1 for none), and the codes they are counted by.

    Raises
    ------
    BadInput
        The older plan has no codes, no CRS or no polygons.
    """
    problems = list(checks.layer_problems(before, "before", checks.POLYGONS))
    if not problems:
        problems += checks.column_problems(before, "before", "code")
    if not problems and before["code"].astype(str).duplicated().any():
        problems.append(Problem("a code is there twice", "Dissolve the rows of one code", "before"))
    if problems:
        raise BadInput(problems)
    shapes = before.geometry.force_2d().to_crs(town.metres).to_numpy()
    spots = shapely.point_on_surface(cells.polygons)
    cell, grid = shapely.STRtree(shapes).query(spots, predicate="intersects")
    result = np.full(len(spots), len(shapes), dtype=np.int64)
    np.minimum.at(result, cell, grid)
    result[result == len(shapes)] = -1
    return result, before["code"].astype(str).tolist()


def heirs(label: Labels, older: Ints, households: Ints, area_m2: npt.NDArray[np.float64]) -> Ints:
    """Older grid whose code each grid takes over, -1 for none; by households, then by ground."""
    size = int(label.max()) + 1
    result = np.full(size, -1, dtype=np.int64)
    table = _overlaps(label, older, households, area_m2)
    total = table.groupby("older")["worth"].transform("sum")
    table = table[(table["older"] >= 0) & (table["worth"] >= CORE * total - 1e-9)]
    taken: set[int] = set()
    for row in table.sort_values(["worth", "older"], ascending=[False, True]).itertuples():
        if result[row.grid] < 0 and row.older not in taken:
            result[row.grid] = row.older
            taken.add(int(row.older))
    return result


def _overlaps(
    label: Labels, older: Ints, households: Ints, area_m2: npt.NDArray[np.float64]
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"grid": label, "older": older, "people": households, "worth": households + 1e-9 * area_m2}
    )
    return frame.groupby(["grid", "older"], as_index=False)[["people", "worth"]].sum()


def lineage(
    label: Labels,
    older: Ints,
    *,
    households: Ints,
    area_m2: npt.NDArray[np.float64],
    codes: npt.NDArray[np.object_],
    older_codes: list[str],
) -> pd.DataFrame:
    """One row per older grid and per new one.

    Returns
    -------
    DataFrame
        ``code``; ``fate``: ``kept``, ``split`` (its code lives on or not, but several grids hold
        a tenth or more of it), ``merged`` (gone, nearly all in one grid), ``gone`` (no ground of
        it is left) or ``new``; ``successors`` (of a new grid: empty) and ``predecessors`` (of a
        new grid only), lists of codes; ``households`` now living in what it was, and ``moved``,
        those of them whose grid has another code now.
    """
    table = _overlaps(label, older, households, area_m2)
    rows: list[tuple[str, str, list[str], list[str], int, int]] = []
    living = set(codes.tolist())
    for number, code in enumerate(older_codes):
        mine = table[table["older"] == number].sort_values("worth", ascending=False)
        whole = mine["worth"].sum()
        large = mine[mine["worth"] >= BRANCH * whole]
        successors = [str(codes[grid]) for grid in large["grid"]]
        stays = sum(
            int(people)
            for grid, people in zip(mine["grid"], mine["people"], strict=True)
            if codes[grid] == code
        )
        people = int(mine["people"].sum())
        fate = "kept"
        if not len(mine):
            fate = "gone"
        elif len(successors) > 1:
            fate = "split"
        elif code not in living:
            fate = "merged"
        rows.append((code, fate, successors, [], people, people - stays))
    known = set(older_codes)
    for grid, code in enumerate(codes.tolist()):
        if code in known:
            continue
        mine = table[(table["grid"] == grid) & (table["older"] >= 0)]
        large = mine[mine["worth"] >= BRANCH * mine["worth"].sum()]
        origins = [older_codes[number] for number in large["older"]]
        people = int(table.loc[table["grid"] == grid, "people"].sum())
        rows.append((code, "new", [], origins, people, 0))
    names = ["code", "fate", "successors", "predecessors", "households", "moved"]
    return pd.DataFrame(rows, columns=names)
