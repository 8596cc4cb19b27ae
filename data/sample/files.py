"""The demo place as files, in the formats and with the headers that users bring."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyogrio

from data.sample.place import DemoPlace

NOTE: Final = "虚构示范数据，与任何真实地方无关 / invented demo data, no real place"
# One moment for every file, so that the same place gives the same bytes.
_STAMP: Final = "2026-01-01T00:00:00Z"

CAMERA_HEADERS: Final = {
    "id": "编号", "name": "名称", "lon": "经度", "lat": "纬度", "heading_deg": "朝向角",
    "hfov_deg": "视场角", "range_m": "可视距离", "height_m": "高度", "tilt_deg": "俯仰角",
    "kind": "类型", "status": "状态", "category": "类别", "measured": "测定方式",
}  # fmt: skip
WORKER_HEADERS: Final = {
    "id": "编号", "name": "姓名", "role": "角色", "grid": "网格", "building": "楼栋",
    "route": "巡逻路线", "primary": "主责", "employment": "专兼职", "valid_from": "开始日期",
    "valid_to": "结束日期", "leave_from": "请假开始", "leave_to": "请假结束", "deputy": "代理人",
    "note": "备注",
}  # fmt: skip
# The words that stand in the cells of the two Chinese files, by column and canonical value.
CHINESE_VALUES: Final[dict[str, dict[str, str]]] = {
    "kind": {"fixed": "枪机", "ptz": "球机"},
    "status": {"online": "在线", "offline": "离线"},
    "measured": {"measured": "实测", "assumed": "估计"},
    "category": {
        "traffic": "道路交通", "residential": "居民小区", "village": "嘎查村", "market": "商铺市场",
        "border": "边境", "public_security": "公共安全", "school": "学校周边",
    },
    "role": {
        "grid_worker": "网格员", "deputy": "副网格员", "grid_head": "网格长",
        "building_head": "楼栋长", "border_guard": "护边员",
    },
    "primary": {"yes": "是", "no": "否"},
    "employment": {"full": "专职", "part": "兼职"},
}  # fmt: skip


def write(place: DemoPlace, folder: Path) -> dict[str, Path]:
    """Write the demo place into a folder, which is made when it is not there.

    Returns
    -------
    The file of each importer kind: units, buildings, places, barriers (layers `lines` and
    `bridges`),
    borders, routes and checkpoints (layers of one file), cameras, incidents, tracks. The same
    place gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _fixed_date():
        files = {
            "units": _geopackage(folder / "units.gpkg", {"units": place.units}),
            "buildings": _geopackage(folder / "buildings.gpkg", {"buildings": place.buildings}),
            "barriers": _geopackage(
                folder / "barriers.gpkg", {"lines": place.lines, "bridges": place.bridges}
            ),
            "routes": _geopackage(
                folder / "routes.gpkg", {"routes": place.routes, "checkpoints": place.checkpoints}
            ),
            "places": _geopackage(folder / "places.gpkg", {"places": place.places}),
        }
        borders = folder / "borders.geojson"
        pyogrio.write_dataframe(place.borders, borders, driver="GeoJSON", layer="borders")
    files["checkpoints"] = files["routes"]
    files["borders"] = borders
    files["cameras"] = _workbook(place.cameras, CAMERA_HEADERS, "摄像头", folder / "cameras.xlsx")
    for kind, frame, encoding in (
        ("incidents", place.incidents, "utf-8-sig"),
        ("tracks", place.tracks, "utf-8"),
    ):
        files[kind] = folder / f"{kind}.csv"
        write_table(frame, files[kind], encoding=encoding)
    return files


def write_table(frame: pd.DataFrame, path: Path, *, encoding: str = "utf-8") -> None:
    """Write a table as CSV."""
    frame.to_csv(path, index=False, encoding=encoding, lineterminator="\n")


def write_workers(frame: pd.DataFrame, path: Path) -> Path:
    """Write what `data.sample.people.workers` gives as a workbook with Chinese headers."""
    return _workbook(frame, WORKER_HEADERS, "网格员", path)


@contextmanager
def _fixed_date() -> Iterator[None]:
    """GDAL writes this date into a GeoPackage instead of today's."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _STAMP})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _geopackage(path: Path, layers: dict[str, gpd.GeoDataFrame]) -> Path:
    """One GeoPackage with these layers, replacing what was there."""
    path.unlink(missing_ok=True)
    for number, (layer, frame) in enumerate(layers.items()):
        pyogrio.write_dataframe(
            frame,
            path,
            driver="GPKG",
            layer=layer,
            append=number > 0,
            layer_options={"DESCRIPTION": NOTE, "GEOMETRY_NAME": "geom"},
        )
    return path


def _workbook(frame: pd.DataFrame, headers: dict[str, str], sheet: str, path: Path) -> Path:
    """A workbook of one sheet, ids and codes as text so that no leading zero is lost."""
    table = frame[list(headers)].copy()
    for column, words in CHINESE_VALUES.items():
        if column in table and column in headers:
            table[column] = table[column].map(lambda value, words=words: words.get(value, value))
    table = table.rename(columns=headers)
    memory = io.BytesIO()
    with pd.ExcelWriter(memory, engine="openpyxl") as writer:
        table.to_excel(writer, sheet_name=sheet, index=False)
        writer.sheets[sheet].freeze_panes = "A2"
        writer.book.properties.title = NOTE
    _write_undated(memory, path)
    return path


def _write_undated(memory: Any, path: Path) -> None:
    """Copy a workbook without the times of its making, which openpyxl always writes."""
    with (
        zipfile.ZipFile(memory) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", _STAMP.encode(), content)
            plain = zipfile.ZipInfo(entry.filename, date_time=(2026, 1, 1, 0, 0, 0))
            plain.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(plain, content)
