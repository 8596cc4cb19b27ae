"""What is done with a piece: its rows are read, located and written to a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data.bulk import pieces, positions
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.bulk.pieces import Piece, Shape
    from data.bulk.positions import Where
    from gis.locator import Locator

CSV: Final = ".csv"
PARQUET: Final = ".parquet"
SAMPLE: Final = 10_000
"""Rows whose texts are looked at for a wrong encoding."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with every piece.

    Attributes
    ----------
    grid
        Name of the column that is added.
    kind
        Of the files written, ``.csv`` or ``.parquet``.
    keeps_geometry
        Whether the points' geometry goes along.
    keeps_folders
        The result lies in folders as the points do; else what they are named by becomes columns.
    """

    shape: Shape
    where: Where
    grid: str
    kind: str
    keeps_geometry: bool
    keeps_folders: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a piece; rows are numbered from 1 within it.

    Attributes
    ----------
    inside
        Rows that lie in a grid.
    refused
        What cannot be taken, for which the whole stops.
    content
        The file written, when it is handed over rather than left where it was written.
    """

    number: int
    rows: int = 0
    inside: int = 0
    faults: positions.Faults = field(default_factory=positions.Faults)
    refused: tuple[Problem, ...] = ()
    content: bytes | None = None


def locate_piece(piece: Piece, task: Task, locator: Locator, target: Path) -> Done:
    """Locate the rows of a piece and write them, with the grid's id, to a file.

    What is wrong with the input is in the answer: it would come to the same anywhere.
    """
    try:
        return _located(piece, task, locator, target)
    except BadInput as error:
        return Done(piece.number, refused=tuple(error.problems))


def _located(piece: Piece, task: Task, locator: Locator, target: Path) -> Done:
    ids = _ids(locator)
    rows = inside = 0
    faults = positions.Faults()
    writer: pq.ParquetWriter | None = None
    with target.open("wb") as sink:
        for table in _tables(piece, task):
            x, y, unread = positions.coordinates(table, task.where, file=task.shape.name)
            lon, lat, missing, wrong = positions.wgs84(x, y, unread, task.where.crs)
            found = locator.locate(lon, lat)
            inside += int((found >= 0).sum())
            faults.add(missing + rows + 1, [(place + rows + 1, why) for place, why in wrong])
            rows += len(table)
            grid = ids.take(pa.array(found, mask=found < 0))
            result = _result(table, task, grid)
            if task.kind == CSV:
                _write_csv(_flat(result), sink)
            else:
                writer = writer or pq.ParquetWriter(sink, result.schema)
                writer.write_table(result)
        if writer is not None:
            writer.close()
    return Done(piece.number, rows, inside, faults)


@lru_cache(maxsize=2)
def _ids(locator: Locator) -> pa.Array:
    return pa.array(locator.ids.tolist())


def _tables(piece: Piece, task: Task) -> Iterator[pa.Table]:
    """The rows; an empty piece has one table without any, so that its file has columns."""
    is_empty = True
    for table in pieces.tables_of(piece, task.shape, with_folders=not task.keeps_folders):
        is_empty = False
        yield table
    if is_empty:
        yield schema_of(task).empty_table()


def schema_of(task: Task) -> pa.Schema:
    """Columns of the points as they are read."""
    schema = task.shape.schema
    if not task.keeps_folders:
        for name in task.shape.folders:
            schema = schema.append(pa.field(name, pa.string()))
    return schema


def columns_of(task: Task) -> list[str]:
    """Columns of the result, in order."""
    names = [*schema_of(task).names, task.grid]
    return [each for each in names if task.keeps_geometry or each != task.shape.geometry]


def grid_column(task: Task, name: str) -> str:
    """Name of the column to be added: the grids' own, another where the points have it."""
    taken = set(columns_of(task)[:-1])
    wanted, n = name, 1
    while wanted in taken:
        wanted = f"grid_{name}" if n == 1 else f"grid_{name}_{n}"
        n += 1
    return wanted


def _result(table: pa.Table, task: Task, grid: pa.Array) -> pa.Table:
    names, told = table.column_names, table.schema.metadata
    if not task.keeps_geometry:
        names, told = [each for each in names if each != task.shape.geometry], None
    columns = {name: table.column(name) for name in names} | {task.grid: grid}
    return pa.table(columns).replace_schema_metadata(told)


