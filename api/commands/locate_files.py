"""``wangge locate --grids --points --out``: files of any size, in this process or over Dask."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from api.commands.layers import layer_named_so, read_layer, split_layer
from api.commands.shared import out, print_json, progress
from data.bulk import cluster
from data.bulk.run import locate_file
from gis.errors import BadInput, Problem
from gis.locator import Locator
from gis.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import geopandas as gpd
    from rich.progress import Task

    from data.bulk.output import Totals
    from data.bulk.positions import Faults


def locate_files(
    grids: Path,
    points: Path,
    out_file: Path,
    *,
    id_column: str,
    lon: str | None,
    lat: str | None,
    crs: str,
    resumes: bool,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Locate points of files and say what became of them."""
    with ExitStack() as stack:
        # First, as it may be missing, and reading the grids may take a while.
        client = stack.enter_context(cluster.connected(scheduler)) if scheduler else None
        locator = _index(grids, id_column)
        bar = stack.enter_context(_Bar())
        stack.enter_context(layer_named_so(points))
        stack.enter_context(_hint(bar))
        path, layer = split_layer(points)
        totals = locate_file(
            path,
            out_file,
            locator,
            id_column=id_column,
            layer=layer,
            lon=lon,
            lat=lat,
            crs=crs,
            resumes=resumes,
            spread=cluster.Workers(client, locator) if client is not None else None,
            watcher=bar,
        )
    if as_json:
        print_json(_document(totals, out_file))
    else:
        _tell(totals, out_file)


@contextmanager
def _hint(bar: _Bar) -> Iterator[None]:
    """Say how to go on when something ends it that the points are not to blame for."""
    try:
        yield
    except BadInput:
        raise
    except BaseException:
        if bar.pieces:
            progress.print("What is done is kept: the same command with --resume goes on.")
        raise


class _Bar(Progress):
    """How far it has come, how fast, and how long it will still take."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), _Rate(),
            TimeElapsedColumn(), TimeRemainingColumn(), console=progress, transient=True,
            disable=not progress.is_terminal,
        )  # fmt: skip
        self._task = self.add_task("locating", total=None, rows=0)
        self.pieces = 0

    def begun(self, total: int | None, done: int) -> None:
        """See `data.bulk.run.Watcher`."""
        self.update(self._task, total=total, completed=done)

    def advanced(self, amount: int, rows: int) -> None:
        """See `data.bulk.run.Watcher`."""
        self.pieces += 1
        rows += self.tasks[self._task].fields["rows"]
        self.update(self._task, advance=amount, rows=rows)


class _Rate(ProgressColumn):
    """Points in all and a second, of this run."""

    def render(self, task: Task) -> Text:
        rows, seconds = task.fields["rows"], task.elapsed or 0
        rate = f", {rows / seconds:,.0f}/s" if seconds > 0 else ""
        return Text(f"{counted(rows, 'point')}{rate}")


def _index(grids: Path, id_column: str) -> Locator:
    layer = read_layer(grids).to_crs(4326)
    if id_column not in layer:
        raise BadInput(
            Problem(
                f"there is no column '{id_column}'",
                f"Name it with --id; there are: {', '.join(map(str, layer.columns))}",
                source=grids.name,
            )
        )
    ids = _ids(layer, grids, id_column)
    try:
        return Locator.build(layer.geometry.to_numpy(), ids)
    except BadInput as error:
        raise BadInput(replace(each, source=grids.name) for each in error.problems) from None


def _ids(layer: gpd.GeoDataFrame, path: Path, name: str) -> np.ndarray:
    """Ids of the grids: whole numbers, which sort as such, else text."""
    column = layer[name]
    empty = column.isna() | (column.astype(str).str.strip() == "")
    if empty.any():
        raise BadInput(
            Problem("the grid has no id", "Give every grid one", path.name, int(row) + 1, name)
            for row in np.flatnonzero(empty)
        )
    if pd.api.types.is_numeric_dtype(column) and (column == column.astype("int64")).all():
        return column.to_numpy("int64")
    return column.astype(str).to_numpy(object)


def _tell(totals: Totals, path: Path) -> None:
    faults = totals.faults
    wrong = f", {faults.wrong:,} that are no positions" if faults.wrong else ""
    out.print(
        f"{counted(totals.rows, 'point')}: {totals.inside:,} in a grid, {totals.outside:,} outside "
        f"all grids, {faults.missing:,} without coordinates{wrong}; written to {escape(str(path))}"
    )
    for line in _rows(faults):
        progress.print(line, markup=False, soft_wrap=True)


def _rows(faults: Faults) -> list[str]:
    """Rows without a position, the first of them by number."""
    lines = []
    if faults.missing:
        named = ", ".join(f"{row:,}" for row in faults.first_missing)
        lines.append(
            f"without coordinates: rows {named}{_more(faults.missing, faults.first_missing)}"
        )
    lines += [f"row {row:,}: {why}" for row, why in faults.first_wrong]
    if more := _more(faults.wrong, faults.first_wrong):
        lines.append(f"no positions:{more}")
    return lines


def _more(count: int, named: list[Any]) -> str:
    return f" and {count - len(named):,} more" if count > len(named) else ""


def _document(totals: Totals, path: Path) -> dict[str, Any]:
    faults = totals.faults
    return {
        "points": totals.rows,
        "in_a_grid": totals.inside,
        "outside": totals.outside,
        "without_coordinates": {"count": faults.missing, "first_rows": faults.first_missing},
        "no_positions": {
            "count": faults.wrong,
            "first": [{"row": row, "reason": why} for row, why in faults.first_wrong],
        },
        "written_to": str(path),
    }
