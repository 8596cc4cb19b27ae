"""The layers that a plan is drawn from or measured by, and their files' names in every problem."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import typer

from api.commands.layers import read_layer
from api.commands.shared import progress
from data.importers import columns
from gis.errors import BadInput, Problem
from grids.redistricting.checks import ID_COLUMNS
from maps.layer_files import WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


BarrierLayers = Annotated[
    list[Path] | None,
    typer.Option("--barriers", help="Lines with 'kind', and bridges; may be repeated"),
]
KINDS: Final = {
    "area": "units", "buildings": "buildings", "grids": "grids", "before": "grids",
    "locked": "grids",
}  # fmt: skip
"""Kind of each layer, by which names of columns are known."""
FIELDS: Final = {
    "units": ("code",),
    "buildings": ("id", "households"),
    "grids": ("code", "households"),
}
"""Columns that the planner reads of each kind."""
REPORTS: Final = (".html", ".htm")
NO_FIGURE = frozenset({None, "code", "kind", "households"})


def check_endings(out_file: Path | None, cells: Path | None, report: Path | None) -> None:
    """Refuse files that could not be written before minutes are spent on drawing."""
    for option, path, endings in (
        ("--out", out_file, WRITERS),
        ("--cells", cells, WRITERS),
        ("--report", report, REPORTS),
    ):
        if path is not None and path.suffix.lower() not in endings:
            remedy = f"Use one of: {', '.join(endings)}"
            raise BadInput(
                Problem(f"cannot write '{path.suffix}'", remedy, path.name, None, option)
            )
        if path is not None:
            folder = next(each for each in path.absolute().parents if each.exists())
            if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
                remedy = "Choose a folder that you may write to"
                raise BadInput(Problem(f"cannot write {path}", remedy, field=option))


@dataclass(frozen=True)
class PlanLayers:
    """Layers by what they are: ``area``, ``buildings``, ``barriers``, ``grids``, ``before``...

    Attributes
    ----------
    frames
        One layer of each that was given; barriers of several files are one, in the CRS of the
        first.
    parts
        Name as it was given and number of rows of the files of each layer.
    """

    frames: dict[str, gpd.GeoDataFrame]
    parts: dict[str, list[tuple[str, int]]]

    @contextmanager
    def named(self) -> Iterator[None]:
        """Say which file, option and row is wrong, where the planner knows layers only."""
        try:
            yield
        except BadInput as error:
            raise BadInput(self._placed(each) for each in error.problems) from None

    def _placed(self, problem: Problem) -> Problem:
        if problem.source is None:
            if problem.field in NO_FIGURE:
                return problem
            return replace(problem, field=f"--{str(problem.field).replace('_', '-')}")
        parts = self.parts.get(problem.source)
        if parts is None:
            return problem
        if problem.row is None:
            return replace(problem, source=", ".join(name for name, _ in parts))
        # Rows are counted through the files of a layer.
        ends = list(accumulate(rows for _, rows in parts))
        file = int(np.searchsorted(ends, problem.row))
        name, rows = parts[file]
        return replace(problem, source=name, row=problem.row - ends[file] + rows)


def read_plan_layers(**files: Path | Sequence[Path] | None) -> PlanLayers:
    """Read the layers of a plan, each ``FILE`` or ``FILE|LAYER``; None and no files are left out.

    Raises
    ------
    BadInput
        What is wrong with any of the files, all at once.
    """
    frames: dict[str, gpd.GeoDataFrame] = {}
    parts: dict[str, list[tuple[str, int]]] = {}
    problems: list[Problem] = []
    for what, given in files.items():
        layers = []
        for path in [given] if isinstance(given, Path) else given or ():
            try:
                layers.append(_layer(path, what))
            except BadInput as error:
                problems += error.problems
            else:
                parts.setdefault(what, []).append((path.name, len(layers[-1])))
        if len(layers) == 1:
            frames[what] = layers[0]
        elif layers:
            crs = layers[0].crs
            same = [layer if layer.crs == crs else layer.to_crs(crs) for layer in layers]
            frames[what] = _one_after_another(same)
    if problems:
        raise BadInput(problems)
    return PlanLayers(frames, parts)


def _layer(path: Path, what: str) -> gpd.GeoDataFrame:
    if what == "pinned" and path.suffix.lower() == ".csv":
        return _table(path)
    layer = read_layer(path)
    if what == "barriers" and "kind" not in layer:
        raise BadInput(
            Problem(
                "there is no column 'kind'",
                "street, arterial, rail, river, wall, or bridge for points; "
                "'wangge import barriers' classes what other names say",
                source=path.name,
                field="kind",
            )
        )
    return _named_as_the_planner_does(layer, path, what)


def _named_as_the_planner_does(layer: gpd.GeoDataFrame, path: Path, what: str) -> gpd.GeoDataFrame:
    """A layer whose columns are called as in the files people have, and what they are taken for."""
    kind = KINDS.get(what)
    present = [str(column) for column in layer.columns if column != layer.geometry.name]
    wanted = [name for name in FIELDS.get(kind or "", ()) if name not in present]
    if what == "buildings" and {name.lower() for name in present} & set(ID_COLUMNS):
        wanted = [name for name in wanted if name != "id"]
    if kind is None or not wanted:
        return layer
    found = columns.resolve(kind, wanted, present, None, file=path.name).columns
    # Codes that are not each row's own are no codes of its: rows are numbered then.
    taken = {
        column: field
        for field, column in found.items()
        if field == "households" or (layer[column].notna().all() and layer[column].is_unique)
    }
    for column, field in taken.items():
        progress.print(f"{path.name}: column {column} is taken for {field}", markup=False)
    return layer.rename(columns=taken)


def _table(path: Path) -> gpd.GeoDataFrame:
    try:
        return cast("gpd.GeoDataFrame", pd.read_csv(path, dtype={"code": str, "external_id": str}))
    except (OSError, ValueError) as error:
        problem = Problem(f"it cannot be read: {error}", "Give a table with commas", path.name)
        raise BadInput(problem) from error


def _one_after_another(layers: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    shapes = [layer[["kind", "geometry"]] for layer in layers]
    return gpd.GeoDataFrame(pd.concat(shapes, ignore_index=True), crs=layers[0].crs)
