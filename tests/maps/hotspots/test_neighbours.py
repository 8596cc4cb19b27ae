"""Neighbours: what touches what, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput
from maps.hotspots import Neighbours, neighbours_of
from tests.maps.hotspots.places import lattice, squares


def of(neighbours: Neighbours, row: int) -> list[int]:
    return neighbours.rows[neighbours.starts[row] : neighbours.starts[row + 1]].tolist()


def test_edges_and_corners_count() -> None:
    # 6 7 8
    # 3 4 5
    # 0 1 2
    made = lattice(3, 3)
    assert of(made, 4) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert of(made, 0) == [1, 3, 4]
    assert made.degrees.tolist() == [3, 5, 3, 5, 8, 5, 3, 5, 3]


def test_islands_are_named_and_a_bridge_joins_them() -> None:
    shapes = [*squares(2, 1), shapely.box(1000, 0, 1100, 100)]
    made = neighbours_of(shapes)
    assert made.islands.tolist() == [2]
    assert neighbours_of(shapes, bridges=[(2, 1)]).islands.tolist() == []
    assert of(made.linked([(1, 2), (2, 1)]), 1) == [0, 2]
    assert made.linked([]) is made


def test_minus_zero_is_zero() -> None:
    left = shapely.Polygon([(-1, 0.0), (-0.0, 0.0), (-0.0, 1), (-1, 1)])
    right = shapely.Polygon([(0.0, -0.0), (1, 0.0), (1, 1), (0.0, 1)])
    assert neighbours_of([left, right]).pairs().tolist() == [[0, 1]]


def test_a_corner_in_the_middle_of_an_edge_is_seen_on_the_ground_only() -> None:
    shapes = [shapely.box(0, 0, 2, 1), shapely.box(0.5, 1, 1.5, 2)]
    assert neighbours_of(shapes).islands.tolist() == [0, 1]
    assert neighbours_of(shapes, contact="ground").pairs().tolist() == [[0, 1]]


def test_holes_and_parts_touch_too() -> None:
    hole = shapely.box(4, 4, 6, 6)
    ring = shapely.box(0, 0, 10, 10).difference(hole)
    far = shapely.MultiPolygon([shapely.box(10, 10, 11, 11), shapely.box(90, 90, 91, 91)])
    assert neighbours_of([ring, hole, far]).pairs().tolist() == [[0, 1], [0, 2]]


def test_no_grids_and_one() -> None:
    assert neighbours_of([]).n == 0
    assert neighbours_of([shapely.box(0, 0, 1, 1)]).islands.tolist() == [0]


def test_everything_wrong_is_said_at_once() -> None:
    shapes = [shapely.box(0, 0, 1, 1), None, shapely.Point(1, 1), shapely.Polygon()]
    shapes.append(shapely.Polygon([(0, 0), (np.inf, 0), (1, 1)]))
    with pytest.raises(BadInput) as caught:
        neighbours_of(shapes, bridges=[(0, 9), (1, 1)])
    text = str(caught.value)
    assert "row 2, field polygons: 3 grids are no polygons" in text
    assert "row 5, field polygons: 1 grid has coordinates that are not finite" in text
    assert "(0, 9)" in text
    assert "to itself" in text
    with pytest.raises(BadInput, match="not whole numbers"):
        Neighbours(3, [(0.5, 1)])


@settings(max_examples=40, deadline=None)
@given(
    columns=st.integers(1, 6),
    rows=st.integers(1, 6),
    holes=st.sets(st.integers(0, 35), max_size=20),
    seed=st.integers(0, 9),
)
def test_vertices_and_ground_agree_on_a_tiling(
    columns: int, rows: int, holes: set[int], seed: int
) -> None:
    shapes = np.delete(
        squares(columns, rows), [each for each in holes if each < columns * rows], axis=0
    )
    np.random.default_rng(seed).shuffle(shapes)
    by_vertex, on_ground = neighbours_of(shapes), neighbours_of(shapes, contact="ground")
    assert by_vertex.pairs().tolist() == on_ground.pairs().tolist()
    table = by_vertex.matrix.toarray()
    assert (table == table.T).all()
    assert not table.diagonal().any()


def test_on_the_ground_rounding_parts_no_neighbours() -> None:
    row, column = np.divmod(np.arange(144), 12)
    x, y = 117 + column * 0.002, 45 + row * 0.002
    # The far sides are computed anew, so they miss the next grid's near side by the last bit.
    rounded = shapely.box(x, y, x + 0.002, y + 0.002)
    wanted = 2 * 12 * 11 + 2 * 11 * 11
    assert len(neighbours_of(rounded).pairs()) < wanted
    assert len(neighbours_of(rounded, contact="ground").pairs()) == wanted
    # A lane of a metre is no rounding.
    apart = shapely.box(x, y, x + 0.00199, y + 0.00199)
    assert not len(neighbours_of(apart, contact="ground").pairs())
