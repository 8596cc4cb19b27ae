"""Grids to locate in, small pieces, and what a run should come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from data.bulk import cluster, csv_blocks, pieces
from data.bulk.run import locate_file
from gis.locator import Locator
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.bulk.output import Totals

ROWS = 500


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """Two processes of this machine, with one thread each."""
    with cluster.connected("local:2") as connected:
        yield connected


@pytest.fixture(scope="session")
def locator() -> Locator:
    grids = factories.squares()
    return Locator.build(grids.geometry.to_numpy(), grids["code"].to_numpy())


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that these files have many."""
    monkeypatch.setattr(csv_blocks, "BLOCK", 2000)
    monkeypatch.setattr(pieces, "PIECE_ROWS", 64)


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    """Points in and around the grids; some texts are what CSV finds hard."""
    rng = np.random.default_rng(5)
    step = factories.STEP
    texts = ["七号楼", 'say "hi"', "two\nlines", "a, b", "", '5" pipe', "\r\n", '"']
    return pd.DataFrame(
        {
            "name": [texts[n % len(texts)] + str(n) for n in range(ROWS)],
            "lon": factories.WEST + (rng.random(ROWS) * 5 - 0.5) * step,
            "lat": factories.SOUTH + (rng.random(ROWS) * 2 - 0.5) * step,
            "code": [f"{n:04}" for n in range(ROWS)],
        }
    )


@pytest.fixture(scope="session")
def grid_of(rows: pd.DataFrame, locator: Locator) -> list[str]:
    """The grid of each of the rows, one by one; empty for none."""
    found = [
        locator.locate_one(lon, lat) for lon, lat in zip(rows["lon"], rows["lat"], strict=True)
    ]
    assert 0 < sum(each < 0 for each in found) < ROWS
    return ["" if each < 0 else str(locator.ids[each]) for each in found]


def located(points: Path, out: Path, locator: Locator, **more: Any) -> Totals:
    return locate_file(points, out, locator, id_column="code", **more)
