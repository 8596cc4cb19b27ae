"""The compiled index answers exactly as the polygons themselves do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon, box

from gis.errors import BadInput
from gis.locator import Layers, Locator

if TYPE_CHECKING:
    from pathlib import Path

TILE = [box(x, y, x + 1, y + 1) for y in range(3) for x in range(3)]


def brute(shapes: list[Any], ids: list[Any], x: float, y: float) -> int:
    """Position of the covering polygon with the smallest id, by asking every one; -1 for none."""
    covering = [(ids[k], k) for k in range(len(shapes)) if shapes[k].covers(Point(x, y))]
    return min(covering)[1] if covering else -1


# Whole and half numbers fall on borders and corners as often as beside them.
coordinate = st.one_of(
    st.integers(-1, 4).map(float),
    st.integers(-2, 8).map(lambda n: n / 2),
    st.floats(-0.5, 3.5),
    st.just(np.nextafter(1.0, 2.0)),
    st.just(np.nextafter(1.0, 0.0)),
)
point = st.tuples(coordinate, coordinate)


@given(points=st.lists(point, min_size=1, max_size=30), ids=st.permutations(range(9)))
def test_tiling_answers_as_every_polygon_asked(
    points: list[tuple[float, float]], ids: list[int]
) -> None:
    found = Locator.build(TILE, ids).locate(*np.transpose(points))
    assert found.tolist() == [brute(TILE, list(ids), x, y) for x, y in points]


@given(
    corners=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 4), st.integers(1, 4)),
        min_size=1,
        max_size=8,
    ),
    points=st.lists(point.map(lambda p: (p[0] * 2, p[1] * 2)), min_size=1, max_size=20),
)
def test_overlapping_polygons_with_text_ids(
    corners: list[tuple[int, int, int, int]], points: list[tuple[float, float]]
) -> None:
    shapes = [box(x, y, x + w, y + h) for x, y, w, h in corners]
    ids = [f"{7 * k % 11}" for k in range(len(shapes))]
    found = Locator.build(shapes, ids).locate(*np.transpose(points))
    assert found.tolist() == [brute(shapes, ids, x, y) for x, y in points]


def test_hole_and_its_border() -> None:
    ring = Polygon(box(0, 0, 3, 3).exterior.coords, [box(1, 1, 2, 2).exterior.coords])
    alone = Locator.build([ring], ["b"])
    assert alone.locate([1.5, 1.0, 0.5], [1.5, 1.5, 0.5]).tolist() == [-1, 0, 0]
    with_enclave = Locator.build([ring, box(1, 1, 2, 2)], ["b", "a"])
    assert with_enclave.locate([1.5, 1.0, 0.5], [1.5, 1.5, 0.5]).tolist() == [1, 1, 0]


def test_multipart() -> None:
    parts = MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 6)])
    located = Locator.build([parts, box(1, 0, 2, 1)], [2, 1]).locate(
        [0.5, 5.5, 3, 1], [0.5, 5.5, 3, 0.5]
    )
    assert located.tolist() == [0, 0, -1, 1]


def test_four_grid_corner_in_any_order() -> None:
    four = [box(x, y, x + 1, y + 1) for x in (0, 1) for y in (0, 1)]
    for ids in ([1, 2, 3, 4], [4, 3, 2, 1], [2, 1, 4, 3]):
        (found,) = Locator.build(four, ids).locate(1, 1)
        assert ids[found] == 1


@pytest.mark.parametrize(
    ("ids", "smallest"),
    [
        (["9", "10"], "10"),  # text sorts as text
        ([9, 10], 9),  # numbers as numbers
        ([10.5, -2], -2),
        (["网格2", "网格10"], "网格10"),
        ([9, "10"], "10"),  # one text makes them all text
        (["a", "B"], "B"),
        (["001", "01"], "001"),
    ],
)
def test_smallest_id(ids: list[Any], smallest: Any) -> None:
    (found,) = Locator.build([box(0, 0, 1, 1), box(1, 0, 2, 1)], ids).locate(1, 0.5)
    assert ids[found] == smallest


def test_points_that_are_none() -> None:
    located = Locator.build(TILE, range(9)).locate(
        [np.nan, 0.5, np.inf, -np.inf, 0.5], [0.5, np.nan, 0.5, 0.5, 0.5]
    )
    assert located.tolist() == [-1, -1, -1, -1, 0]
    assert located.dtype == np.int64


def test_no_points_and_no_polygons() -> None:
    assert Locator.build(TILE, range(9)).locate([], []).tolist() == []
    nothing = Locator.build([], [])
    assert len(nothing) == 0
    assert nothing.locate([1, 2], [1, 2]).tolist() == [-1, -1]


def test_many_points_with_nan_between() -> None:
    random = np.random.default_rng(1)
    x, y = random.uniform(-0.5, 3.5, (2, 100))
    x[::9] = np.nan
    found = Locator.build(TILE, range(9)).locate(x, y)
    expected = [
        -1 if np.isnan(a) else brute(TILE, list(range(9)), a, b) for a, b in zip(x, y, strict=True)
    ]
    assert found.tolist() == expected


def test_lengths_that_differ() -> None:
    with pytest.raises(BadInput, match="2 geometries but 1 ids"):
        Locator.build(TILE[:2], [1])
    with pytest.raises(BadInput, match="3 longitudes but 2 latitudes"):
        Locator.build(TILE, range(9)).locate([1, 2, 3], [1, 2])


def test_every_problem_at_once() -> None:
    bow = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    shapes = [box(0, 0, 1, 1), bow, None, Polygon(), Point(1, 1), box(2, 2, 3, 3)]
    with pytest.raises(BadInput) as caught:
        Locator.build(shapes, ["a", "b", "c", "d", "e", "a"])
    told = [str(each) for each in caught.value.problems]
    assert len(told) == 5
    assert "id a appears 2 times" in told[0]
    assert "row 2" in told[1]
    assert "Self-intersection" in told[1]
    assert "row 3" in told[2]
    assert "row 4" in told[3]
    assert "Point covers nothing" in told[4]


@pytest.mark.parametrize("ids", [list(range(9)), [f"网格{k}" for k in range(9)]])
def test_saved_and_opened_answers_the_same(tmp_path: Path, ids: list[Any]) -> None:
    shapes = [*TILE[:8], MultiPolygon([TILE[8], box(7, 7, 8, 8)])]
    built = Locator.build(shapes, ids)
    file = tmp_path / "grids.locator"
    built.save(file)
    opened = Locator.open(file)
    assert list(opened.ids) == list(built.ids)
    assert shapely.equals_exact(opened.geometries, built.geometries, 0).all()
    x, y = np.random.default_rng(2).uniform(-1, 8.5, (2, 500)).round(1)
    assert opened.locate(x, y).tolist() == built.locate(x, y).tolist()


def test_saved_empty(tmp_path: Path) -> None:
    Locator.build([], []).save(tmp_path / "none")
    assert len(Locator.open(tmp_path / "none")) == 0


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    file = tmp_path / "grids.locator"
    Locator.build(TILE, range(9)).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match="no locator file"):
        Locator.open(file)


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_flipped_bit_never_changes_an_answer(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    file = tmp_path_factory.mktemp("locator") / "grids.locator"
    Locator.build(TILE, range(9)).save(file)
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(bytes(content))
    try:
        opened = Locator.open(file)
        opened.verify()
    except BadInput:
        return
    # What is still taken was not touched where it matters.
    assert list(opened.ids) == list(range(9))
    assert shapely.equals_exact(opened.geometries, np.array(TILE), 0).all()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no", b"\x93NUMPY", b"hello", b"\x00" * 1000, b"\x80\x04N."]
)
def test_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "foreign"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="foreign"):
        Locator.open(file)


def test_other_arrays_and_no_file_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.savez(file, a=np.arange(3))
    with (tmp_path / "y.npy").open("wb") as file:
        np.save(file, np.arange(3))
    for name in ("x.npz", "y.npy", "not-there"):
        with pytest.raises(BadInput, match=name):
            Locator.open(tmp_path / name)


def test_several_layers_in_one_call() -> None:
    base = Locator.build(TILE, range(9))
    exclusive = Locator.build([box(0.25, 0.25, 0.75, 0.75)], ["market"])
    units = Locator.build([box(0, 0, 3, 1.5), box(0, 1.5, 3, 3)], ["a", "b"])
    layers = Layers({"base": base, "exclusive": exclusive, "unit": units}, ["exclusive", "base"])
    assert layers.locate_one(0.5, 0.5) == {"base": 0, "exclusive": 0, "unit": 0}
    assert layers.locate_one(2.5, 2.5) == {"base": 8, "exclusive": -1, "unit": 1}
    assert layers.answer_one(0.5, 0.5) == ("exclusive", 0)
    assert layers.answer_one(0.9, 0.5) == ("base", 0)
    assert layers.answer_one(9, 9) is None
    many = layers.locate([0.5, 9], [0.5, 9])
    assert {name: found.tolist() for name, found in many.items()} == {
        "base": [0, -1],
        "exclusive": [0, -1],
        "unit": [0, -1],
    }
    with pytest.raises(KeyError, match="micro"):
        Layers({"base": base}, ["micro"])
