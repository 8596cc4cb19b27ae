"""A file, or a folder of files, of points in pieces that can be read one by one, anywhere.

What the pieces are follows from the file alone, so that a run that was ended finds them again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.bulk import csv_blocks
from data.importers import guards, reading, tables, values
from gis.errors import BadInput, NotFound, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from data.importers.guards import Checked

PIECE_ROWS: Final = 1 << 18
"""Rows of a piece, about; row groups of Parquet are taken whole."""
LARGEST: Final = 1 << 50
HEAD: Final = 1 << 20
PARQUET: Final = (".parquet", ".geoparquet")
_INDEX: Final = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the rows.

    Attributes
    ----------
    number
        From 0, in the order of the rows.
    path, start, stop
        The file, and bytes of it (CSV) or row groups (Parquet).
    name
        Of the file that its rows become when a folder is written.
    amount
        How far it brings the whole, in the source's unit.
    content
        The rows, where the file itself cannot be asked for them: a block of CSV or a table.
    """

    number: int
    path: str
    start: int
    stop: int
    name: str
    amount: int
    content: bytes | pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What every piece of a source looks like.

    Attributes
    ----------
    name
        Of the file or folder, for messages.
    schema
        Of its tables, as far as they are written: without index columns of pandas.
    geometry
        Column of WKB, or None.
    crs, format
        What is declared, as in `data.importers.reading.Table`.
    csv
        For blocks of CSV.
    folders
        Names of the columns that folders are named by (``county=150121``).
    """

    name: str
    schema: pa.Schema
    geometry: str | None
    crs: str | None
    format: str
    csv: csv_blocks.Form | None = None
    folders: tuple[str, ...] = ()


class Source:
    """A file or folder of points.

    Parameters
    ----------
    path
        A file, or a folder of Parquet files.
    layer
        Of a file with several.

    Raises
    ------
    NotFound
        There is none.
    BadInput
        It cannot be read in pieces: damaged, of an unknown kind, empty, or the files of a folder
        do not have the same columns.
    """

    def __init__(self, path: Path, layer: str | None = None) -> None:
        self.path, self.layer = path, layer
        self.total: int | None = None
        """What the amounts of all pieces add up to; None where that is not known before."""
        self._files: list[Checked] = []
        if path.is_dir():
            self._files = [self._check(each) for each in _files_of(path)]
        else:
            self._files = [self._check(path)]
        first = self._files[0]
        self.format = first.format
        if first.format == "csv":
            form = csv_blocks.form_of(first)
            schema = pa.schema([(name, pa.string()) for name in form.columns])
            self.shape = Shape(path.name, schema, None, None, "csv", form)
            self.total = None if form.copied else max(first.bytes - form.starts, 1)
        elif first.format == "parquet":
            self.shape = self._of_parquet()
        elif first.format == "xlsx":
            self._sheet = _texts(reading.read(path, layer=layer))
            self.shape = Shape(path.name, self._sheet.schema, None, None, "xlsx")
            self.total = self._sheet.num_rows
        else:
            with reading.stream(first, layer) as told:
                self.shape = Shape(
                    path.name, _without_index(told.schema), told.geometry, told.crs, first.format
                )
                self.total = told.rows

    @property
    def is_shareable(self) -> bool:
        """Whether another process can read a piece from the file itself."""
        csv = self.shape.csv
        return self.format == "parquet" or (csv is not None and not csv.copied)

    def identity(self) -> dict[str, Any]:
        """What tells that this is the same input as before: names, sizes, times, their heads."""
        digest = hashlib.sha256()
        newest, size = 0, 0
        for each in self._files:
            info = each.path.stat()
            newest, size = max(newest, info.st_mtime_ns), size + info.st_size
            with each.path.open("rb") as file:
                head = hashlib.sha256(file.read(HEAD if len(self._files) == 1 else 1 << 16))
            line = f"{each.path.name} {info.st_size} {info.st_mtime_ns} {head.hexdigest()}\n"
            digest.update(line.encode())
        return {
            "files": len(self._files), "bytes": size, "modified_ns": newest,
            "sha256": digest.hexdigest(), "layer": self.layer,
        }  # fmt: skip

    def pieces(self) -> Iterator[Piece]:
        """All pieces in order; contents only where the file cannot be asked for them."""
        if self.format == "csv":
            yield from self._blocks()
        elif self.format == "parquet":
            yield from self._row_groups()
        elif self.format == "xlsx":
            yield self._inline(0, self._sheet)
        else:
            with reading.stream(self._files[0], self.layer) as told:
                whole = (_as_written(pa.Table.from_batches([each])) for each in told.batches)
                for number, table in enumerate(_gathered(whole)):
                    yield self._inline(number, table)

    def _inline(self, number: int, table: pa.Table) -> Piece:
        name = f"part-{number:05}.parquet"
        return Piece(number, str(self.path), 0, 0, name, table.num_rows, table)

    def _check(self, path: Path) -> Checked:
        return guards.check_file(path, max_bytes=LARGEST)

    def _blocks(self) -> Iterator[Piece]:
        form = self.shape.csv
        assert form is not None
        path = str(self.path.resolve())
        for number, (start, stop, block) in enumerate(csv_blocks.blocks(self._files[0], form)):
            name = f"part-{number:05}.parquet"
            yield Piece(number, path, start, stop, name, stop - start, block)

    def _of_parquet(self) -> Shape:
        self.total = 0
        shape: Shape | None = None
        for checked in self._files:
            schema, geometry, crs, meta = tables.parquet_head(checked)
            self.total += meta.num_rows
            described = _without_index(schema).remove_metadata()
            if shape is None:
                folders = _folders(checked.path, self.path)
                kept = _geo_of(schema) if geometry is not None else None
                shape = Shape(
                    self.path.name, described.with_metadata(kept), geometry, crs, "parquet",
                    folders=tuple(each for each, _ in folders if each not in described.names),
                )  # fmt: skip
            elif (described, geometry, crs) != (
                shape.schema.remove_metadata(), shape.geometry, shape.crs,
            ):  # fmt: skip
                raise BadInput(
                    Problem(
                        f"its columns are not those of {self._files[0].path.name}"
                        + _difference(shape, described, geometry, crs),
                        "All files of a folder have the same columns, types and system",
                        source=checked.path.name,
                    )
                )
        assert shape is not None
        if self.total == 0:
            raise BadInput(f"{self.path.name} has no rows", "Export it again.")
        return shape

    def _row_groups(self) -> Iterator[Piece]:
        number = 0
        taken: set[str] = set()
        for checked in self._files:
            with pq.ParquetFile(checked.path) as file:
                meta = file.metadata
                groups = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
            spans = list(_spans(groups)) or [(0, 0)]
            inside = checked.path.relative_to(self.path) if self.path.is_dir() else None
            stem = (inside or Path(checked.path.name)).with_suffix("")
            for n, (start, stop) in enumerate(spans):
                name = f"{stem}.parquet" if len(spans) == 1 else f"{stem}-{n:05}.parquet"
                if name in taken:  # a.parquet beside a.geoparquet
                    name = f"{stem}-{n:05}-{number:06}.parquet"
                taken.add(name)
                rows = sum(groups[start:stop])
                yield Piece(number, str(checked.path.resolve()), start, stop, name, rows)
                number += 1


def tables_of(piece: Piece, shape: Shape, *, with_folders: bool) -> Iterator[pa.Table]:
    """The rows of a piece, some at a time, with the columns of the shape's schema.

    Parameters
    ----------
    with_folders
        Add the columns that folders are named by.

    Raises
    ------
    BadInput
        They cannot be read.
    """
    if shape.csv is not None:
        path = Path(piece.path)
        block = piece.content or csv_blocks.read_block(path, piece.start, piece.stop)
        yield csv_blocks.table_of(block, shape.csv)
    elif piece.content is not None:
        yield piece.content
    else:
        names = shape.schema.names
        with pq.ParquetFile(piece.path) as file:
            groups = list(range(piece.start, piece.stop))
            batches = file.iter_batches(PIECE_ROWS, row_groups=groups, columns=names)
            try:
                for batch in batches:
                    table = pa.Table.from_batches([batch]).select(names)
                    table = table.cast(shape.schema)
                    if with_folders:
                        for name, value in _folders(Path(piece.path), None, shape.folders):
                            table = table.append_column(name, pa.repeat(value, len(table)))
                    yield table
            except (pa.ArrowException, OSError) as error:
                name = Path(piece.path).name
                raise BadInput(f"{name} is damaged: {error}", "Copy it again.") from error


def _files_of(folder: Path) -> Sequence[Path]:
    """The Parquet files in a folder and below; names that begin with a dot or _ are skipped."""
    found = sorted(
        each
        for each in folder.rglob("*")
        if each.suffix.lower() in PARQUET
        and not any(part.startswith((".", "_")) for part in each.relative_to(folder).parts)
    )
    if not found:
        raise NotFound(f"there is no Parquet file in the folder {folder}")
    return found


def _folders(
    path: Path, root: Path | None, named: tuple[str, ...] | None = None
) -> list[tuple[str, str]]:
    """Names and values of folders such as ``county=150121`` above a file, below the root."""
    parts = path.parent.parts if root is None else path.relative_to(root).parent.parts \
        if root.is_dir() else ()  # fmt: skip
    found = [(name, value) for name, sign, value in (p.partition("=") for p in parts) if sign]
    return found if named is None else [each for each in found if each[0] in named]


def _geo_of(schema: pa.Schema) -> dict[bytes, bytes]:
    """What GeoParquet tells of the columns, without the extent, which is that of one file."""
    told = json.loads(schema.metadata[b"geo"])
    for column in told["columns"].values():
        column.pop("bbox", None)
    return {b"geo": json.dumps(told).encode()}


def _difference(shape: Shape, schema: pa.Schema, geometry: str | None, crs: str | None) -> str:
    missing = sorted(set(shape.schema.names) - set(schema.names))
    more = sorted(set(schema.names) - set(shape.schema.names))
    if missing or more:
        told = [f"without {', '.join(missing)}"] if missing else []
        told += [f"with {', '.join(more)}"] if more else []
        return f" ({' and '.join(told)})"
    other = [
        f"{field.name} is {schema.field(field.name).type}, there {field.type}"
        for field in shape.schema
        if schema.field(field.name).type != field.type
    ]
    if geometry != shape.geometry or crs != shape.crs:
        other.append("another geometry or coordinate system")
    return f" ({'; '.join(other)})" if other else ""


def _spans(rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Row groups gathered into pieces."""
    start = held = 0
    stop = 0
    for stop, count in enumerate(rows, 1):
        held += count
        if held >= PIECE_ROWS:
            yield start, stop
            start, held = stop, 0
    if held:
        yield start, stop


