"""Density along streets: exact cases, and a plain recursion as the oracle."""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from scipy.integrate import quad
from shapely import LineString, Point

from gis.errors import BadInput
from maps.network import density as network

CRS_M = CRS.from_epsg(32650)
EAST, NORTH = 500_000.0, 4_400_000.0  # on the central meridian, where UTM has its own scale
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _metric(monkeypatch):
    """Plane coordinates stay as drawn, so that metres in a test are metres of the network."""
    monkeypatch.setattr("maps.network.streets.metric_crs", lambda _: CRS_M)


def made(lines, events, **options):
    drawn = [LineString([(EAST + x, NORTH + y) for x, y in line]) for line in lines]
    points = gpd.GeoSeries([Point(EAST + x, NORTH + y) for x, y in events], crs=CRS_M).to_crs(4326)
    return network.along(
        points.x, points.y, gpd.GeoSeries(drawn, crs=CRS_M), start=START, end=END, **options
    )


def at(result, x, y):
    """Value of the lixel at a place."""
    place = Point(EAST + x, NORTH + y)
    return result.values[np.argmin([line.distance(place) for line in result.lines.shapes()])]


def quartic(d, h):
    return 15 / (16 * h) * (1 - (d / h) ** 2) ** 2 if abs(d) < h else 0.0


def per_km(a, b, h, share=1.0):
    """Mean of the kernel between two distances, events per km; the period is 30 days."""
    return 1000 * share * quad(quartic, a, b, args=(h,))[0] / (b - a)


def test_a_single_street_has_the_kernel_itself():
    result = made([[(-500, 0), (500, 0)]], [(0, 20)], bandwidth_m=120, lixel_m=10)
    for k in range(12):
        for side in (-1, 1):
            value = at(result, side * (10 * k + 5), 0)
            assert value == pytest.approx(per_km(10 * k, 10 * k + 10, 120), rel=1e-6)
    assert at(result, 125, 0) == 0
    assert result.mass.sum() == pytest.approx(1, abs=1e-12)
    assert (result.n, result.n_far, result.lost) == (1, 0, 0)


@pytest.mark.parametrize(("x", "own", "others"), [(-30, 1, 1 / 3), (0, 1 / 2, 1 / 2)])
def test_a_crossing_of_four_arms_splits_among_those_ahead(x, own, others):
    arms = [[(0, 0), (dx * 300, dy * 300)] for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    result = made(arms, [(x, 0)], bandwidth_m=120, lixel_m=10)
    for dx, dy in ((1, 0), (0, 1), (0, -1)):
        expected = per_km(40 - x, 50 - x, 120, others)
        assert at(result, dx * 45, dy * 45) == pytest.approx(expected, rel=1e-6)
    assert at(result, x - 45, 0) == pytest.approx(per_km(40, 50, 120, own), rel=1e-6)
    assert result.mass.sum() == pytest.approx(1, abs=1e-12)


def test_a_dead_end_cuts_off_what_lies_beyond_it():
    result = made([[(0, 0), (500, 0)]], [(40, 0)], bandwidth_m=120, lixel_m=10)
    beyond = quad(quartic, 40, 120, args=(120,))[0]
    assert result.lost == pytest.approx(beyond, rel=1e-6)
    assert result.mass.sum() == pytest.approx(1 - beyond, rel=1e-6)
    assert at(result, 5, 0) == pytest.approx(per_km(30, 40, 120), rel=1e-6)


def test_on_a_loop_both_ways_round_add_up():
    ring = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]
    result = made([ring], [(50, 0)], bandwidth_m=300, lixel_m=10)
    # The far side is 200 m away either way; beyond it each way goes on to 300 m.
    assert at(result, 55, 100) == pytest.approx(
        per_km(190, 200, 300) + per_km(200, 210, 300), rel=1e-6
    )
    assert result.mass.sum() == pytest.approx(1, abs=1e-12)


def test_streets_that_cross_without_a_common_vertex_stay_apart():
    result = made([[(-300, 0), (300, 0)], [(0, -300), (0, 300)]], [(-20, 0)], bandwidth_m=100)
    assert at(result, 0, 60) == 0
    assert at(result, 60, 0) > 0


