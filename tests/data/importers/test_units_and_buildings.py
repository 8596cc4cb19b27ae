"""The shortest path: units and buildings of a place, tried, written, imported again."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from data.importers.report import Report
from data.importers.run import run_import
from gis.database import Database, execute

TOWN = "990001001"


# Two villages side by side, and four houses, one on the line between them.
UNITS = gpd.GeoDataFrame(
    {"bh": ["1", "2"], "名称": ["东村", "西村"]},
    geometry=[shapely.box(110, 40, 110.01, 40.01), shapely.box(110.01, 40, 110.02, 40.01)],
    crs="EPSG:4326",
)
HOUSES = gpd.GeoDataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "户数": [3, 12, 0, 1],
        "地址": ["东村1号", None, "西村2号", "村外"],
    },
    geometry=shapely.points(
        [[110.005, 40.005], [110.01, 40.005], [110.015, 40.005], [110.03, 40.005]]
    ),
    crs="EPSG:4326",
)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A GeoPackage with a layer of each."""
    path = tmp_path / "town.gpkg"
    UNITS.to_file(path, layer="units", driver="GPKG")
    HOUSES.to_file(path, layer="buildings", driver="GPKG")
    return path


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The villages in a file that needs no process for GDAL."""
    path = tmp_path / "units.parquet"
    UNITS.to_parquet(path)
    return path


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """The houses in a table, as most offices have them."""
    path = tmp_path / "houses.csv"
    _write(HOUSES, path)
    return path


def _write(houses: gpd.GeoDataFrame, path: Path) -> None:
    places = pd.DataFrame({"经度": houses.geometry.x, "纬度": houses.geometry.y})
    pd.concat([houses.drop(columns="geometry"), places], axis=1).to_csv(path, index=False)


def _units(database: Database, path: Path, **more: object) -> Report:
    told = {"parent": TOWN, "mapping": {"code": "bh"}, **more}
    return run_import("units", path, database=database, **told)  # type: ignore[arg-type]


def test_nothing_is_written_without_commit(database: Database, units: Path) -> None:
    report = _units(database, units)
    assert (report.read, report.kept, report.new, report.committed) == (2, 2, 2, False)
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) FROM admin_units").scalar_one() == 0
        assert execute(session, "SELECT count(*) FROM imports").scalar_one() == 0


def test_commit_writes_the_records_the_import_and_the_audit(database: Database, town: Path) -> None:
    assert _units(database, town, commit=True, actor="planner").committed
    report = run_import("buildings", town, database=database, commit=True, actor="planner")
    assert (report.new, report.changed, report.unchanged) == (4, 0, 0)
    with database.transaction() as session:
        units = execute(session, "SELECT code, name FROM admin_units ORDER BY code").all()
        assert units == [(f"{TOWN}001", "东村"), (f"{TOWN}002", "西村")]
        # The house on the line belongs to the lower code; the one outside to none.
        houses = execute(
            session, "SELECT external_id, households, unit_code FROM buildings ORDER BY external_id"
        ).all()
        assert houses == [
            ("a", 3, f"{TOWN}001"),
            ("b", 12, f"{TOWN}001"),
            ("c", 0, f"{TOWN}002"),
            ("d", 1, None),
        ]
        imports = execute(
            session, "SELECT kind, file_name, actor, kept, rejected FROM imports ORDER BY id"
        ).all()
        assert imports == [
            ("units", "town.gpkg", "planner", 2, 0),
            ("buildings", "town.gpkg", "planner", 4, 0),
        ]
        audited = execute(session, "SELECT actor, action FROM audit_log").all()
        assert audited == [("planner", "import")] * 2


def test_importing_again_changes_nothing(database: Database, units: Path, houses: Path) -> None:
    for times, expected in enumerate(((True, False), (False, True))):
        for report in (
            _units(database, units, commit=True),
            run_import("buildings", houses, database=database, commit=True),
        ):
            found = (report.new == report.read, report.unchanged == report.read)
            assert found == expected, (times, report.kind)
            assert report.changed == 0


def test_a_changed_row_is_updated_and_counted(
    database: Database, units: Path, houses: Path
) -> None:
    _units(database, units, commit=True)
    run_import("buildings", houses, database=database, commit=True)
    changed = HOUSES.copy()
    changed.loc[changed["id"] == "c", "户数"] = 7
    _write(changed[changed["id"] != "a"], houses)
    report = run_import("buildings", houses, database=database, commit=True)
    assert (report.new, report.changed, report.unchanged, report.absent) == (0, 1, 2, 1)
    with database.transaction() as session:
        assert execute(session, "SELECT sum(households) FROM buildings").scalar_one() == 23
