"""Vector tiles on real PostGIS, decoded by GDAL."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.database import execute
from gis.errors import BadInput, NotFound
from maps import tiles
from maps.tile_layers import SINGLE_INCIDENTS_FROM_ZOOM

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

COUNTY = "990121"
VILLAGE = COUNTY + "001001"
WEST, SOUTH, STEP = 116.60, 44.90, 0.01
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CATEGORIES = ("neighbour", "neighbour", "labour")


def address(z: int, lon: float, lat: float) -> tuple[int, int, int]:
    """The tile of zoom z that a place lies in."""
    count = 2**z
    north = math.asinh(math.tan(math.radians(lat))) / math.pi
    return z, int((lon + 180) / 360 * count), int((1 - north) / 2 * count)


@pytest.fixture
def decode(tmp_path: Path) -> Callable[..., gpd.GeoDataFrame]:
    """A layer of a tile, in units of the tile with y up, or in Web Mercator given its address."""

    def read(data: bytes, layer: str, at: tuple[int, int, int] | None = None) -> gpd.GeoDataFrame:
        path = tmp_path / f"{uuid.uuid4().hex}.pbf"
        path.write_bytes(data)
        if layer not in {name for name, _ in pyogrio.list_layers(path)}:
            return gpd.GeoDataFrame({"mvt_id": []}, geometry=[])
        placed = {} if at is None else dict(zip("ZXY", map(str, at), strict=True))
        return pyogrio.read_dataframe(path, layer=layer, CLIP="NO", **placed)

    return read


def add_edition(session: Session, shapes: Sequence[str], valid: str, *, skip: int = 0) -> list[int]:
    """An edition of these shapes in force during ``valid``; the ids of its grids."""
    edition = execute(
        session,
        "INSERT INTO editions (area_code, title, author) VALUES (:area, 'e', 't') RETURNING id",
        area=COUNTY,
    ).scalar_one()
    ids = []
    for number, shape in enumerate(shapes, 1 + skip):
        grid = execute(
            session, "INSERT INTO grids (county_code) VALUES (:c) RETURNING id", c=COUNTY
        ).scalar_one()
        execute(
            session,
            "INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, unit_code, area_type,"
            " households, buildings, target, compactness, area_m2, geom) VALUES (:e, :g, :c, :code,"
            " :u, 'urban', :h, 1, 300, 0.5, 1, ST_GeomFromText(:geom, 4326))",
            e=edition, g=grid, c=COUNTY, code=f"{VILLAGE}{number:03d}", u=VILLAGE,
            h=270 + 30 * number, geom=shape,
        )  # fmt: skip
        ids.append(grid)
    execute(
        session,
        "UPDATE editions SET status = CASE WHEN upper_inf(CAST(:v AS tstzrange)) THEN 'active'"
        " ELSE 'superseded' END, valid = CAST(:v AS tstzrange), approver = 'a',"
        " published_at = now() WHERE id = :e",
        e=edition, v=valid,
    )  # fmt: skip
    return ids


def square(column: int, row: int, size: float = STEP) -> str:
    west, south = WEST + column * size, SOUTH + row * size
    return shapely.box(west, south, west + size, south + size).wkt


@pytest.fixture
def town(session: Session) -> list[int]:
    """Two by two grids, an older edition of one grid, a worker on the first until July."""
    units = [("99", 2, None), ("9901", 4, "99"), (COUNTY, 6, "9901"), (COUNTY + "001", 9, COUNTY)]
    for code, level, parent in [*units, (VILLAGE, 12, COUNTY + "001")]:
        execute(
            session,
            "INSERT INTO admin_units (code, level, parent_code, name, name_en, geom, source)"
            " VALUES (:c, :l, :p, :n, :e, ST_Multi(ST_GeomFromText(:g, 4326)), 'test')",
            c=code, l=level, p=parent, n=f"单元{code}", e=f"Unit {code}",
            g=square(0, 0, 2 * STEP),
        )  # fmt: skip
    add_edition(session, [square(0, 0, 2 * STEP)], "[2025-01-01, 2026-01-01)", skip=8)
    shapes = [square(column, row) for row in (0, 1) for column in (0, 1)]
    ids = add_edition(session, shapes, "[2026-01-01,)")
    person = execute(
        session,
        "INSERT INTO persons (county_code, name, source, external_id)"
        " VALUES (:c, '甲山河', 'test', '1') RETURNING id",
        c=COUNTY,
    ).scalar_one()
    execute(
        session,
        "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary, valid, author)"
        " VALUES (:c, :p, 'grid_worker', :g, true, '[2026-01-01, 2026-07-01)', 't')",
        c=COUNTY, p=person, g=ids[0],
    )  # fmt: skip
    return ids


def add_incidents(session: Session, places: Sequence[tuple[float, float]], **given: Any) -> None:
    """Incidents at these places, a day apart, the last at NOW, of three categories in turn."""
    if not len(places):
        return
    session.connection().exec_driver_sql(
        "INSERT INTO incidents (id, county_code, source, category, reported_at, geom, source_crs,"
        " source_x, source_y, method, reason, request_sha256) VALUES (%s, %s, 'test', %s, %s,"
        " ST_SetSRID(ST_MakePoint(%s, %s), 4326), 'EPSG:4326', %s, %s, 'map', 'x',"
        " repeat('0', 64))",
        [
            (
                uuid.uuid4(), COUNTY, given.get("category", CATEGORIES[i % len(CATEGORIES)]),
                NOW - timedelta(days=len(places) - 1 - i), lon, lat, lon, lat,
            )
            for i, (lon, lat) in enumerate(places)
        ],
    )  # fmt: skip


class TestAddresses:
    def test_unknown_layer_is_not_found_and_names_those_there_are(self, session: Session) -> None:
        with pytest.raises(NotFound, match="no layer 'gridz'; there are units, grids"):
            tiles.tile(session, "gridz", 1, 0, 0)
        with pytest.raises(NotFound):
            tiles.tilejson("gridz", "http://127.0.0.1/")

    @pytest.mark.parametrize(
        ("where", "fields"),
        [((23, 0, 0), ["z"]), ((-1, 0, 0), ["z"]), ((2, 4, -1), ["x", "y"]), ((0, 0, 1), ["y"])],
    )
    def test_all_that_is_wrong_is_named_at_once(
        self, session: Session, where: tuple[int, int, int], fields: list[str]
    ) -> None:
        with pytest.raises(BadInput) as caught:
            tiles.tile(session, "grids", *where, at=datetime(2026, 1, 1))  # noqa: DTZ001
        assert [problem.field for problem in caught.value.problems] == [*fields, "at"]

    def test_a_period_must_end_after_it_begins(self, session: Session) -> None:
        with pytest.raises(BadInput, match="ends before it begins"):
            tiles.tile(session, "incidents", 5, 0, 0, start=NOW, end=NOW)

    @pytest.mark.parametrize("layer", tiles.LAYERS)
    def test_where_there_is_nothing_the_tile_is_empty(self, session: Session, layer: str) -> None:
        wanted = tiles.LAYERS[layer]
        for z in {wanted.min_zoom, 14, tiles.MAX_ZOOM}:
            assert tiles.tile(session, layer, z, 0, 2**z - 1) == b""
        if wanted.min_zoom > 0:
            assert tiles.tile(session, layer, wanted.min_zoom - 1, 0, 0) == b""

    @given(st.integers(0, tiles.MAX_ZOOM), st.data())
    def test_boxes_of_neighbours_meet_and_stay_on_the_globe(self, z: int, data: Any) -> None:
        x, y = (data.draw(st.integers(0, 2**z - 1)) for _ in range(2))
        box = tiles._bounds(z, x, y)
        assert -180 <= box["west"] <= box["tile_west"] < box["tile_east"] <= box["east"] <= 180
        assert -90 <= box["south"] <= box["tile_south"] < box["tile_north"] <= box["north"] <= 90
        if x < 2**z - 1:
            assert tiles._bounds(z, x + 1, y)["tile_west"] == box["tile_east"]
        if y < 2**z - 1:
            assert tiles._bounds(z, x, y + 1)["tile_north"] == box["tile_south"]


class TestTileJson:
    @pytest.mark.parametrize("name", tiles.LAYERS)
    def test_it_names_every_part_with_its_fields_and_an_absolute_address(self, name: str) -> None:
        told = tiles.tilejson(name, "http://127.0.0.1:8000/prefix/", (1, 2, 3, 4))
        assert told["tiles"] == [f"http://127.0.0.1:8000/prefix/tiles/{name}/{{z}}/{{x}}/{{y}}"]
        assert told["bounds"] == [1, 2, 3, 4]
        assert 0 <= told["minzoom"] < told["maxzoom"] <= tiles.MAX_ZOOM
        assert [part["id"] for part in told["vector_layers"]] == list(tiles.LAYERS[name].parts)
        assert all(part["fields"] for part in told["vector_layers"])

    def test_what_shows_people_at_work_or_in_trouble_is_restricted(self) -> None:
        asked = {name: layer.rights for name, layer in tiles.LAYERS.items()}
        assert asked["cameras"] == ("cameras.read",)
        assert asked["routes"] == ("patrols.read",)
        assert {name for name, rights in asked.items() if not rights} == {"units", "borders"}

    def test_fields_told_are_fields_sent(
        self, session: Session, town: list[int], decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        data = tiles.tile(session, "grids", *address(12, WEST + STEP, SOUTH + STEP), at=NOW)
        for name, part in tiles.LAYERS["grids"].parts.items():
            sent = set(decode(data, name).columns)
            assert set(part.fields) - {"name"} <= sent | {"geometry"}, sent
        assert town


class TestGrids:
    def test_a_tile_holds_the_grids_of_the_edition_in_force(
        self, session: Session, town: list[int], decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        where = address(11, WEST + STEP, SOUTH + STEP)
        grids = decode(tiles.tile(session, "grids", *where, at=NOW), "grids").set_index("mvt_id")
        assert sorted(grids.index) == sorted(town)
        first = grids.loc[town[0]]
        assert first["code"] == f"{VILLAGE}001"
        assert first["short_code"] == "001"
        assert (first["households"], first["target"], first["deviation"]) == (300, 300, 0)
        assert (first["unit_name"], first["unit_name_en"]) == (f"单元{VILLAGE}", f"Unit {VILLAGE}")
        assert first["worker"] == "甲山河"
        assert grids.loc[town[1], "deviation"] == pytest.approx(0.1)
        assert grids["worker"].isna().sum() == 3

    def test_another_moment_has_another_edition_and_another_worker(
        self, session: Session, town: list[int], decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        where = address(13, WEST + STEP / 2, SOUTH + STEP / 2)
        before = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
        old = decode(tiles.tile(session, "grids", *where, at=before), "grids")
        assert list(old["code"]) == [f"{VILLAGE}009"]
        july = datetime(2026, 7, 1, tzinfo=UTC)
        later = decode(tiles.tile(session, "grids", *where, at=july), "grids").set_index("mvt_id")
        assert town[0] in later.index
        assert "worker" not in later.columns or later["worker"].isna().all()
        never = datetime(2024, 1, 1, tzinfo=UTC)
        assert tiles.tile(session, "grids", *where, at=never) == b""

    def test_each_grid_has_its_label_in_one_tile_only(
        self, session: Session, town: list[int], decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        seen: list[int] = []
        z, x, y = address(15, WEST, SOUTH)
        for column in range(-1, 4):
            for row in range(-5, 3):
                data = tiles.tile(session, "grids", z, x + column, y + row, at=NOW)
                if data:
                    seen += list(decode(data, "grid_labels")["mvt_id"])
        assert sorted(seen) == sorted(town)
        far = tiles.tile(session, "grids", *address(10, WEST, SOUTH), at=NOW)
        assert decode(far, "grid_labels").empty

    @pytest.mark.parametrize("z", [10, 12, 14])
    def test_neighbours_do_not_tear_apart(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame], z: int
    ) -> None:
        # A shared border with a vertex every few metres, finer than a unit of the tile from afar.
        rng = np.random.default_rng(7)
        lat = np.linspace(SOUTH, SOUTH + STEP, 400)
        lon = WEST + STEP + rng.uniform(-1, 1, 400) * 4e-5
        line = np.column_stack([lon, lat])
        west = np.array([[WEST, SOUTH + STEP], [WEST, SOUTH]])
        east = np.array([[WEST + 2 * STEP, SOUTH + STEP], [WEST + 2 * STEP, SOUTH]])
        left = shapely.Polygon(np.vstack([line, west]))
        right = shapely.Polygon(np.vstack([line, east]))
        add_edition(session, [left.wkt, right.wkt], "[2026-01-01,)")
        data = tiles.tile(session, "grids", *address(z, WEST + STEP, SOUTH + STEP / 2), at=NOW)
        one, other = decode(data, "grids").geometry
        # Gaps and overlaps along the line, in units of the tile: thinner than one would show.
        joined = shapely.union(one, other)
        hull = shapely.buffer(shapely.buffer(joined, 3, join_style="mitre"), -3, join_style="mitre")
        torn = shapely.area(shapely.difference(hull, joined))
        assert torn < 0.25 * shapely.length(shapely.intersection(one.boundary, other.buffer(2)))


class TestUnits:
    @pytest.mark.parametrize(
        ("z", "levels"), [(1, {2}), (4, {2, 4}), (7, {2, 4, 6}), (11, {2, 4, 6, 9, 12})]
    )
    def test_levels_suit_the_zoom(
        self, session: Session, town: list[int], decode: Callable[..., gpd.GeoDataFrame], z: int,
        levels: set[int],
    ) -> None:  # fmt: skip
        data = tiles.tile(session, "units", *address(z, WEST + STEP, SOUTH + STEP), at=NOW)
        found = decode(data, "units")
        # From far off a place this small is less than a unit of the tile, and only has its name.
        assert set(found.get("level", ())) <= levels
        if z >= 7:
            assert set(found["level"]) == levels
        assert set(decode(data, "unit_labels")["level"]) <= levels
        assert town


class TestCameras:
    def add(self, session: Session, lon: float, heading: float | None, hfov: float) -> int:
        number: int = execute(
            session,
            "INSERT INTO cameras (county_code, name, heading_deg, hfov_deg, range_m, geom, source,"
            " external_id) VALUES (:c, 'k', :h, :f, 150, ST_SetSRID(ST_MakePoint(:x, :y), 4326),"
            " 't', :e) RETURNING id",
            c=COUNTY, h=heading, f=hfov, x=lon, y=SOUTH, e=uuid.uuid4().hex,
        ).scalar_one()  # fmt: skip
        return number

    def test_a_wedge_reaches_into_the_tile_beside_its_camera(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        z, x, y = address(16, WEST, SOUTH)
        edge = tiles._bounds(z, x, y)["tile_east"]
        east = self.add(session, edge - 0.0003, 90, 60)  # 24 m before the edge, looking over it
        self.add(session, edge - 0.0003, 270, 60)
        beyond = decode(tiles.tile(session, "cameras", z, x + 1, y), "camera_wedges")
        assert list(beyond["mvt_id"]) == [east]
        assert decode(tiles.tile(session, "cameras", z, x + 1, y), "cameras").empty

    def test_without_a_heading_there_is_a_disc_or_nothing_never_a_guess(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        unknown, around = self.add(session, WEST, None, 60), self.add(session, WEST, None, 360)
        data = tiles.tile(session, "cameras", *address(15, WEST, SOUTH))
        assert set(decode(data, "cameras")["mvt_id"]) == {unknown, around}
        wedges = decode(data, "camera_wedges")
        assert list(wedges["mvt_id"]) == [around]


class TestRoutes:
    def test_days_since_the_last_finished_patrol_are_told_or_left_out(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        line = f"LINESTRING({WEST} {SOUTH}, {WEST + STEP} {SOUTH})"
        for name, days in (("late", 9), ("new", 2), ("never", None)):
            route = execute(
                session,
                "INSERT INTO patrol_routes (county_code, name, means, interval_days, geom, source,"
                " external_id) VALUES (:c, :n, 'horse', 7, ST_GeomFromText(:g, 4326), 't', :n)"
                " RETURNING id",
                c=COUNTY, n=name, g=line,
            ).scalar_one()  # fmt: skip
            execute(
                session,
                "INSERT INTO checkpoints (county_code, route_id, seq, name, geom)"
                " VALUES (:c, :r, 1, '卡点', ST_SetSRID(ST_MakePoint(:x, :y), 4326))",
                c=COUNTY, r=route, x=WEST, y=SOUTH,
            )  # fmt: skip
            if days is not None:
                execute(
                    session,
                    "INSERT INTO patrols (county_code, route_id, started_at, ended_at, state,"
                    " source, external_id) VALUES (:c, :r, :a, :b, 'done', 't', :n)",
                    c=COUNTY, r=route, a=NOW - timedelta(days=days, hours=5),
                    b=NOW - timedelta(days=days, hours=1), n=name,
                )  # fmt: skip
        data = tiles.tile(session, "routes", *address(12, WEST, SOUTH), at=NOW)
        routes = decode(data, "routes").set_index("name")
        assert routes.loc["late", "days_since"] == 9
        assert bool(routes.loc["late", "overdue"])
        assert not bool(routes.loc["new", "overdue"])
        assert routes.loc[["never"], "days_since"].isna().all()
        assert len(decode(data, "checkpoints")) == 3


class TestIncidents:
    PLACES = tuple((WEST + 0.0004 * i, SOUTH + 0.0003 * i) for i in range(9))

    def test_close_up_each_is_itself(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        add_incidents(session, self.PLACES)
        where = address(SINGLE_INCIDENTS_FROM_ZOOM, *self.PLACES[4])
        found = decode(tiles.tile(session, "incidents", *where), "incidents", where)
        box = tiles._bounds(*where)
        inside = [
            (lon, lat)
            for lon, lat in self.PLACES
            if box["tile_west"] <= lon < box["tile_east"]
            and box["tile_south"] < lat <= box["tile_north"]
        ]
        assert len(found) == len(inside) > 2
        assert set(found["n"]) == {1}
        assert found["id"].map(uuid.UUID).is_unique
        drawn = found.set_crs(3857, allow_override=True).to_crs(4326).geometry
        unit = (box["tile_east"] - box["tile_west"]) / tiles.EXTENT
        for point in drawn:
            assert min(abs(point.x - lon) + abs(point.y - lat) for lon, lat in inside) < 2 * unit

    def test_from_afar_a_cell_tells_their_number_and_the_most_frequent(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        add_incidents(session, self.PLACES)
        (cell,) = decode(
            tiles.tile(session, "incidents", *address(5, WEST, SOUTH)), "incidents"
        ).itertuples()
        assert (cell.n, cell.category, cell.categories) == (9, "neighbour", 2)
        assert cell.reported_at == NOW.timestamp()
        assert cell.reported_at - cell.first_reported_at == 8 * 86_400
        assert getattr(cell, "id", None) is None

    @pytest.mark.parametrize("z", [8, 13, 14, 16])
    def test_none_is_lost_or_counted_twice_between_tiles(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame], z: int
    ) -> None:
        z, x, y = address(z, WEST, SOUTH)
        box = tiles._bounds(z, x, y)
        corner = (box["tile_east"], box["tile_south"])
        # On the corner of four tiles, on edges, and about.
        rng = np.random.default_rng(3)
        size = box["tile_east"] - box["tile_west"]
        around = [(corner[0] + a, corner[1] + b) for a, b in rng.uniform(-0.3, 0.3, (60, 2)) * size]
        places = [corner, (corner[0], corner[1] + size / 9), (corner[0] - size / 9, corner[1])]
        add_incidents(session, [*places, *around])
        total = 0
        for column in (x, x + 1):
            for row in (y, y + 1):
                data = tiles.tile(session, "incidents", z, column, row)
                total += int(decode(data, "incidents")["n"].sum()) if data else 0
        assert total == len(places) + len(around)

    def test_periods_are_half_open_and_categories_choose(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        add_incidents(session, self.PLACES)
        where = address(5, WEST, SOUTH)

        def count(**given: Any) -> int:
            data = tiles.tile(session, "incidents", *where, **given)
            return int(decode(data, "incidents")["n"].sum()) if data else 0

        assert count(start=NOW) == 1
        assert count(end=NOW) == 8
        assert count(start=NOW - timedelta(days=2), end=NOW) == 2
        assert count(category=["labour"]) == 3
        assert count(category=["labour", "neighbour"]) == 9
        assert count(category=["none"]) == 0
        assert count(category=[]) == 9

    def test_a_crowd_stays_under_five_thousand_features(
        self, session: Session, decode: Callable[..., gpd.GeoDataFrame]
    ) -> None:
        z, x, y = address(16, WEST, SOUTH)
        box = tiles._bounds(z, x, y)
        rng = np.random.default_rng(1)
        lon = rng.uniform(box["tile_west"], box["tile_east"], 6000)
        lat = rng.uniform(box["tile_south"], box["tile_north"], 6000)
        add_incidents(session, list(zip(lon.tolist(), lat.tolist(), strict=True)))
        found = decode(tiles.tile(session, "incidents", z, x, y), "incidents")
        assert len(found) <= 4096
        assert found["n"].sum() == 6000


@pytest.mark.parametrize("layer", tiles.LAYERS)
def test_every_layer_searches_by_the_index(
    session: Session, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A test's tables are too small for the planner to want the index, so it is told to; a search
    # that could not use it would still be a sequential scan. Bitmaps are made by conditions alone,
    # while an empty table that was vacuumed is as cheaply read whole along any other index.
    for way in ("seqscan", "indexscan", "indexonlyscan"):
        execute(session, f"SET LOCAL enable_{way} = off")
    plans: list[str] = []

    class Planned:
        seen = None

        def one(self) -> Planned:
            return self

        def __getitem__(self, place: int) -> bytes:
            return b""

    def explain(session: Session, sql: str, **values: Any) -> Planned:
        plans.extend(execute(session, f"EXPLAIN {sql}", **values).scalars())
        return Planned()

    monkeypatch.setattr(tiles, "execute", explain)
    tiles.tile(session, layer, *address(14, WEST, SOUTH))
    text = "\n".join(plans)
    table = {
        "units": "admin_units", "grids": "grid_shapes", "borders": "border_lines",
        "routes": "patrol_routes",
    }.get(layer, layer)  # fmt: skip
    assert f"{table}_geom" in text, text
    assert "Index Cond: (geom && " in text, text