def _write_csv(table: pa.Table, sink: Any) -> None:
    # Arrow puts quotes around every text or none; most files need none.
    for style in ("none", "needed"):
        begins = sink.tell()
        try:
            pa_csv.write_csv(
                table, sink, pa_csv.WriteOptions(include_header=False, quoting_style=style)
            )
        except pa.ArrowInvalid:
            if style == "needed":
                raise
            sink.seek(begins)
            sink.truncate()
        else:
            return


def _flat(table: pa.Table) -> pa.Table:
    """What CSV can hold: lists and structures as JSON, bytes in hexadecimal digits."""
    for place, column in enumerate(table.schema):
        kind = column.type
        text: Any = None
        if pa.types.is_nested(kind):
            text = [
                None if each is None else json.dumps(each, ensure_ascii=False, default=str)
                for each in table.column(place).to_pylist()
            ]
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            text = [
                None if each is None else each.hex() for each in table.column(place).to_pylist()
            ]
        elif pa.types.is_dictionary(kind):
            text = table.column(place).cast(kind.value_type)
        if text is not None:
            if isinstance(text, list):
                text = pa.array(text, pa.string())
            table = table.set_column(place, column.name, text)
    return table


def describe(
    source: pieces.Source, *, lon: str | None, lat: str | None, crs: str
) -> tuple[Where, Piece]:
    """Find where the coordinates are and in which system, by the columns and the first piece.

    Parameters
    ----------
    lon, lat
        Columns; None takes the geometry, else the columns of the usual names.
    crs
        ``auto`` (declared by the file), or a name for `gis.crs.parse_crs`.

    Raises
    ------
    BadInput
        No rows, no points or numbers, no telling which system, or none of the first rows is a
        position in it.
    """
    from data.importers import placing  # noqa: PLC0415 - loads what only this needs

    shape = source.shape
    present = shape.schema.names
    geometry = shape.geometry if lon is None and lat is None else None
    if geometry is not None:
        where = positions.Where(geometry, "", "", "wgs84")
    else:
        plain = [name for name in present if name != shape.geometry]
        found = positions.columns_of(plain, lon=lon, lat=lat, file=shape.name)
        where = positions.Where(None, *found, "wgs84")
    piece = next(source.pieces(), None)
    if piece is None:
        raise BadInput(f"{shape.name} has no rows", "Export it again.")
    table = next(pieces.tables_of(piece, shape, with_folders=False))
    if len(table) == 0 and shape.format in {"csv", "xlsx"}:
        raise BadInput(f"{shape.name} has no rows", "Export it again.")
    if shape.format in {"csv", "shapefile", "zip"}:
        _refuse_wrong_encoding(table, shape)
    x, y, unread = positions.coordinates(table, where, file=shape.name)
    system = placing.which_crs(
        pieces.told_as(shape), told=crs, xy=np.column_stack([x, y]),
        by_columns=geometry is None, file=shape.name,
    )  # fmt: skip
    name = crs if crs != "auto" else (shape.crs if shape.crs else system.name)
    where = positions.Where(where.geometry, where.lon, where.lat, name)
    placed, _, _, wrong = positions.wgs84(x, y, unread, name)
    if wrong and not np.isfinite(placed).any():
        row, why = wrong[0]
        others = f"; none of {len(table):,} rows has a position" if len(table) > 1 else ""
        raise BadInput(
            Problem(
                f"{why}{others}",
                "Name the columns with --lon and --lat, the system with --crs, such as --crs "
                "EPSG:4546 for metres; longitude or easting comes first",
                shape.name,
                row + 1,
            )
        )
    return where, piece


def _refuse_wrong_encoding(table: pa.Table, shape: Shape) -> None:
    from data.importers import tables  # noqa: PLC0415 - as above

    texts = [n for n, each in enumerate(table.schema) if pa.types.is_string(each.type)]
    frame = table.select(texts).slice(0, SAMPLE).to_pandas()
    frame.index = frame.index + 1
    tables.refuse_wrong_encoding(frame, shape.name)
