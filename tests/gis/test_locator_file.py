"""The file of an index: whole or not at all, told from other files, and mapped."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, Polygon, box

from gis.errors import BadInput
from gis.locator import Locator, file

TILE = [box(x, y, x + 1, y + 1) for y in range(3) for x in range(3)]


def saved(folder: Path, **options: Any) -> Path:
    path = folder / "grids.locator"
    Locator.build(TILE, range(9), **options).save(path)
    return path


def test_metadata_and_version_are_kept(tmp_path: Path) -> None:
    told = {"edition": 7, "layer": "基础网格", "built_at": "2026-01-02T03:04:05Z", "of": [1, None]}
    path = saved(tmp_path, metadata=told)
    opened, built = Locator.open(path), Locator.build(TILE, range(9))
    assert opened.metadata == told
    assert opened.version == built.version  # of the layer, not of what is told about it
    assert len(opened.version) == 64
    assert Locator.build(TILE, range(1, 10)).version != built.version
    assert Locator.build(TILE[:8], range(8)).version != built.version
    assert Locator.build(TILE, range(9), geographic=False).version != built.version
    assert not Locator.build(TILE, range(9), geographic=False).geographic
    opened.verify()
    built.verify()


def test_metadata_that_json_cannot_say(tmp_path: Path) -> None:
    for told in ({"at": object()}, {"share": float("nan")}):
        with pytest.raises(BadInput, match="metadata"):
            saved(tmp_path, metadata=told)
    assert list(tmp_path.iterdir()) == []


def test_another_version_is_told_from_damage(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    for number, other in ((1, b"wangge-locator-1\n"), (3, b"wangge-locator 3\n")):
        path.write_bytes(other + content[len(file.FORMAT) :])
        with pytest.raises(BadInput, match=rf"grids.locator: .* format {number}; format 2 is read"):
            Locator.open(path)


@pytest.mark.parametrize("extra", [-1, 1, 4096])
def test_size_that_differs(tmp_path: Path, extra: int) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:extra] if extra < 0 else content + b"\0" * extra)
    with pytest.raises(BadInput, match=r"no locator file.*bytes instead of"):
        Locator.open(path)


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    """In the header at opening, in the arrays by verify, but for the zeros between them."""
    path = saved(tmp_path)
    content = path.read_bytes()
    used = np.zeros(len(content), dtype=bool)
    used[:100] = True
    start = 0
    for array in Locator.open(path)._content.arrays.values():  # in the order of the file
        start = content.index(array.tobytes(), start)
        used[start : start + array.nbytes] = True
    for place in np.random.default_rng(6).choice(np.flatnonzero(used), 60, replace=False):
        changed = bytearray(content)
        changed[place] ^= 1 << int(place) % 8
        path.write_bytes(bytes(changed))
        with pytest.raises(BadInput, match=r"damaged|format"):
            Locator.open(path).verify()


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            Locator.build(TILE[:3], range(3)).save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_replaced_while_mapped(tmp_path: Path) -> None:
    """Who has the old file open goes on with it; who opens it anew gets the new one."""
    path = saved(tmp_path)
    old = Locator.open(path)
    Locator.build([TILE[4]], ["only"]).save(path)
    assert old.locate([0.5, 1.5], [0.5, 1.5]).tolist() == [0, 4]
    assert Locator.open(path).locate([0.5, 1.5], [0.5, 1.5]).tolist() == [-1, 0]
    path.unlink()
    assert old.locate(2.5, 2.5).tolist() == [8]


def test_mapped_and_not_to_be_written_to(tmp_path: Path) -> None:
    opened = Locator.open(saved(tmp_path))
    for array in opened._content.arrays.values():
        assert not array.flags.writeable
        assert not array.flags.owndata


def test_sent_to_another_process(tmp_path: Path) -> None:
    for locator in (Locator.build(TILE, range(9)), Locator.open(saved(tmp_path))):
        again = pickle.loads(pickle.dumps(locator))
        assert again.locate([0.5, 2.5], [0.5, 1.5]).tolist() == [0, 5]
        assert again.locate_one(2.5, 2.5) == 8
        assert again.version == locator.version


def test_geometries_come_back(tmp_path: Path) -> None:
    shapes = [
        box(0, 0, 9, 9).difference(MultiPolygon([box(1, 1, 2, 2), box(3, 3, 5, 5)])),
        MultiPolygon([box(1, 1, 2, 2), box(3, 3, 5, 5).difference(box(4, 4, 4.5, 4.5))]),
        Polygon([(9, 9), (9, 0), (12, 0.1), (12, 0.1), (10, 9)]),  # a vertex twice
        box(20, 20, 21, 21),
    ]
    ids = ["网格十", "b", "a", "\ud800 no character"]
    path = tmp_path / "x"
    Locator.build(shapes, ids).save(path)
    opened = Locator.open(path)
    assert list(opened.ids) == ids
    cleaned = shapely.remove_repeated_points(np.array(shapes, dtype=object))
    assert shapely.equals_exact(opened.geometries, cleaned, 0).all()


def test_coordinates_that_no_index_can_hold() -> None:
    with np.errstate(invalid="ignore"):
        none = [Polygon([(0, 0), (1, odd), (1, 1)]) for odd in (np.nan, np.inf)]
    shapes = [box(0, 0, 400, 1), box(0, 0, 1, 1e-200), box(44, 116, 45, 117), *none]
    with pytest.raises(BadInput) as caught:
        Locator.build(shapes, range(5))
    told = [str(each) for each in caught.value.problems]
    assert len(told) == 5
    assert [each[:5] for each in told] == ["row 4", "row 5", "row 2", "row 1", "row 3"]
    assert "(400" in told[3]
    assert "geographic=False" in told[3]
    with pytest.raises(BadInput, match=r"row 1: .*larger"):
        Locator.build([box(0, 0, 1e15, 1)], [1], geographic=False)
    for odd in (0.0, -1.0, 17.0, float("nan")):
        with pytest.raises(BadInput, match="cells_per_edge"):
            Locator.build([box(0, 0, 1, 1)], [1], cells_per_edge=odd)


def test_importing_loads_no_compiler() -> None:
    """It is loaded when a locator is made: commands that need none start without it."""
    program = "import sys, gis.locator; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path.cwd())
