"""The shortest path: units and buildings of a GeoPackage, tried, written, imported again."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from data.importers.run import run_import
from gis.database import Database, execute

TOWN = "990001001"


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Two villages side by side and four houses, one on the line between them."""
    path = tmp_path / "town.gpkg"
    gpd.GeoDataFrame(
        {"bh": ["1", "2"], "名称": ["东村", "西村"]},
        geometry=[shapely.box(110, 40, 110.01, 40.01), shapely.box(110.01, 40, 110.02, 40.01)],
        crs="EPSG:4326",
    ).to_file(path, layer="units", driver="GPKG")
    gpd.GeoDataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "户数": [3, 12, 0, 1],
            "地址": ["东村1号", None, "西村2号", "村外"],
        },
        geometry=shapely.points(
            [[110.005, 40.005], [110.01, 40.005], [110.015, 40.005], [110.03, 40.005]]
        ),
        crs="EPSG:4326",
    ).to_file(path, layer="buildings", driver="GPKG")
    return path


def _units(database: Database, town: Path, **more: object) -> object:
    return run_import("units", town, parent=TOWN, mapping={"code": "bh"}, database=database, **more)


def test_nothing_is_written_without_commit(database: Database, town: Path) -> None:
    report = _units(database, town)
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


def test_importing_again_changes_nothing(database: Database, town: Path) -> None:
    for kind, told in (("units", {"code": "bh"}), ("buildings", None)):
        parent = TOWN if kind == "units" else None
        for expected in ((True, False), (False, True)):
            report = run_import(
                kind, town, parent=parent, mapping=told, database=database, commit=True
            )
            assert (report.new == report.read, report.unchanged == report.read) == expected
            assert report.changed == 0


def test_a_changed_row_is_updated_and_counted(database: Database, town: Path) -> None:
    _units(database, town, commit=True)
    run_import("buildings", town, database=database, commit=True)
    houses = gpd.read_file(town, layer="buildings")
    houses.loc[houses["id"] == "c", "户数"] = 7
    houses[houses["id"] != "a"].to_file(town, layer="buildings", driver="GPKG")
    report = run_import("buildings", town, database=database, commit=True)
    assert (report.new, report.changed, report.unchanged, report.absent) == (0, 1, 2, 1)
    with database.transaction() as session:
        assert execute(session, "SELECT sum(households) FROM buildings").scalar_one() == 23
