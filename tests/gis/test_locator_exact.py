"""The index answers as rational arithmetic does, on borders and a hair beside them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon, box

from bench.locating.layers import tiling
from gis.locator import Locator, build
from gis.locator.cells import Frame
from gis.locator.predicates import exact_side, moved_left
from gis.locator.predicates import side as fast_side
from tests.gis.rational import Oracle, hard_points, side

if TYPE_CHECKING:
    from collections.abc import Sequence

# What an edge may have: zero, and sizes that are neither absurdly small nor large.
vertex = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1, 1).map(lambda x: 0.0 if abs(x) < 2.0**-400 else x),
    st.floats(-(2.0**49), 2.0**49).map(lambda x: 0.0 if abs(x) < 2.0**-400 else x),
    st.sampled_from([2.0**-400, 2.0**49, -(2.0**49), math.nextafter(1, 2), 0.1, 0.3]),
)
place = st.one_of(vertex, st.floats(-1, 1), st.sampled_from([5e-324, -5e-324, 1e-310]))


@settings(max_examples=500)
@given(u=st.tuples(vertex, vertex), v=st.tuples(vertex, vertex), p=st.tuples(place, place))
def test_side_of_any_line(u: tuple[float, ...], v: tuple[float, ...], p: tuple[float, ...]) -> None:
    assert exact_side(*u, *v, *p) == side(u, v, p)


@settings(max_examples=500)
@given(
    u=st.tuples(vertex, vertex),
    v=st.tuples(vertex, vertex),
    share=st.floats(0, 1),
    ulps=st.tuples(st.integers(-2, 2), st.integers(-2, 2)),
)
def test_side_a_hair_beside_the_line(
    u: tuple[float, ...], v: tuple[float, ...], share: float, ulps: tuple[int, int]
) -> None:
    p = [a + share * (b - a) for a, b in zip(u, v, strict=True)]
    p = [x + n * math.ulp(x) for x, n in zip(p, ulps, strict=True)]
    assert exact_side(*u, *v, *p) == side(u, v, p)


def test_side_in_the_kernels_is_sure_only_when_right() -> None:
    """Through ``moved_left``, which is compiled on its own here and inlined in the lookups."""
    rng = np.random.default_rng(4)
    for _ in range(3000):
        u, v = rng.uniform(100, 101, (2, 2))
        p = u + rng.random() * (v - u)
        expected = side(u, v, p)
        assert fast_side(*u, *v, *p) == expected
        if expected:
            assert moved_left(*u, *v, *p) == (expected > 0)


def check(
    shapes: Sequence[Any], ids: Sequence[Any], points: np.ndarray, cells_per_edge: float = 2.0
) -> Locator:
    """Compare the answers for points with those of the oracle, together and one by one."""
    locator = Locator.build(shapes, ids, geographic=False, cells_per_edge=cells_per_edge)
    oracle = Oracle(shapes, ids)
    expected = [oracle.locate(*each) for each in points.tolist()]
    assert locator.locate(*points.T).tolist() == expected
    assert [locator.locate_one(*each) for each in points[:50].tolist()] == expected[:50]
    return locator


def test_forty_thousand_hard_points_of_a_tiling() -> None:
    shapes = tiling(400)
    ids = np.random.default_rng(3).permutation(len(shapes))
    check(shapes, ids.tolist(), hard_points(shapes, 40_000))


# Coordinates of few values meet on vertices and edges; random doubles never do.
corner = st.one_of(st.integers(0, 4).map(float), st.floats(0, 4), st.just(0.1), st.just(1 / 3))
triangle = st.lists(st.tuples(corner, corner), min_size=3, max_size=3)


def pieces(triangles: list[list[tuple[float, float]]]) -> list[Any]:
    """Valid polygons of triangles, in part cut out of and joined with the ones before."""
    shapes: list[Any] = []
    for k, corners in enumerate(triangles):
        shape = Polygon(corners)
        if k % 3 == 1 and shapes:
            shape = shape.difference(shapes[-1])
        if k % 3 == 2 and shapes:
            shape = shape.union(shapes[-1])
        sizes = np.abs(shapely.get_coordinates(shape))
        tiny = ((sizes > 0) & (sizes < 2.0**-400)).any()
        if shape.geom_type in {"Polygon", "MultiPolygon"} and shape.is_valid and not tiny:
            shapes += [] if shape.is_empty else [shape]
    return shapes


@pytest.mark.parametrize("fewest", [1.0, 1024.0])
@given(triangles=st.lists(triangle, min_size=1, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_any_polygons_at_hard_points(
    triangles: list[list[tuple[float, float]]], seed: int, fewest: float
) -> None:
    shapes = pieces(triangles)
    if not shapes:
        return
    ids = np.random.default_rng(seed).permutation(len(shapes)).tolist()
    points = hard_points(shapes, 60, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "FEWEST_CELLS", fewest)
        check(shapes, ids, points, cells_per_edge=min(fewest, 2.0) / 8)


@pytest.mark.parametrize("size", [0.5, 1.0, 4.0])
@given(
    triangles=st.lists(
        st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 2), min_size=3, max_size=3),
        min_size=1,
        max_size=12,
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_anchors_upon_vertices_and_edges(
    triangles: list[list[tuple[float, float]]], seed: int, size: float
) -> None:
    """Cells whose sides and anchors have the very coordinates of the polygons' vertices."""
    shapes = pieces(triangles)
    if not shapes:
        return
    count = int(8 / size)
    frame = Frame(-size, -size / 2, size, size, 1 / size, 1 / size, count, count)
    ids = np.random.default_rng(seed).permutation(len(shapes)).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "_frame", lambda *_: frame)
        check(shapes, ids, hard_points(shapes, 60, seed))


