"""What is shown of grids, from a mapped file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gis.errors import BadInput
from grids.locating.facts import GridFacts
from grids.locating.table import GridTable

if TYPE_CHECKING:
    from pathlib import Path

GRIDS = [
    GridFacts(7, "990121101001001", "", "990121101001", "990121", "urban", 300, 300, 0.0),
    GridFacts(
        2**40, "990121101001002", "东街·第2网格 " + "长" * 90, "990121101001", "990121", "rural",
        299, 300, -1 / 300,
    ),
]  # fmt: skip


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    GridTable.write(tmp_path / "a.npy", GRIDS)
    table = GridTable.open(tmp_path / "a.npy")
    table.verify()
    assert list(table) == GRIDS
    assert table[-1] == table[0:][1] == GRIDS[1]
    assert table.grid_ids.tolist() == [7, 2**40]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("kept", [0, 4, 100, -40])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.npy"
    GridTable.write(path, GRIDS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadInput, match=r"a\.npy holds no grids"):
        GridTable.open(path)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    with pytest.raises(BadInput, match="holds no grids"):
        GridTable.open(tmp_path / "a.npy")
