"""What is written is what was built, the same bytes each time, with the headers users bring."""

from __future__ import annotations

import hashlib
from datetime import date

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest

from data.sample import build, workers, write, write_workers
from data.sample.files import CAMERA_HEADERS, NOTE, WORKER_HEADERS

KINDS = {
    "units", "buildings", "barriers", "borders", "routes", "checkpoints", "cameras", "incidents",
    "tracks", "places",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(place, tmp_path_factory):
    return write(place, tmp_path_factory.mktemp("demo") / "made")


@pytest.fixture(scope="module")
def grids(villages):
    """Two made-up grids for each village."""
    frame = villages.rename(columns={"code": "unit"})[["unit", "geometry"]]
    halves = [frame.assign(code=frame["unit"] + f"00{n}", households=150) for n in (1, 2)]
    return gpd.GeoDataFrame(pd.concat(halves, ignore_index=True), crs="EPSG:4326")


@pytest.fixture(scope="module")
def people(grids, place):
    return workers(grids, place=place)


def test_every_kind_has_its_file(files):
    assert set(files) == KINDS
    assert all(path.stat().st_size > 1_000 for path in files.values())


def test_the_same_seed_gives_the_same_bytes(files, tmp_path):
    again = write(build(), tmp_path)
    for kind, path in files.items():
        first, second = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (path, again[kind]))
        assert first == second, kind


def test_another_seed_gives_another_place_of_the_same_kind(place):
    other = build(seed=2, until=date(2025, 12, 31))
    assert (
        not other.buildings.geometry.iloc[:50].geom_equals(place.buildings.geometry.iloc[:50]).all()
    )
    town = other.buildings[other.buildings["unit"].str.startswith("990121001")]
    assert 38_000 <= town["households_resident"].sum() <= 42_000
    assert other.incidents["reported_at"].max()[:10] <= "2025-12-31"


@pytest.mark.parametrize(
    ("kind", "layer"),
    [("units", "units"), ("buildings", "buildings"), ("places", "places"), ("barriers", "lines"),
     ("barriers", "bridges"), ("routes", "routes"), ("checkpoints", "checkpoints")],
)  # fmt: skip
def test_geopackages_read_back(files, place, kind, layer):
    frame = gpd.read_file(files[kind], layer=layer)
    expected = getattr(place, layer)
    assert frame.crs.to_epsg() == 4326
    assert len(frame) == len(expected)
    assert frame.geometry.geom_equals(expected.geometry.reset_index(drop=True)).all()
    assert (frame["source"] == "demo").all()


def test_borders_are_geojson_in_wgs84(files, place):
    info = pyogrio.read_info(files["borders"])
    assert info["driver"] == "GeoJSON"
    assert info["crs"] == "EPSG:4326"
    assert info["features"] == len(place.borders)


def test_incidents_are_utf8_with_a_mark_and_tracks_without(files, place):
    assert files["incidents"].read_bytes().startswith(b"\xef\xbb\xbf")
    assert not files["tracks"].read_bytes().startswith(b"\xef\xbb\xbf")
    header = files["incidents"].read_text("utf-8-sig").splitlines()[0]
    assert header == (
        "id,source,category,severity,text,address,lon,lat,crs,accuracy_m,occurred_at,reported_at,"
        "closed_at"
    )
    frame = pd.read_csv(files["incidents"], dtype={"id": str})
    assert len(frame) == len(place.incidents)


def test_cameras_have_chinese_headers_and_ids_as_text(files, place):
    book = openpyxl.load_workbook(files["cameras"])
    header, first, *rest = book.active.iter_rows(values_only=True)
    assert list(header) == list(CAMERA_HEADERS.values())
    assert len(rest) + 1 == len(place.cameras)
    assert isinstance(first[0], str)
    assert {row[header.index("类型")] for row in rest} == {"枪机", "球机"}
    assert book.properties.title == NOTE
    book.close()


def test_workers_cover_the_grids_with_holes_and_doubles(people, grids):
    main = people[(people["role"] == "grid_worker") & (people["primary"] == "yes")]
    assert main["grid"].is_unique
    assert set(main["grid"]) < set(grids["code"])
    assert len(grids) - len(main) == 4
    assert (main["id"].value_counts() > 1).any()
    per_grid = people[people["role"].isin(["grid_worker", "deputy"])]["grid"].value_counts()
    assert (per_grid > 1).any()
    assert (people.loc[people["primary"] == "yes", "role"] == "grid_worker").all()


def test_a_worker_of_two_grids_stays_in_one_unit(people):
    main = people[people["primary"] == "yes"]
    assert (main["grid"].str[:12].groupby(main["id"]).nunique() == 1).all()


def test_roles_have_their_own_kind_of_target(people, place):
    target = (
        people["role"].map({"building_head": "building", "border_guard": "route"}).fillna("grid")
    )
    for column in ("grid", "building", "route"):
        assert ((people[column] != "") == (target == column)).all()
    assert set(people["role"]) == {
        "grid_worker", "deputy", "grid_head", "building_head", "border_guard",
    }  # fmt: skip
    assert set(people.loc[people["building"] != "", "building"]) <= set(place.buildings["id"])
    assert set(people.loc[people["route"] != "", "route"]) == set(place.routes["id"])


def test_leave_spans_the_day_and_names_a_deputy_who_is_there(people, place):
    away = people[people["leave_from"] != ""].drop_duplicates("id")
    day = place.until.isoformat()
    assert len(away) >= 2
    assert ((away["leave_from"] <= day) & (away["leave_to"] >= day)).all()
    assert set(away["deputy"]) <= set(people["id"]) - set(away["id"])


def test_a_person_has_one_name_and_nobody_elses(people):
    names = people.groupby("id")["name"].nunique()
    assert (names == 1).all()
    assert people.drop_duplicates("id")["name"].is_unique
    assert (people["note"] == "虚构人员").all()


def test_no_grids_give_no_workers(grids):
    none = workers(grids.iloc[:0])
    assert none.empty
    assert "deputy" in none.columns


def test_workers_workbook_keeps_codes_as_text(people, tmp_path):
    book = openpyxl.load_workbook(write_workers(people, tmp_path / "workers.xlsx"))
    header, *rows = book.active.iter_rows(values_only=True)
    assert list(header) == list(WORKER_HEADERS.values())
    assert len(rows) == len(people)
    assert {row[header.index("角色")] for row in rows} >= {"网格员", "护边员"}
    assert rows[0][header.index("网格")].startswith("990121")
    book.close()
