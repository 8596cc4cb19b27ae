"""Layers in and out of files, for the commands that work without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from data.importers.reading import Table, read
from gis.crs import parse_crs, to_wgs84, to_wgs84_geometry
from gis.errors import BadInput, Problem
from maps.output import replacing

WRITERS: Final = (".gpkg", ".geojson", ".parquet", ".csv")
SHIFTED: Final = ("gcj02", "bd09")
LON_NAMES: Final = ("lon", "lng", "long", "longitude", "x", "经度")
LAT_NAMES: Final = ("lat", "latitude", "y", "纬度")


def read_layer(path: Path, *, layer: str | None = None, crs: str = "auto") -> gpd.GeoDataFrame:
    """A layer with geometry, in its own CRS; GCJ-02 and BD-09 come out as WGS 84.

    Raises
    ------
    BadInput
        No geometry, or no CRS declared and none given.
    """
    table = read(path, layer=layer)
    if table.geometry is None:
        raise BadInput(
            Problem(
                "the file has no geometry",
                "Give a GeoPackage, GeoJSON, Shapefile or GeoParquet",
                source=path.name,
            )
        )
    geometry = table.geometry
    if crs.lower() in SHIFTED:
        return gpd.GeoDataFrame(table.frame, geometry=to_wgs84_geometry(geometry, crs), crs=4326)
    declared = table.crs if crs == "auto" else parse_crs(crs).definition
    if declared is None:
        raise BadInput(
            Problem(
                "the file names no coordinate system",
                "Save it with the system its coordinates are in; a Shapefile keeps it in the .prj",
                source=path.name,
            )
        )
    return gpd.GeoDataFrame(table.frame, geometry=geometry, crs=declared)


def read_points(
    path: Path, *, lon: str | None, lat: str | None, crs: str, layer: str | None = None
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of a file of points, and their WGS 84 longitudes and latitudes (NaN: none)."""
    table = read(path, layer=layer)
    if lon is None and lat is None and table.geometry is not None:
        points = table.geometry
        other = {
            shape.geom_type for shape in points if shape is not None and shape.geom_type != "Point"
        }
        if other:
            raise BadInput(
                Problem(
                    f"points are wanted, there are {', '.join(sorted(other))}", source=path.name
                )
            )
        system = table.crs if crs == "auto" and table.crs else ("wgs84" if crs == "auto" else crs)
        x, y = shapely.get_x(points), shapely.get_y(points)
    else:
        system = "wgs84" if crs == "auto" else crs
        x = _numbers(table, path, lon, LON_NAMES, "--lon")
        y = _numbers(table, path, lat, LAT_NAMES, "--lat")
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


def _numbers(
    table: Table, path: Path, name: str | None, guesses: tuple[str, ...], option: str
) -> np.ndarray:
    names = {str(column).lower(): column for column in table.frame.columns}
    wanted = [name.lower()] if name else list(guesses)
    for each in wanted:
        if each in names:
            column = table.frame[names[each]]
            numbers = pd.to_numeric(column, errors="coerce")
            text = column.notna() & numbers.isna() & (column.astype(str).str.strip() != "")
            if text.any():
                raise BadInput(
                    Problem(f"'{column[row]}' is no number", "Mend it, or leave it empty",
                            source=path.name, row=place + 1, field=str(names[each]))
                    for place, row in enumerate(column.index) if text[row]
                )  # fmt: skip
            return numbers.to_numpy(float)
    raise BadInput(
        Problem(
            f"there is no column {name or ' or '.join(guesses[:4])}",
            f"Name it with {option}; there are: {', '.join(map(str, table.frame.columns))}",
            source=path.name,
        )
    )


def write_layer(frame: gpd.GeoDataFrame, path: Path, *, layer: str) -> None:
    """Write a layer; the file appears whole or not at all.

    Raises
    ------
    BadInput
        The ending names no format that is written.
    """
    flat = frame.copy()
    for column in flat.columns:
        if column != flat.geometry.name and flat[column].map(type).eq(list).any():
            flat[column] = flat[column].map(lambda items: ",".join(map(str, items)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        match path.suffix.lower():
            case ".gpkg":
                pyogrio.write_dataframe(flat, fresh, layer=layer, driver="GPKG")
            case ".geojson":
                pyogrio.write_dataframe(
                    flat.to_crs(4326), fresh, layer=layer, driver="GeoJSON", RFC7946="YES"
                )
            case ".parquet":
                frame.to_parquet(fresh)
            case ".csv":
                flat.drop(columns=flat.geometry.name).to_csv(
                    fresh, index=False, encoding="utf-8-sig"
                )
            case other:
                raise BadInput(
                    Problem(
                        f"cannot write '{other}'",
                        f"Use one of: {', '.join(WRITERS)}",
                        source=path.name,
                    )
                )


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write rows without geometry as CSV or Parquet, by the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        if path.suffix.lower() == ".csv":
            frame.to_csv(fresh, index=False, encoding="utf-8-sig")
        elif path.suffix.lower() == ".parquet":
            frame.to_parquet(fresh, index=False)
        else:
            raise BadInput(
                Problem(f"cannot write '{path.suffix}'", "Use .csv or .parquet", source=path.name)
            )
