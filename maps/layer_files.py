"""Layers and lists as files: whole or not at all, in the formats that others open."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyogrio
from openpyxl.utils import get_column_letter
from pyogrio.errors import DataLayerError, DataSourceError

from gis.errors import BadInput, Problem
from grids.plans.comparison import LETTER
from maps.exports.writing import MEDIA_TYPES as EXPORTED
from maps.exports.writing import safe_cell
from maps.output import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import geopandas as gpd

WRITERS: Final = (".gpkg", ".geojson", ".shp", ".shz", ".zip", ".parquet", ".csv")
SHEETS: Final = (".csv", ".xlsx")
MEDIA_TYPES: Final[Mapping[str, str]] = {
    **EXPORTED,
    "shz": "application/zip",
    "zip": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}
# Of a Shapefile, whose names have ten letters at the most.
SHORT_NAMES: Final = {"compactness": "compact", "building_ids": "buildings_"}
SHAPEFILE: Final = {"driver": "ESRI Shapefile", "layer_options": {"ENCODING": "UTF-8"}}
NAME_BYTES, TEXT_BYTES = 10, 254
"""What a Shapefile holds of a name and of a text."""
LETTER_ZH: Final = {
    "building": "楼栋编号", "name": "名称", "address": "地址", "households": "户数",
    "from_grid": "原网格", "from_worker": "原网格员", "to_grid": "新网格", "to_worker": "新网格员",
}  # fmt: skip
WIDTHS: Final = {"name": 24, "address": 36, "households": 16}


def write_layer(frame: gpd.GeoDataFrame, path: Path, *, layer: str) -> None:
    """Write a layer; the file appears whole or not at all.

    Raises
    ------
    BadInput
        The ending names no format that is written, the format cannot hold a text, or there is no
        room or no right to write it.
    """
    flat = frame.copy()
    for column in flat.columns:
        if column != flat.geometry.name and flat[column].map(type).eq(list).any():
            flat[column] = flat[column].map(lambda items: ",".join(map(str, items)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _told(path), replacing(path) as fresh:
        match path.suffix.lower():
            case ".gpkg":
                pyogrio.write_dataframe(flat, fresh, layer=layer, driver="GPKG")
            case ".geojson":
                pyogrio.write_dataframe(
                    flat.to_crs(4326), fresh, layer=layer, driver="GeoJSON", RFC7946="YES"
                )
            case ".shp":  # several files: the one that is opened comes last
                with tempfile.TemporaryDirectory(dir=path.parent, prefix=".shapefile-") as folder:
                    made = Path(folder) / path.name
                    pyogrio.write_dataframe(_for_shapefile(flat, path), made, **SHAPEFILE)
                    for part in sorted(made.parent.iterdir(), key=lambda each: each == made):
                        part.replace(fresh if part == made else path.with_suffix(part.suffix))
            case ".shz" | ".zip":  # in one file, which QGIS and GDAL open as it is
                whole = fresh.with_name(f"{fresh.name}.shz")
                pyogrio.write_dataframe(_for_shapefile(flat, path), whole, layer=layer, **SHAPEFILE)
                whole.replace(fresh)
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


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say which file it was that GDAL could not write."""
    try:
        yield
    except (DataSourceError, DataLayerError) as error:
        remedy = "Choose a folder that you may write to, with room on its disk"
        raise BadInput(Problem(f"it cannot be written: {error}", remedy, path.name)) from error


def _for_shapefile(frame: gpd.GeoDataFrame, path: Path) -> gpd.GeoDataFrame:
    """A layer with names of ten bytes, cut between letters; texts that would be cut are refused."""
    short: dict[str, str] = {}
    for column in frame.columns.drop(frame.geometry.name):
        name = str(SHORT_NAMES.get(column, column))
        cut = name.encode()[:NAME_BYTES].decode(errors="ignore")
        number = 1
        while cut in short.values():
            number += 1
            end = str(number)
            cut = name.encode()[: NAME_BYTES - len(end)].decode(errors="ignore") + end
        short[column] = cut
    problems = [
        Problem(
            f"{len(text.encode()):,} bytes of text, and a Shapefile holds {TEXT_BYTES}",
            "Write a GeoPackage (.gpkg)",
            path.name,
            row,
            str(column),
        )
        for column in short
        for row, text in enumerate(frame[column], start=1)
        if isinstance(text, str) and len(text.encode()) > TEXT_BYTES
    ]
    if problems:
        raise BadInput(problems[:1000])
    return frame.rename(columns=short)


def write_letters(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the list that letters to workers are written from, as .csv or .xlsx.

    Parameters
    ----------
    rows
        As `grids.plans.comparison.letters` gives them.
    """
    cells = [[row[name] for name in LETTER] for row in rows]
    table = pd.DataFrame(cells, columns=[f"{LETTER_ZH[name]} {name}" for name in LETTER])
    if path.suffix.lower() == ".csv":
        write_sheet(table, path)
        return
    with replacing(path) as fresh, pd.ExcelWriter(fresh, engine="openpyxl") as book:
        name = "调整通知 letters"
        _safe(table).to_excel(book, index=False, sheet_name=name, freeze_panes=(1, 0))
        sheet = book.sheets[name]
        sheet.auto_filter.ref = sheet.dimensions
        for number, column in enumerate(LETTER, start=1):
            sheet.column_dimensions[get_column_letter(number)].width = WIDTHS.get(column, 20)


def write_sheet(table: pd.DataFrame, path: Path) -> None:
    """Write a list as .csv or .xlsx, in which no text is taken for a formula."""
    with replacing(path) as fresh:
        _sheet(table, fresh)


def _sheet(table: pd.DataFrame, path: Path) -> None:
    safe = _safe(table)
    if path.suffix.lower() == ".csv":
        # Excel takes a file without this mark for GBK, and breaks its Chinese.
        safe.to_csv(path, index=False, encoding="utf-8-sig")
    else:
        safe.to_excel(path, index=False)


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda each: safe_cell(each) if isinstance(each, str) else each)


def as_bytes(write: Callable[[Path], None], ending: str) -> bytes:
    """What would be in a file with that ending."""
    with tempfile.TemporaryDirectory(prefix="wangge-layer-") as folder:
        path = Path(folder) / f"layer{ending}"
        write(path)
        return path.read_bytes()