def _gathered(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    rows = 0
    for each in batches:
        held.append(each)
        rows += len(each)
        if rows >= PIECE_ROWS:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if rows:
        yield pa.concat_tables(held)


def _without_index(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if not _INDEX.fullmatch(field.name)])


def _as_written(table: pa.Table) -> pa.Table:
    kept = _without_index(table.schema)
    return table.select(kept.names).cast(kept)


def _texts(table: reading.Table) -> pa.Table:
    frame: pd.DataFrame = table.frame
    return pa.table({str(name): pa.array(values.texts(frame[name]), pa.string()) for name in frame})


def told_as(shape: Shape) -> reading.Table:
    """The source as a table without rows, for what asks what a file declares."""
    return reading.Table(pd.DataFrame(), None, shape.crs, None, [], shape.format)


def with_content(piece: Piece, shape: Shape, *, with_folders: bool) -> Piece:
    """The piece with its rows, for a process that does not see the file."""
    if piece.content is not None:
        return piece
    if shape.csv is not None:
        return replace(
            piece, content=csv_blocks.read_block(Path(piece.path), piece.start, piece.stop)
        )
    parts = list(tables_of(piece, shape, with_folders=with_folders))
    if not parts:
        schema = shape.schema
        for name in shape.folders if with_folders else ():
            schema = schema.append(pa.field(name, pa.string()))
        parts = [schema.empty_table()]
    return replace(piece, content=pa.concat_tables(parts))
