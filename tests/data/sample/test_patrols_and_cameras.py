"""Routes, checkpoints, fixes and cameras of the demo place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely

from data.sample.frame import to_local


@pytest.fixture(scope="module")
def lines(place, local):
    return dict(zip(place.routes["id"], local(place.routes.geometry), strict=True))


def test_routes_are_ten_to_twenty_five_km_inside_the_county(place, local, lines):
    county = local(place.units[place.units["level"] == "county"].geometry)[0]
    assert 6 <= len(lines) <= 8
    for line in lines.values():
        assert 9_500 < line.length < 25_000
        assert line.is_simple
        assert county.contains(line)
    assert set(place.routes["means"]) == {"motorbike", "horse", "foot", "vehicle"}
    assert (place.routes["interval_days"] >= 1).all()


def test_border_routes_follow_the_border(place, local, lines):
    border = shapely.union_all(local(place.borders.geometry))
    along = [lines[i] for i in place.routes.loc[place.routes["name"].str.contains("边境"), "id"]]
    assert len(along) == 5
    for line in along:
        points = shapely.line_interpolate_point(line, np.linspace(0, 1, 60), normalized=True)
        assert shapely.distance(points, border).max() < 2_000


def test_checkpoints_are_on_their_route_in_order(place, local, lines):
    points = local(place.checkpoints.geometry)
    for route, rows in place.checkpoints.groupby("route"):
        at = [lines[route].line_locate_point(points[i]) for i in rows.index]
        assert [lines[route].distance(points[i]) for i in rows.index] == pytest.approx(
            [0] * len(rows), abs=0.01
        )
        assert at == sorted(at)
        assert rows["seq"].tolist() == list(range(1, len(rows) + 1))


def test_fixes_are_a_minute_apart_with_gaps(place):
    tracks = place.tracks
    assert 8_000 < len(tracks) < 20_000
    time = pd.to_datetime(tracks["time"])
    step = time.groupby(tracks["patrol"]).diff().dropna().dt.total_seconds()
    assert step.min() == 60
    assert (step % 60 == 0).all()
    gaps = step > 300
    assert 20 < gaps.sum() < 400
    assert (tracks["accuracy_m"] > 0).all()


def test_tracks_cover_thirty_days_and_most_fixes_are_near_the_route(place, lines):
    tracks = place.tracks
    day = pd.to_datetime(tracks["time"]).dt.date
    assert (place.until - day.min()).days <= 29
    assert day.max() <= place.until
    points = shapely.points(to_local(tracks[["lon", "lat"]].to_numpy()))
    off = shapely.distance(points, tracks["route"].map(lines).to_numpy())
    assert (off < 60).mean() > 0.85
    # Detours and short cuts are there, and nobody strays for kilometres.
    assert (off > 150).sum() > 100
    assert off.max() < 2_500


def test_some_patrols_miss_a_stretch(place, lines):
    ends = []
    for _, rows in place.tracks.groupby("patrol"):
        line = lines[rows["route"].iloc[0]]
        at = shapely.line_locate_point(line, shapely.points(to_local(rows[["lon", "lat"]].values)))
        ends.append((at.max() - at.min()) / line.length)
    assert (np.array(ends) < 0.88).sum() >= 5
    assert (np.array(ends) > 0.95).sum() >= 30


def test_cameras_have_optics_and_stand_in_the_open(place, local):
    cameras = place.cameras
    assert 130 <= len(cameras) <= 170
    assert cameras["id"].is_unique
    national = cameras["id"].str.fullmatch(r"\d{20}")
    assert 60 < national.sum() < len(cameras)
    assert cameras.loc[national, "id"].str.startswith("990121").all()
    assert cameras["heading_deg"].between(0, 360, inclusive="left").all()
    assert cameras["hfov_deg"].between(30, 120).all()
    assert cameras["range_m"].between(50, 1_500).all()
    assert set(cameras["kind"]) == {"fixed", "ptz"}
    assert set(cameras["status"]) == {"online", "offline"}
    points = shapely.points(cameras[["lon", "lat"]].to_numpy())
    hit = shapely.STRtree(place.buildings.geometry.to_numpy()).query(points, predicate="within")
    assert hit.shape[1] == 0


def test_crossing_cameras_look_along_a_street(place, local):
    cameras = place.cameras
    cameras = cameras[cameras["name"].str.contains("路口") & (cameras["kind"] == "fixed")]
    cameras = cameras[cameras["measured"] == "measured"]
    roads = shapely.union_all(local(place.lines[place.lines["kind"] == "arterial"].geometry))
    xy = to_local(cameras[["lon", "lat"]].to_numpy())
    turn = np.radians(cameras["heading_deg"].to_numpy())
    ahead = xy + 60 * np.column_stack([np.sin(turn), np.cos(turn)])
    assert len(cameras) > 20
    assert (shapely.distance(shapely.points(ahead), roads) < 25).all()
