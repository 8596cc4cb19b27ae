"""Locate a file or folder of points, piece by piece, and go on where an earlier run was ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from data.bulk import pieces, work
from data.bulk.output import Output, Totals, is_folder
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.bulk.pieces import Piece
    from data.bulk.work import Done, Task
    from gis.locator import Locator

FORMAT = 2
"""Of the journal and the pieces: what another version began is not gone on with."""


class Spread(Protocol):
    """Who does the pieces: this process, or many."""

    def results(
        self, todo: Iterator[Piece], task: Task, output: Output
    ) -> Iterator[tuple[Piece, Done]]:
        """Each piece and what became of it, in their order; its file is the output's target."""


class Watcher(Protocol):
    """Who is told how far it has come."""

    def begun(self, total: int | None, done: int) -> None:
        """The amount of everything (None: not known), and of what was done before."""

    def advanced(self, amount: int, rows: int) -> None:
        """A further piece is done."""


@dataclass(frozen=True, slots=True)
class Here:
    """One piece after the other, in this process."""

    locator: Locator

    def results(
        self, todo: Iterator[Piece], task: Task, output: Output
    ) -> Iterator[tuple[Piece, Done]]:
        """See `Spread`."""
        for piece in todo:
            yield piece, work.locate_piece(piece, task, self.locator, output.target(piece))


def locate_file(
    points: Path,
    out: Path,
    locator: Locator,
    *,
    id_column: str,
    layer: str | None = None,
    lon: str | None = None,
    lat: str | None = None,
    crs: str = "auto",
    resumes: bool = False,
    spread: Spread | None = None,
    watcher: Watcher | None = None,
) -> Totals:
    """Write the points' columns with the id of the grid that each lies in, empty for none.

    The memory it takes does not depend on how many points there are.

    Parameters
    ----------
    points
        A file that importers read, or a folder of Parquet files with the same columns.
    out
        A .csv or .parquet file, without geometry; else a folder that gets a Parquet file for each
        file of the points (several for a large one), geometry included.
    locator
        Of the grids, in WGS 84; its ids are written.
    id_column
        Name of the grids' id: the column that is added, another name where the points have it.
    lon, lat
        Columns; None takes the geometry, else the columns of the usual names.
    crs
        ``auto`` (declared by the file), or a name for `gis.crs.parse_crs`.
    resumes
        Go on where an earlier run with the same input and options was ended, if there was one.
    spread
        Who does the pieces; None does one after the other here.

    Raises
    ------
    BadInput
        No points or numbers, no telling which system, or rows that are no rows of the table. Rows
        without a position do not stop it; they are in what it returns.
    Conflict
        An earlier run began with something else, or another is at it.
    """
    in_folder = is_folder(out)
    source = pieces.Source(points, layer)
    where, _ = work.describe(source, lon=lon, lat=lat, crs=crs)
    kind = work.PARQUET if in_folder else out.suffix.lower()
    task = work.Task(
        source.shape, where, "", kind, keeps_geometry=in_folder, keeps_folders=in_folder
    )
    task = replace(task, grid=work.grid_column(task, id_column))
    begun = {
        "format": FORMAT,
        "points": source.identity(),
        "grids": locator.version,
        "out": out.name,
        "id": task.grid,
        "coordinates": [where.geometry, where.lon, where.lat],
        "crs": where.crs,
    }
    output = Output(out, begun, resumes=resumes)
    try:
        output.start(task)
        done = len(output.done)
        todo = source.pieces()
        before = [next(todo).amount for _ in range(done)]
        if watcher is not None:
            watcher.begun(source.total, sum(before))
        spread = spread or Here(locator)
        for piece, each in spread.results(todo, task, output):
            output.take(piece, each)
            if watcher is not None:
                watcher.advanced(piece.amount, each.rows)
        if source.identity() != begun["points"]:
            raise BadInput(
                Problem("it was changed while it was read", "Wait until it is written", points.name)
            )
        output.finish()
        return output.totals()
    except BadInput:
        output.discard()  # with points that are put right it begins anew
        raise
    finally:
        output.close()