def _walk(result, drawn, half, start, share, *, h):
    """Add the mass of each edge by plain recursion along all ways."""
    edges, halves = drawn
    key, length, lixels = edges[half[0]]
    for a, b, index in lixels:
        near, far = (a, b) if half[1] == 0 else (length - b, length - a)
        lo, hi = max(start + near, 0), max(start + far, 0)
        if hi > lo and lo < h:
            result[index] += share * quad(quartic, lo, min(hi, h), args=(h,))[0]
    distance = start + length
    node = key[1 - half[1]]
    if distance < h:
        ahead = [each for each in halves[node] if each != (half[0], 1 - half[1])]
        for each in ahead:
            _walk(result, drawn, each, distance, share / len(ahead), h=h)


@settings(max_examples=25, deadline=None)
@given(
    st.sets(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), min_size=1, max_size=12
    ),
    st.integers(0, 11),
    st.floats(0.05, 0.95),
    st.integers(60, 150),
)
def test_any_network_agrees_with_walking_all_ways(pieces, which, share, bandwidth):
    side = 50.0
    lines = sorted(
        ((x * side, y * side), ((x + right) * side, (y + (not right)) * side))
        for x, y, right in pieces
    )
    (ax, ay), (bx, by) = lines[which % len(lines)]
    event = (ax + share * (bx - ax), ay + share * (by - ay))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maps.network.streets.metric_crs", lambda _: CRS_M)
        result = made(lines, [event], bandwidth_m=bandwidth, lixel_m=50)
    # The oracle leaves every vertex a node: one of two arms passes all on.
    halves, edges = {}, []
    for number, ends in enumerate(lines):
        edges.append((ends, side, [(0, side, number)]))
        for end in (0, 1):
            halves.setdefault(ends[end], []).append((number, end))
    expected = np.zeros(len(lines))
    start = which % len(lines)
    drawn = edges, halves
    _walk(expected, drawn, (start, 0), -share * side, 1.0, h=bandwidth)
    _walk(expected, drawn, (start, 1), -(1 - share) * side, 1.0, h=bandwidth)
    found = [1e-3 * side * at(result, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in lines]
    assert found == pytest.approx(expected, abs=1e-6)
    assert result.mass.sum() + result.lost + result.dropped == pytest.approx(1, abs=1e-9)


def test_far_events_and_lines_without_length_are_counted():
    lines = [[(0, 0), (500, 0)], [(7, 7), (7, 7)]]
    result = made(lines, [(250, 0), (250, 49), (250, 51)], bandwidth_m=100)
    assert (result.n, result.n_far, result.n_empty) == (2, 1, 1)


@pytest.mark.parametrize(
    ("lines", "events", "why"),
    [
        ([], [(0, 0)], "no streets"),
        ([[(0, 0), (0, 0)]], [(0, 0)], "no length"),
        ([[(0, 0), (100, 0)]], [(0, 5000)], "none of 1 events is within 50 m"),
    ],
)
def test_bad_input_says_what_is_wrong(lines, events, why):
    with pytest.raises(BadInput, match=why):
        made(lines, events)


def test_a_kernel_far_wider_than_blocks_is_refused():
    at = [100.0 * k for k in range(31)]
    lines = [[(x, y) for y in at] for x in at] + [[(x, y) for x in at] for y in at]
    events = [(1500, 1550), (1450, 1500)]
    assert made(lines, events, bandwidth_m=400).dropped < 0.05
    with pytest.raises(BadInput, match=r"1,500 m \(gaussian\) .* would be left out"):
        made(lines, events, bandwidth_m=1500, kernel="gaussian")


def test_streets_need_a_coordinate_system_that_fits():
    line = LineString([(EAST, NORTH), (EAST + 100, NORTH)])
    for crs, why in ((None, "name no coordinate system"), (4326, "do not fit")):
        with pytest.raises(BadInput, match=why):
            network.along([117], [39.7], gpd.GeoSeries([line], crs=crs), start=START, end=END)
