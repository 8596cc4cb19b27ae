"""Layers in and out of files, for the commands that work without a database.

A layer is named by its file, in a file of several as ``FILE|LAYER``, the way QGIS writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.bulk import positions
from data.importers import columns, placing, values
from data.importers.layers import LayerNotChosen
from data.importers.moments import times
from data.importers.reading import Table, read
from data.importers.report import Report
from gis.crs import to_wgs84
from gis.errors import BadInput, Problem

LONG_ROWS = 2_000_000
"""Rows of a Parquet file above which it is read in parts where that is possible."""
TIMES: Final = ("reported_at", "occurred_at")


def read_layer(path: Path) -> gpd.GeoDataFrame:
    """A layer with geometry, in its own CRS.

    Raises
    ------
    BadInput
        No geometry or one that cannot be read, no CRS declared, or several layers and none named.
    """
    table = _read(path)
    problems = [
        Problem(why, "Put each type of geometry in its own layer", path.name, row, "geometry")
        for row, why in table.unread.items()
    ]
    if table.geometry is None:
        problems.append(
            Problem(
                "the file has no geometry",
                "Give a GeoPackage, GeoJSON, Shapefile or GeoParquet",
                source=path.name,
            )
        )
    elif table.crs is None:
        problems.append(
            Problem(
                "the file names no coordinate system",
                "Save it with the system its coordinates are in; a Shapefile keeps it in the .prj",
                source=path.name,
            )
        )
    if problems:
        raise BadInput(problems)
    return gpd.GeoDataFrame(table.frame, geometry=table.geometry, crs=table.crs)


def split_layer(path: Path) -> tuple[Path, str | None]:
    """File and layer of ``FILE|LAYER``; the sign may be part of a file's name."""
    file, _, layer = str(path).partition("|")
    if not layer or path.exists():
        return path, None
    return Path(file), layer.removeprefix("layername=")


def _read(path: Path) -> Table:
    """The table of ``FILE`` or ``FILE|LAYER``."""
    file, layer = split_layer(path)
    with layer_named_so(path):
        return read(file, layer=layer)


@contextmanager
def layer_named_so(path: Path) -> Iterator[None]:
    """Say how these commands are told which of several layers is meant."""
    try:
        yield
    except LayerNotChosen as error:
        raise BadInput(
            error.problems[0].reason,
            f"Name one, as in '{path.name}|LAYER'; it has: {error.names}.",
        ) from None


def read_points(
    path: Path, *, lon: str | None, lat: str | None, crs: str
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of a file of points, and their WGS 84 longitudes and latitudes (NaN: none).

    Parameters
    ----------
    lon, lat
        Columns of the coordinates; None takes the geometry, else the columns of the usual names.
    crs
        ``auto`` (declared by the file), or a name for `gis.crs.parse_crs`.

    Raises
    ------
    BadInput
        No points or numbers, no telling which system, or a row that is no position in it.
    """
    return points_of(_read(path), path, lon=lon, lat=lat, crs=crs)


def point_batches(
    path: Path, *, lon: str | None, lat: str | None, crs: str, rows: int = 1_000_000
) -> Iterator[tuple[pd.DataFrame, np.ndarray, np.ndarray]]:
    """Rows of a Parquet file without geometry, a million at a time: as `read_points` of each."""
    for number, batch in enumerate(pq.ParquetFile(path).iter_batches(rows)):
        frame = batch.to_pandas()
        frame.index = range(number * rows + 1, number * rows + 1 + len(frame))
        table = Table(frame, None, None, None, [], "parquet")
        yield points_of(table, path, lon=lon, lat=lat, crs=crs)


def is_long(path: Path) -> bool:
    """Whether a file is Parquet without geometry, of so many rows that it is read in parts."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid:
        return False  # said where it is read
    return file.metadata.num_rows > LONG_ROWS and b"geo" not in (file.schema_arrow.metadata or {})


def points_of(
    table: Table, path: Path, *, lon: str | None, lat: str | None, crs: str
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of a table and their longitudes and latitudes, as `read_points`."""
    points = table.geometry if lon is None and lat is None else None
    if points is not None:
        x, y = positions.of_points(points, path.name)
    else:
        x, y = _of_columns(table, path, lon, lat)
    xy = np.column_stack([x, y])
    system = placing.which_crs(table, told=crs, xy=xy, by_columns=points is None, file=path.name)
    wgs_lon, wgs_lat = to_wgs84(x, y, system)
    given = np.isfinite(x) & np.isfinite(y)
    lost = np.flatnonzero(given & ~(np.isfinite(wgs_lon) & np.isfinite(wgs_lat)))
    off = np.flatnonzero(given & ((np.abs(wgs_lon) > 180) | (np.abs(wgs_lat) > 90)))
    wrong = np.union1d(lost, off)
    if len(wrong):
        row = int(wrong[0])
        raise BadInput(
            Problem(
                f"({x[row]:g}, {y[row]:g}) is no position in {system}"
                + (f", nor are {len(wrong) - 1} more rows" if len(wrong) > 1 else ""),
                "Name the system with --crs, such as --crs EPSG:4546 for metres; longitude or "
                "easting comes first",
                source=path.name,
                row=row + 1,
            )
        )
    return table.frame, wgs_lon, wgs_lat


def _of_columns(
    table: Table, path: Path, lon: str | None, lat: str | None
) -> tuple[np.ndarray, np.ndarray]:
    present = [str(column) for column in table.frame.columns]
    present = [str(column) for column in table.frame.columns]
    found = positions.columns_of(present, lon=lon, lat=lat, file=path.name)
    report = Report("points", path.name, path.stem)
    x, y = (
        values.numbers(table.frame[name], report, name, unit="degrees or metres") for name in found
    )
    if report.problems:
        raise BadInput(report.problems)
    return x, y


def read_times(frame: pd.DataFrame, path: Path, name: str | None, timezone: str) -> pd.Series:
    """When each row of a file of points was reported, else when it happened, in UTC; NaT: unknown.

    Parameters
    ----------
    name
        Column; None takes one of the usual names.
    timezone
        Of times without a zone.

    Raises
    ------
    BadInput
        There is no such column.
    """
    told = {"reported_at": name} if name is not None else {}
    present = [str(column) for column in frame.columns]
    found = columns.resolve("incidents", TIMES, present, told, file=path.name).columns
    column = found.get("reported_at") or found.get("occurred_at")
    if column is None:
        raise BadInput(
            Problem(
                "there is no column of times",
                f"Name it with --time; there are: {', '.join(present)}",
                source=path.name,
            )
        )
    report = Report("incidents", path.name, path.stem)
    return pd.to_datetime(times(frame[column], report, column, timezone=timezone), utc=True)
