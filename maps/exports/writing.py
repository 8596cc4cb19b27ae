"""A table as a file: CSV, Excel, GeoJSON or GeoPackage, each with its mark."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import pandas as pd
import shapely
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maps.exports.collections import Table

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",
    "gpkg": "application/geopackage+sqlite3",
}
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\0")
MARK: Final = "export_mark"


def write(table: Table, form: str, mark: Mapping[str, str]) -> bytes:
    """The bytes of a file.

    Parameters
    ----------
    mark
        What the file says of itself: who took it along, when, what for. It stands in the file's
        metadata, and its ``id`` in a column of every row.

    Raises
    ------
    BadInput
        A map format of a table without places.
    """
    if form in {"geojson", "gpkg"} and len(table.wkb) != len(table.rows):
        raise BadInput(
            Problem(
                "these rows have no places, or none that you may see: there is nothing to map",
                "Ask for csv or xlsx",
                field="format",
            )
        )
    return {"csv": _csv, "xlsx": _xlsx, "geojson": _geojson, "gpkg": _gpkg}[form](table, mark)


def safe_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula (ASVS 1.2.10)."""
    plain = _plain(value)
    if isinstance(plain, str) and plain.startswith(FORMULA_STARTS):
        return f"'{plain}"
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _places(table: Table) -> tuple[list[float | None], list[float | None]]:
    """Longitude and latitude of each row's inner point."""
    points = shapely.point_on_surface(shapely.from_wkb(list(table.wkb)))
    return (
        [None if point is None else float(shapely.get_x(point)) for point in points],
        [None if point is None else float(shapely.get_y(point)) for point in points],
    )


def _flat(table: Table, mark: Mapping[str, str]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows with places as numbers and the mark at the end."""
    columns = [*table.columns]
    rows = [[safe_cell(value) for value in row] for row in table.rows]
    if table.wkb:
        columns += ["lon", "lat"]
        for row, lon, lat in zip(rows, *_places(table), strict=True):
            row += [lon, lat]
    columns.append(MARK)
    for row in rows:
        row.append(mark["id"])
    return columns, rows


def _csv(table: Table, mark: Mapping[str, str]) -> bytes:
    text = io.StringIO(newline="")
    columns, rows = _flat(table, mark)
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    # Excel takes a file without this mark for GBK, and breaks its Chinese.
    return text.getvalue().encode("utf-8-sig")


def _xlsx(table: Table, mark: Mapping[str, str]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")
    columns, rows = _flat(table, mark)
    for values in (columns, *rows):
        cells = []
        for value in values:
            cell = WriteOnlyCell(sheet, value=value)
            if isinstance(value, str):
                # Said outright: openpyxl would guess a formula from a leading sign.
                cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    about = book.create_sheet("about")
    for name, value in mark.items():
        about.append([name, safe_cell(value)])
    for note in table.notes:
        about.append(["note", note])
    book.properties.creator, book.properties.title = "wangge", f"export {mark['id']}"
    book.properties.description = json.dumps(dict(mark), ensure_ascii=False)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _frame(table: Table, mark: Mapping[str, str]) -> gpd.GeoDataFrame:
    rows = [[_plain(value) for value in row] for row in table.rows]
    frame = pd.DataFrame(rows, columns=list(table.columns)).assign(**{MARK: mark["id"]})
    return gpd.GeoDataFrame(frame, geometry=shapely.from_wkb(list(table.wkb)), crs=4326)


def _geojson(table: Table, mark: Mapping[str, str]) -> bytes:
    document = json.loads(_frame(table, mark).to_json(drop_id=True))
    # WGS 84 is the standard's own system; naming it is of the old one.
    document.pop("crs", None)
    document["wangge_export"] = {**mark, "notes": list(table.notes)}
    return json.dumps(document, ensure_ascii=False).encode()


def _gpkg(table: Table, mark: Mapping[str, str]) -> bytes:
    about = {**mark, **{f"note_{n}": note for n, note in enumerate(table.notes, 1)}}
    with tempfile.TemporaryDirectory(prefix="wangge-export-") as folder:
        path = Path(folder) / "export.gpkg"
        _frame(table, mark).to_file(
            path, layer=mark["collection"], engine="pyogrio", driver="GPKG",
            dataset_metadata=about, layer_metadata=about,
        )  # fmt: skip
        return path.read_bytes()
