"""Files of real places, as dirty as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from data.importers.run import run_import
from gis.database import Database, execute
from gis.errors import BadInput

pytestmark = pytest.mark.real


def _counties(database: Database) -> dict[str, shapely.Geometry]:
    with database.transaction() as session:
        return {
            row.code: shapely.from_wkb(bytes(row.wkb))
            for row in execute(
                session,
                "SELECT code, ST_AsBinary(geom) AS wkb FROM admin_units "
                "WHERE level = 6 AND geom IS NOT NULL",
            )
        }


def test_codes_and_boundaries_make_one_tree_with_chinese_names(
    database: Database, real_data: Path
) -> None:
    codes = real_data / "cn_division_codes" / "villages.csv.gz"
    shapes = real_data / "cn_boundaries" / "counties_amap_wgs84.geojson.gz"
    named = run_import("units", codes, database=database, commit=True)
    assert (named.read, named.rejected) == (6626, 0)
    placed = run_import("units", shapes, database=database, commit=True)
    assert (placed.read, placed.rejected) == (116, 0)
    with database.transaction() as session:
        by_level = dict(
            execute(
                session, "SELECT level, count(*) AS n FROM admin_units GROUP BY 1 ORDER BY 1"
            ).all()
        )
        assert by_level[12] == 6626
        assert by_level[6] >= 116
        row = execute(
            session,
            "SELECT c.name AS county, t.name AS town, c.geom IS NOT NULL AS placed, v.name "
            "FROM admin_units v JOIN admin_units t ON t.code = v.parent_code "
            "JOIN admin_units c ON c.code = t.parent_code WHERE v.code = '150102001001'",
        ).one()
        assert tuple(row) == ("新城区", "海拉尔东路街道", True, "公主府社区居委会")
        counties = execute(
            session, "SELECT count(*) FROM admin_units WHERE level = 6 AND geom IS NOT NULL"
        ).scalar_one()
        assert counties == 116
    again = run_import("units", codes, database=database)
    assert (again.new, again.changed) == (0, 0)
    again = run_import("units", shapes, database=database)
    assert (again.new, again.changed) == (0, 0)


@pytest.mark.slow
def test_gcj02_marked_as_wgs84_is_refused_and_lands_when_told(
    database: Database, real_data: Path
) -> None:
    folder = real_data / "cn_boundaries"
    true = folder / "counties_amap_wgs84.geojson.gz"
    shifted = folder / "counties_amap_gcj02.geojson.gz"
    run_import("units", true, database=database, commit=True)
    before = _counties(database)
    with pytest.raises(BadInput, match="looks GCJ-02") as refused:
        run_import("units", shifted, database=database, commit=True)
    assert "--crs gcj02" in str(refused.value)
    assert "--crs wgs84 to insist" in str(refused.value)
    assert _counties(database) == before

    insisted = run_import("units", shifted, crs="wgs84", database=database)
    assert any("looks GCJ-02" in group for group in insisted.counts_by_group("warned"))

    run_import("units", shifted, crs="gcj02", database=database, commit=True)
    after = _counties(database)
    assert after.keys() == before.keys()
    medians = []
    for code, shape in after.items():
        # Every tenth vertex: a median of hundreds is as sharp as one of thousands.
        points = shapely.points(shapely.get_coordinates(shape)[::10])
        scale = 111_320 * np.cos(np.radians(shape.centroid.y))
        degrees = shapely.distance(points, shapely.boundary(before[code]))
        medians.append(float(np.median(degrees)) * scale)
    assert np.median(medians) < 1.0


def test_gcj02_is_recognised_against_a_file_without_a_database(real_data: Path) -> None:
    folder = real_data / "cn_boundaries"
    with pytest.raises(BadInput, match="looks GCJ-02"):
        run_import(
            "units",
            folder / "counties_amap_gcj02.geojson.gz",
            against=folder / "counties_tianditu_cgcs2000.geojson.gz",
        )


@pytest.mark.slow
def test_houston_is_imported_whole_and_the_unplaced_are_kept(
    database: Database, real_data: Path
) -> None:
    path = real_data / "incidents_houston" / "crime_2010.parquet"
    told = {"category": "=crime"}
    report = run_import(
        "incidents", path, county="482010", mapping=told, timezone="UTC", database=database,
        commit=True,
    )  # fmt: skip
    assert (report.read, report.kept, report.new) == (85_936, 85_936, 85_936)
    assert report.counts_by_group("warned")["there is no position; the row's place is looked for "
                                            "by its address"] == 5  # fmt: skip
    assert report.review["no_place"] == 5
    with database.transaction() as session:
        row = execute(
            session,
            "SELECT min(reported_at) AS first, count(*) FILTER (WHERE geom IS NULL) AS unplaced, "
            "count(DISTINCT external_id) AS ids FROM incidents",
        ).one()
        assert row.first.isoformat() == "2010-01-01T06:00:00+00:00"
        assert (row.unplaced, row.ids) == (5, 85_936)
    again = run_import(
        "incidents", path, county="482010", mapping=told, timezone="UTC", database=database
    )
    assert (again.new, again.unchanged) == (0, 85_936)


@pytest.mark.parametrize(
    ("place", "file", "buildings", "cameras"),
    [
        pytest.param(
            "osm_san_francisco", "san_francisco.osm.pbf", 7_500, 59, marks=pytest.mark.slow
        ),
        ("osm_monaco", "monaco.osm.pbf", 1_200, 14),
    ],
)
def test_openstreetmap_extracts(
    database: Database, real_data: Path, place: str, *, file: str, buildings: int, cameras: int
) -> None:
    path = real_data / place / file
    told = {"county": "990009", "database": database, "commit": True}
    houses = run_import("buildings", path, **told)
    assert houses.new is not None
    assert houses.new > buildings
    assert run_import("cameras", path, **told).new == cameras
    lines = run_import("barriers", path, **told)
    assert lines.rejected == 0
    with database.transaction() as session:
        kinds = dict(execute(session, "SELECT kind, count(*) FROM barriers GROUP BY 1").all())
        assert {"street", "arterial", "wall"} <= set(kinds)
        # Monaco's railway is all in tunnels; San Francisco's crosses streets in the open.
        assert (kinds.get("rail", 0) > 0) == (place == "osm_san_francisco")
        assert (kinds.get("bridge", 0) > 0) == (place == "osm_san_francisco")
        # A crossing lies on what it crosses, or the planner would not find it.
        strays = execute(
            session,
            "SELECT count(*) FROM barriers b WHERE kind = 'bridge' AND NOT EXISTS (SELECT 1 "
            "FROM barriers l WHERE l.kind IN ('river', 'rail') "
            "AND ST_DWithin(b.geom, l.geom, 1e-9))",
        ).scalar_one()
        assert strays == 0
        floors, addressed = execute(
            session, "SELECT count(floors), count(address) FROM buildings"
        ).one()
        assert floors > 100
        assert addressed > 100
        assert execute(session, "SELECT sum(households) FROM buildings").scalar_one() == 0
    for kind in ("buildings", "cameras", "barriers"):
        again = run_import(kind, path, **told)
        assert (again.new, again.changed) == (0, 0)


def test_cambridge_parcels_units_and_bridges(database: Database, real_data: Path) -> None:
    path = real_data / "town_cambridge" / "cambridge.gpkg"
    told = {"database": database, "commit": True}
    units = run_import(
        "units", path, layer="neighborhoods", parent="990001001",
        mapping={"code": "N_HOOD", "name": "NAME"}, **told,
    )  # fmt: skip
    assert (units.new, units.rejected) == (13, 0)
    report = run_import(
        "buildings", path, layer="parcels_units_fy2014",
        mapping={"id": "ML", "households": "units", "kind": "use_desc"}, **told,
    )  # fmt: skip
    # 37 invalid polygons: the ones that only touch themselves are mended, the others named.
    repaired = report.counts_by_group("repaired")
    rejected = report.counts_by_group("rejected")
    mended = repaired["the polygon was invalid and was mended without changing its area"]
    crossed = rejected["the polygon crosses itself or is degenerate"]
    assert mended + crossed == 37
    assert report.rejected < 20
    with database.transaction() as session:
        found = execute(
            session,
            "SELECT sum(households) AS homes, count(*) FILTER (WHERE unit_code IS NULL) AS nowhere "
            "FROM buildings",
        ).one()
    assert 40_000 < found.homes <= 40_679
    assert found.nowhere < 100
    for layer, kind in (("water", "river"), ("rail", "rail"), ("street_centerlines", "street")):
        lines = run_import("barriers", path, layer=layer, mapping={"kind": f"={kind}"},
                           source=layer, **told)  # fmt: skip
        assert lines.rejected == 0
    bridges = run_import("bridges", path, layer="bridges", mapping={"kind": "=bridge"},
                         source="bridges", **told)  # fmt: skip
    assert bridges.new is not None
    assert bridges.new > 40


def test_mara_tracks(database: Database, real_data: Path) -> None:
    path = real_data / "patrol_tracks_mara" / "patrol_fixes_2024.parquet"
    report = run_import("tracks", path, county="990002", database=database, commit=True)
    assert report.read == 32_145
    assert report.new == report.kept - sum(
        n for group, n in report.counts_by_group("repaired").items() if "repeats" in group
    )
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) FROM patrols").scalar_one() == 18
        # Every fix is in the partition of its month.
        assert execute(session, "SELECT count(*) FROM track_fixes_other").scalar_one() == 0
        assert (
            execute(session, "SELECT count(*) FROM track_fixes_202401").scalar_one() == report.new
        )
