"""Layers and lists as files: whole or not at all, in the formats that others open."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyogrio

from gis.errors import BadInput, Problem
from maps.exports.writing import MEDIA_TYPES as EXPORTED
from maps.exports.writing import safe_cell
from maps.output import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import geopandas as gpd
    import pandas as pd

WRITERS: Final = (".gpkg", ".geojson", ".shz", ".parquet", ".csv")
SHEETS: Final = (".csv", ".xlsx")
MEDIA_TYPES: Final[Mapping[str, str]] = {
    **EXPORTED,
    "shz": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}
# Of a Shapefile, whose names have ten letters at the most.
SHORT_NAMES: Final = {"compactness": "compact", "building_ids": "buildings_"}


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
            case ".shz":  # a Shapefile in one file, which QGIS and GDAL open as it is
                pyogrio.write_dataframe(
                    flat.rename(columns=SHORT_NAMES), fresh, layer=layer, driver="ESRI Shapefile",
                    layer_options={"ENCODING": "UTF-8"},
                )  # fmt: skip
            case ".parquet":
                frame.to_parquet(fresh)
            case ".csv":
                _sheet(flat.drop(columns=flat.geometry.name), fresh)
            case other:
                raise BadInput(
                    Problem(
                        f"cannot write '{other}'",
                        f"Use one of: {', '.join(WRITERS)}",
                        source=path.name,
                    )
                )


def write_sheet(table: pd.DataFrame, path: Path) -> None:
    """Write a list as .csv or .xlsx, in which no text is taken for a formula."""
    with replacing(path) as fresh:
        _sheet(table, fresh)


def _sheet(table: pd.DataFrame, path: Path) -> None:
    safe = table.map(lambda each: safe_cell(each) if isinstance(each, str) else each)
    if path.suffix.lower() == ".csv":
        # Excel takes a file without this mark for GBK, and breaks its Chinese.
        safe.to_csv(path, index=False, encoding="utf-8-sig")
    else:
        safe.to_excel(path, index=False)


def as_bytes(write: Callable[[Path], None], ending: str) -> bytes:
    """What would be in a file with that ending."""
    with tempfile.TemporaryDirectory(prefix="wangge-layer-") as folder:
        path = Path(folder) / f"layer{ending}"
        write(path)
        return path.read_bytes()
