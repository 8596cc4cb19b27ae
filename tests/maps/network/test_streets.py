"""Pieces of streets: an independent cut of each edge as the oracle."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.ops import substring

from maps.network import density, layer
from maps.network import streets as network
from maps.network.lixels import cut

EAST, NORTH = 500_000.0, 4_400_000.0

PLACES = st.tuples(st.integers(0, 12), st.integers(0, 12))
LINES = st.lists(st.lists(PLACES, min_size=2, max_size=6, unique=True), min_size=1, max_size=6)


def _made(lines: list[list[tuple[int, int]]], side_m: float) -> network.Streets:
    """Streets whose plane coordinates stay as drawn, so that their lengths are whole numbers."""
    drawn = gpd.GeoSeries(
        [
            shapely.LineString([(EAST + side_m * x, NORTH + side_m * y) for x, y in line])
            for line in lines
        ],
        crs=32650,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "metric_crs", lambda _: drawn.crs)
        return network.streets_of(drawn)


# Sides of 5 m put vertices exactly at cuts of 10 m, and many an edge in one piece.
@given(LINES, st.sampled_from([5.0, 7.3, 40.0]), st.sampled_from([10.0, 16.7, 1_000.0]))
def test_pieces_are_those_of_cutting_edge_by_edge(lines, side_m, lixel_m) -> None:
    made = _made(lines, side_m)
    lixels = cut(made, lixel_m)
    pieces = lixels.lines(made).shapes()
    expected = [
        substring(edge, i * step, (i + 1) * step)
        for edge, step, many in zip(made.edges, lixels.length_m, np.diff(lixels.first), strict=True)
        for i in range(many)
    ]
    assert len(pieces) == len(expected)
    assert shapely.get_type_id(pieces).tolist() == [1] * len(expected)
    # Of a bend and a cut in one point, one vertex is left: as lines they are the same.
    assert shapely.hausdorff_distance(pieces, expected) == pytest.approx(0, abs=1e-6)
    assert shapely.length(pieces) == pytest.approx(
        np.repeat(lixels.length_m, np.diff(lixels.first)), abs=1e-6
    )
    points, of = shapely.get_coordinates(pieces, return_index=True)
    inside = np.hypot(*np.diff(points, axis=0).T)[of[1:] == of[:-1]]
    assert inside.min() > 1e-7, "no piece has a vertex twice"


@given(LINES)
def test_edges_hold_every_segment_once_and_end_at_nodes(lines) -> None:
    made = _made(lines, 100.0)
    drawn = {frozenset(pair) for line in lines for pair in pairwise(line)}
    _, of = shapely.get_coordinates(made.edges, return_index=True)
    joined = of[1:] == of[:-1]
    assert joined.sum() == len(drawn)
    # Every place of an end is one node, whichever edge says so; all else lies between two arms.
    ends = shapely.get_coordinates(shapely.get_point(made.edges, np.array([[0], [-1]]))).round(3)
    assert len(np.unique(np.column_stack([ends, made.ends.T.ravel()]), axis=0)) == len(
        np.unique(made.ends)
    )


def test_a_ring_is_one_edge_from_a_vertex_back_to_it() -> None:
    ring = [(0, 0), (3, 0), (3, 3), (0, 3), (0, 0)]
    made = _made([ring, [(7, 7), (9, 7)]], 10.0)
    assert (made.ends[:, 0] == made.ends[:, 1]).tolist() == [False, True]
    pieces = cut(made, 25.0).lines(made).shapes()
    assert len(pieces) == 1 + 5
    assert shapely.line_merge(shapely.multilinestrings(pieces[1:])).is_ring


def test_most_incidents_are_boxed_where_they_are_few_streets_of_many() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)
    # Metres of no zone in particular: a road of 40 km, and a town of 1 km at its end.
    shapes = [[(0, 0), (40_000, 0)], [(0, 0), (0, 1_000)], [(0, 20_000), (1, 20_000)]]
    lines = gpd.GeoSeries(
        [shapely.LineString([(EAST + x, NORTH + y) for x, y in each]) for each in shapes], crs=32650
    )
    town = gpd.GeoSeries(
        shapely.points(np.column_stack([np.full(30, EAST), NORTH + np.arange(30) * 30])), crs=32650
    ).to_crs(4326)
    made = density.along(town.x, town.y, lines, start=start, end=end)
    box = layer.bulk(made)
    assert box is not None
    west, south, east, north = (
        gpd.GeoSeries([shapely.box(*box)], crs=made.crs).to_crs(32650)[0].bounds
    )
    assert west < EAST + 50
    assert east < EAST + 2_000
    assert south < NORTH + 450 < north
    # Along a single street all of it is the place.
    road = lines[[0]]
    ends = gpd.GeoSeries(shapely.points([[EAST, NORTH], [EAST + 40_000, NORTH]]), crs=32650).to_crs(
        4326
    )
    assert layer.bulk(density.along(ends.x, ends.y, road, start=start, end=end)) is None
