"""Shares of a circular error, and the distance to borders, against what is known otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer
from scipy.special import ndtr
from shapely import Point, Polygon, box

from bench.locating.layers import tiling
from gis.errors import BadInput
from gis.locator import Locator
from gis.locator.plane import metres

SIGMA = 1 / math.sqrt(-2 * math.log(0.32))  # of a radius that holds 68 %
GEOD = Geod(ellps="WGS84")
HALVES = [box(-1e6, -1e6, 0, 1e6), box(0, -1e6, 1e6, 1e6)]


def plane(shapes: list[Any], ids: list[Any] | None = None) -> Locator:
    return Locator.build(shapes, ids or list(range(len(shapes))), geographic=False)


@given(x=st.floats(-60, 60), radius=st.floats(0.1, 100), y=st.floats(-1e3, 1e3))
def test_half_plane(x: float, radius: float, y: float) -> None:
    found = plane(HALVES).share(x, y, radius)
    west = ndtr(-x / (SIGMA * radius))
    shares = dict(zip(found.positions.tolist(), found.shares.tolist(), strict=True))
    assert shares.get(0, 0) == pytest.approx(west, abs=2e-6)
    assert shares.get(1, 0) == pytest.approx(1 - west, abs=2e-6)
    assert found.outside == pytest.approx(0, abs=1e-9)


@given(
    x=st.one_of(st.floats(-30, 30), st.sampled_from([-10.0, 10.0, 0.0])),
    y=st.one_of(st.floats(-30, 30), st.sampled_from([-10.0, 10.0, 0.0])),
    radius=st.floats(0.5, 50),
)
def test_square(x: float, y: float, radius: float) -> None:
    sigma = SIGMA * radius
    across, up = (ndtr((10 - z) / sigma) - ndtr((-10 - z) / sigma) for z in (x, y))
    found = plane([box(-10, -10, 10, 10)]).share(x, y, radius)
    assert found.outside == pytest.approx(1 - across * up, abs=1e-8)
    assert found.shares.sum() == pytest.approx(across * up, abs=2e-6)


@pytest.mark.parametrize("radius", [1e-3, 1, 20, 400])
def test_on_the_corner_of_four(radius: float) -> None:
    four = [box(x, y, x + 1e4, y + 1e4) for x in (0, -1e4) for y in (0, -1e4)]
    found = plane(four, ["d", "c", "b", "a"]).share(0, 0, radius)
    assert found.shares == pytest.approx([0.25] * 4, abs=1e-9)
    assert sorted(found.positions.tolist()) == [0, 1, 2, 3]
    assert found.outside == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("away_m", [0.0, 3.0, -12.0])
@pytest.mark.parametrize("width", [0.01, 1.0, 20.0])
def test_long_edge_along_a_parallel(width: float, away_m: float) -> None:
    """It is no straight line on the earth, and the parallel is the border all the same."""
    shapes = [box(110 - width, 44, 110 + width, 45), box(110 - width, 45, 110 + width, 46)]
    locator = Locator.build(shapes, [0, 1])
    lon = 110 + width / 7
    lat = GEOD.fwd(lon, 45, 0, away_m)[1]
    found = locator.share(lon, lat, 20)
    shares = dict(zip(found.positions.tolist(), found.shares.tolist(), strict=True))
    assert shares[1] == pytest.approx(ndtr(away_m / (SIGMA * 20)), abs=3e-4)
    assert found.outside == pytest.approx(0, abs=1e-6)
    border = locator.border_distance(lon, lat)
    assert border is not None
    assert border.distance_m == pytest.approx(abs(away_m), abs=3e-3)
    assert (border.lon, border.lat) == pytest.approx((lon, 45), abs=1e-6)
    alone = Locator.build(shapes[1:], [1]).nearest(lon, 45 - 1e-4)
    assert alone is not None
    assert alone.distance_m == pytest.approx(11.113, abs=3e-3)


def test_hole_and_enclave() -> None:
    ring = box(-100, -100, 100, 100).difference(box(-5, -5, 5, 5))
    inner = (2 * ndtr(5 / (SIGMA * 8)) - 1) ** 2
    alone = plane([ring]).share(0, 0, 8)
    assert (alone.outside, alone.shares[0]) == pytest.approx((inner, 1 - inner), abs=1e-6)
    both = plane([ring, box(-5, -5, 5, 5)]).share(0, 0, 8)
    assert dict(zip(both.positions.tolist(), both.shares, strict=True)) == pytest.approx(
        {0: 1 - inner, 1: inner}, abs=1e-6
    )


def sampled(shapes: Any, lon: float, lat: float, radius: float) -> np.ndarray:
    """Shares by many samples at the quantiles of the radius, placed by a geodesic."""
    rings, rays = 300, 180
    quantiles = (np.arange(rings) + 0.5) / rings
    reach = np.repeat(SIGMA * radius * np.sqrt(-2 * np.log(1 - quantiles)), rays)
    angle = np.tile(np.arange(rays) * 360 / rays, rings) + np.repeat(np.arange(rings) % 2, rays)
    lons, lats, _ = GEOD.fwd(np.full(reach.size, lon), np.full(reach.size, lat), angle, reach)
    found = Locator.build(shapes, range(len(shapes))).locate(lons, lats)
    return np.bincount(found + 1, minlength=len(shapes) + 1) / reach.size


@pytest.mark.parametrize("radius", [50.0, 1500.0, 8000.0, 40_000.0])
def test_shares_of_a_tiling_as_sampled_on_the_earth(radius: float) -> None:
    shapes = tiling(400)
    locator = Locator.build(shapes, range(400))
    for lon, lat in np.random.default_rng(8).uniform((116, 44), (118, 46), (6, 2)):
        expected = sampled(shapes, lon, lat, radius)
        found = locator.share(lon, lat, radius)
        shares = np.zeros(401)
        shares[found.positions + 1] = found.shares
        shares[0] = found.outside
        assert shares.sum() == pytest.approx(1, abs=1e-4)
        assert shares == pytest.approx(expected, abs=2e-3)  # the samples' own error
        assert list(found.shares) == sorted(found.shares, reverse=True)


def test_wide_error_over_overlapping_polygons() -> None:
    """Each counts for what it answers for, not for what another covers before it."""
    shapes = [box(-30, -30, 5, 30), box(-5, -30, 30, 30), box(-3, -3, 3, 3)]
    whole = (2 * ndtr(30 / (SIGMA * 15)) - 1) * 1.0
    for ids, expected in (
        ([0, 1, 2], {0: ndtr(5 / (SIGMA * 15)) - ndtr(-30 / (SIGMA * 15))}),
        ([2, 1, 0], {2: (2 * ndtr(3 / (SIGMA * 15)) - 1) ** 2}),
    ):
        found = plane(shapes, ids).share(0, 0, 15)
        shares = dict(zip(found.positions.tolist(), found.shares, strict=True))
        for position, share in expected.items():
            assert shares[position] == pytest.approx(share * (whole if position == 0 else 1), 1e-3)
        assert found.shares.sum() + found.outside == pytest.approx(1, abs=1e-6)
        assert found.outside == pytest.approx(1 - whole * whole, abs=1e-6)


def test_nothing_near() -> None:
    found = plane([box(0, 0, 1, 1)]).share(500, 0, 10)
    assert (found.positions.size, found.shares.size, found.outside) == (0, 0, 1.0)
    assert plane([]).share(500, 0, 10).outside == 1.0


@pytest.mark.parametrize(
    ("lon", "lat", "accuracy", "told"),
    [
        (math.nan, 1, 5, "no place"),
        (1, math.inf, 5, "no place"),
        (400, 1, 5, "no longitude"),
        (45, 116, 5, "other way round"),
        (1, 1, 0, "accuracy is 0"),
        (1, 1, -3, "accuracy is -3"),
        (1, 1, math.nan, "accuracy is nan"),
        (1, 1, 1e9, "accuracy is 1000000000"),
    ],
)
def test_share_of_what_is_no_point(lon: float, lat: float, accuracy: float, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Locator.build([box(0, 0, 1, 1)], [1]).share(lon, lat, accuracy)


@pytest.mark.parametrize(("lon", "lat"), [(116.3, 44.9), (8.5, 59.0), (-70.2, -33.4), (30.0, 0.2)])
@pytest.mark.parametrize("km", [0.05, 3, 60])
def test_distances_are_those_of_the_earth(lon: float, lat: float, km: float) -> None:
    """The nearest border in an azimuthal projection around the point is the one that is told."""
    local = CRS.from_proj4(f"+proj=aeqd +lat_0={lat} +lon_0={lon} +ellps=WGS84")
    back = Transformer.from_crs(local, 4326, always_xy=True)
    angles = np.sort(np.random.default_rng(3).uniform(0, 2 * np.pi, 40))
    reach = km * 1000 * np.random.default_rng(4).uniform(1, 2, 40)
    star = Polygon(np.stack(back.transform(reach * np.cos(angles), reach * np.sin(angles)), 1))
    in_plane = shapely.transform(
        star.segmentize(km / 5000),
        lambda xy: np.stack(
            Transformer.from_crs(4326, local, always_xy=True).transform(*xy.T), axis=1
        ),
    )
    expected = in_plane.exterior.distance(Point(0, 0))
    inside = Locator.build([star], ["a"]).border_distance(lon, lat)
    assert inside is not None
    assert inside.distance_m == pytest.approx(expected, rel=3e-4)
    assert (inside.position, inside.neighbour) == (0, -1)
    assert GEOD.inv(lon, lat, inside.lon, inside.lat)[2] == pytest.approx(inside.distance_m)
    far = box(lon - 8, lat - 8, lon + 8, lat + 8).difference(star)
    outside = Locator.build([far], ["a"]).nearest(lon, lat)
    assert outside is not None
    assert outside.distance_m == pytest.approx(expected, rel=3e-4)
    assert outside.position == 0


@pytest.mark.parametrize(("metres_away", "share"), [(1e4, 5e-7), (1e5, 5e-5)])
@pytest.mark.parametrize("lat", [-60.0, 0.0, 23.5, 44.9, 60.0])
def test_plane_against_geodesics(lat: float, metres_away: float, share: float) -> None:
    angles = np.arange(0, 360, 15.0)
    same = np.ones(len(angles))
    lons, lats, _ = GEOD.fwd(116 * same, lat * same, angles, metres_away * same)
    found = np.array([metres(116.0, lat, x, y, True) for x, y in zip(lons, lats, strict=True)])
    expected = metres_away * np.stack([np.sin(np.radians(angles)), np.cos(np.radians(angles))], 1)
    assert np.hypot(*(found - expected).T).max() < share * metres_away


def test_nearest_and_neighbour() -> None:
    tile = [box(x, y, x + 1, y + 1) for y in range(3) for x in range(3)]
    locator = plane(tile)
    assert locator.nearest(1.5, 1.5) == (4, 0.0, 1.5, 1.5)
    assert locator.nearest(5, 1.25) == (5, 2.0, 3.0, 1.25)
    assert locator.nearest(-3, -4) == (0, 5.0, 0.0, 0.0)
    assert locator.border_distance(1.5, 1.9) == (4, pytest.approx(0.1), 7, 1.5, 2.0)
    assert locator.border_distance(0.1, 0.5) == (0, pytest.approx(0.1), -1, 0.0, 0.5)
    assert locator.border_distance(5, 5) is None
    on = locator.border_distance(1, 0.5)
    assert on is not None
    assert (on.position, on.distance_m, on.neighbour) == (0, 0.0, 1)
    assert plane([]).nearest(0, 0) is None
    assert plane([]).border_distance(0, 0) is None


def test_neighbour_without_shared_edges() -> None:
    """A long box beside two short ones: the side has no vertex where they meet."""
    shapes = [box(0, 0, 2, 1), box(0, 1, 1, 2), box(1, 1, 2, 2)]
    locator = plane(shapes)
    for x, beyond in ((0.5, 1), (1.5, 2)):
        found = locator.border_distance(x, 0.8)
        assert found is not None
        assert (found.position, found.neighbour) == (0, beyond)
        other = locator.border_distance(x, 1.2)
        assert other is not None
        assert (other.position, other.neighbour) == (beyond, 0)


def test_neighbours_upon_each_other() -> None:
    """Of two beyond the border the one with the smaller id is told, as it would answer there."""
    shapes = [box(0, 0, 1, 1), box(1, 0, 2, 1), box(1, 0, 2, 1)]
    for ids, beyond in (([0, 1, 2], 1), ([0, 2, 1], 2)):
        found = plane(shapes, ids).border_distance(0.75, 0.5)
        assert found == (0, 0.25, beyond, 1.0, 0.5)


def test_the_distance_alone_is_the_same() -> None:
    locator = Locator.build([box(117, 45, 117.01, 45.02), box(117.01, 45, 117.02, 45.02)], [1, 2])
    for lon, lat in ((117.004, 45.013), (117.0101, 45.0001), (117.0, 45.01)):
        found = locator.border_distance(lon, lat)
        assert found is not None
        alone = locator.border_distance_m(lon, lat, found.position)
        assert alone == pytest.approx(found.distance_m, rel=5e-7, abs=1e-9)


@pytest.mark.parametrize("geographic", [True, False])
def test_many_at_once_are_as_one_by_one(*, geographic: bool) -> None:
    random = np.random.default_rng(5)
    step = 0.01 if geographic else 800.0
    corner = (117.0, 45.0) if geographic else (5e5, 5e6)
    shapes = [
        box(corner[0] + x * step, corner[1] + y * step,
            corner[0] + (x + 1) * step, corner[1] + (y + 1) * step)
        for x in range(4) for y in range(3)
    ]  # fmt: skip
    locator = Locator.build(shapes, list(range(len(shapes))), geographic=geographic)
    lon = corner[0] + random.uniform(-2 * step, 6 * step, 300)
    lat = corner[1] + random.uniform(-2 * step, 5 * step, 300)
    found = locator.locate(lon, lat)
    inside = np.flatnonzero(found >= 0)
    border_m = locator.border_distances_m(lon[inside], lat[inside], found[inside])
    accuracy = np.linspace(1, 900, len(inside))
    shares = locator.own_shares(lon[inside], lat[inside], accuracy, found[inside])
    for k, row in enumerate(inside):
        one = locator.border_distance(lon[row], lat[row])
        assert one is not None
        assert border_m[k] == pytest.approx(one.distance_m, rel=5e-7)
        share = locator.share(lon[row], lat[row], accuracy[k])
        own = share.shares[share.positions == found[row]].sum()
        assert shares[k] == pytest.approx(own, abs=1e-9)
    outside = np.flatnonzero(found < 0)
    every = np.ones(len(shapes), dtype=bool)
    where, away = locator.nearest_among(lon[outside], lat[outside], every)
    for k, row in enumerate(outside):
        near = locator.nearest(lon[row], lat[row])
        assert near is not None
        assert away[k] == pytest.approx(near.distance_m, rel=1e-6, abs=1e-3)
    # Of a choice only: as if the others were not there.
    some = np.array([k in {0, 7} for k in range(len(shapes))])
    vague = np.linspace(5, 3000, len(lon))
    for choice in (every, some):
        together = locator.share_among(lon, lat, vague, choice)
        for k in range(0, len(lon), 7):
            share = locator.share(lon[k], lat[k], vague[k])
            one_by_one = share.shares[choice[share.positions]].sum()
            assert together[k] == pytest.approx(one_by_one, abs=2e-5)
    few = Locator.build([shapes[0], shapes[7]], [0, 7], geographic=geographic)
    beyond = np.flatnonzero(few.locate(lon, lat) < 0)
    where, away = locator.nearest_among(lon[beyond], lat[beyond], some)
    for k, row in enumerate(beyond):
        near = few.nearest(lon[row], lat[row])
        assert near is not None
        assert where[k] == (0, 7)[near.position]
        assert away[k] == pytest.approx(near.distance_m, rel=1e-6, abs=1e-3)
    nobody, _ = locator.nearest_among(lon[:3], lat[:3], ~every)
    assert nobody.tolist() == [-1, -1, -1]


def test_nearest_across_a_gap() -> None:
    """Inside a hole the ring around it is nearest, whatever lies beyond."""
    locator = plane([box(0, 0, 10, 10).difference(box(4, 4, 6, 6)), box(10, 0, 20, 10)])
    assert locator.nearest(4.5, 5) == (0, 0.5, 4.0, 5.0)


@pytest.mark.parametrize(("lon", "lat"), [(math.nan, 0), (400, 0), (0, 91)])
def test_distance_of_what_is_no_point(lon: float, lat: float) -> None:
    locator = Locator.build([box(0, 0, 1, 1)], [1])
    for ask in (locator.nearest, locator.border_distance):
        with pytest.raises(BadInput):
            ask(lon, lat)