def test_many_polygons_meet_in_a_point() -> None:
    """More candidates than one record holds, and cells that no cutting makes less crowded."""
    angles = np.linspace(0, 2 * np.pi, 61)
    rim = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rim[-1] = rim[0]
    pie = [Polygon([(0, 0), a, b]) for a, b in pairwise(rim)]
    ids = np.random.default_rng(1).permutation(60).tolist()
    points = np.concatenate(
        [hard_points(pie, 1500), np.random.default_rng(2).normal(0, 1e-7, (500, 2)), [[0.0, 0.0]]]
    )
    found = check(pie, ids, points).locate(0, 0)
    assert ids[found[0]] == 0


def test_polygons_upon_each_other() -> None:
    """Thirty boxes, each within the one before: with rising ids only the outermost answers."""
    nested = [box(k / 7, k / 7, 20 - k / 7, 20 - k / 7) for k in range(30)]
    points = hard_points(nested, 1000)
    check(nested, list(range(30)), points)
    check(nested, list(range(30))[::-1], points)
    assert (Locator.build(nested, range(30)).locate(*points.T) <= 0).all()


def test_unnoded_neighbours() -> None:
    """Three boxes along the side of a long one, whose side has no vertex where they meet."""
    shapes = [box(0, 0, 1, 0.3), *(box(k / 3, 0.3, (k + 1) / 3, 1) for k in range(3))]
    for ids in ([0, 1, 2, 3], [3, 2, 1, 0]):
        check(shapes, ids, hard_points(shapes, 800))


def test_slivers_islands_and_enclaves() -> None:
    shapes = [
        Polygon([(0, 0), (1, 1e-15), (1, 0)]),
        Polygon([(0, 0), (1, 1e-15), (0, 1)]),
        box(3, 3, 8, 8).difference(MultiPolygon([box(4, 4, 5, 5), box(6, 6, 7, 7)])),
        MultiPolygon([box(4, 4, 5, 5), box(6.25, 6.25, 6.5, 6.5)]),
        # A hole that touches the outer ring, and a part that touches another at one corner.
        Polygon([(10, 0), (14, 0), (14, 4), (10, 4)], [[(10, 2), (12, 1), (12, 3)]]),
        MultiPolygon([box(10, 5, 11, 6), box(11, 6, 12, 7)]),
    ]
    check(shapes, [3, 1, 5, 0, 2, 4], hard_points(shapes, 2000))


def test_crowd_in_a_corner_of_a_wide_layer() -> None:
    """A town of a few metres in a steppe of degrees: cells are cut again where it lies."""
    town = [
        box(0.5 + x * 1e-7, 0.5 + y * 1e-7, 0.5 + (x + 1) * 1e-7, 0.5 + (y + 1) * 1e-7)
        for x in range(12)
        for y in range(12)
    ]
    around = box(-50, -50, 50, 50).difference(shapely.union_all(town))
    shapes = [around, *town]
    check(shapes, list(range(len(shapes))), hard_points(shapes, 2000))


def test_zeros_of_either_sign_and_subnormal_points() -> None:
    shapes = [Polygon([(-1, -0.0), (1, 0.0), (1, 1), (-1, 1)]), box(-1, -1, 1, 0)]
    assert (Locator.build(shapes, [1, 0])._borders.arc_starts[-1]) < 12  # the border is shared
    tiny = [0.0, -0.0, 5e-324, -5e-324, 1e-300, -1e-300]
    points = np.array([(x, y) for x in (*tiny, 0.5, -1.0) for y in tiny])
    check(shapes, [1, 0], points)
    check(shapes, [0, 1], points)
    slanted = [Polygon([(-1, -1), (3, 1), (-1, 1)]), Polygon([(-1, -1), (3, 1), (3, -1)])]
    check(slanted, [0, 1], np.array([(1 + 2 * x, x) for x in tiny] + [(1.0, x) for x in tiny]))


def test_layer_of_a_few_doubles_across() -> None:
    x, y = np.nextafter(116.4, np.inf), 39.9
    steps = [x + k * math.ulp(x) for k in range(4)], [y + k * math.ulp(y) for k in range(4)]
    shapes = [box(a, steps[1][0], b, steps[1][3]) for a, b in pairwise(steps[0])]
    points = np.array([(a, b) for a in (116.4, *steps[0]) for b in (39.8, *steps[1], 40.0)])
    check(shapes, [2, 0, 1], points)


def test_large_plane_coordinates() -> None:
    shapes = [box(5e14, -3e14, 5.4e14, -2e14), box(4e14, -3e14, 5e14, -2.5e14)]
    check(shapes, [0, 1], hard_points(shapes, 400))
