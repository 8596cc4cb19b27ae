"""The same over Dask distributed: workers that see the files, that do not, and one that dies."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.bulk import cluster, pieces, work
from gis.errors import BadInput, Missing, Unavailable
from tests.data.bulk.conftest import ROWS, located

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gis.locator import Locator

pytestmark = [
    pytest.mark.usefixtures("_small"),
    # Dask's own, as its processes come and go.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def points(rows: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    rows.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("out", ["out.csv", "out"])
@pytest.mark.parametrize("is_shared", [True, False])
def test_comes_to_the_same(  # noqa: PLR0917 - a fixture each
    client: Any, locator: Locator, points: Path, tmp_path: Path, out: str, is_shared: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if not is_shared:
        monkeypatch.setattr(cluster, "all_see", lambda *_: False)
    alone = located(points, tmp_path / f"alone-{out}", locator)
    spread = cluster.Workers(client, locator)
    totals = located(points, tmp_path / out, locator, spread=spread)
    assert totals == alone
    assert totals.rows == ROWS
    if out == "out.csv":
        assert (tmp_path / out).read_bytes() == (tmp_path / f"alone-{out}").read_bytes()
    else:
        assert (tmp_path / out / "part-00003.parquet").read_bytes() == (
            tmp_path / f"alone-{out}" / "part-00003.parquet"
        ).read_bytes()
    assert client.run(lambda: len(cluster._opened)) == dict.fromkeys(client.nthreads(), 0), (
        "workers let go of the index"
    )


@pytest.mark.parametrize("is_shared", [True, False])
def test_folders_and_files_without_rows(  # noqa: PLR0917 - a fixture each
    client: Any, locator: Locator, rows: pd.DataFrame, tmp_path: Path, is_shared: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if not is_shared:
        monkeypatch.setattr(cluster, "all_see", lambda *_: False)
    for county, part in (("1", rows[:200]), ("2", rows[:0]), ("3", rows[200:])):
        (tmp_path / "points" / f"county={county}").mkdir(parents=True)
        part.to_parquet(tmp_path / "points" / f"county={county}" / "a.parquet")
    spread = cluster.Workers(client, locator)
    for out in ("out", "out.csv", "out.parquet"):
        located(tmp_path / "points", tmp_path / out, locator, spread=spread)
        located(tmp_path / "points", tmp_path / f"alone-{out}", locator)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "alone-out.csv").read_bytes()
    # The workers do not know that pieces are small here: their row groups are larger.
    for out in ("out.parquet", "out/county=2/a.parquet", "out/county=3/a.parquet"):
        found, wanted = (pq.ParquetFile(tmp_path / f"{way}{out}").read() for way in ("", "alone-"))
        assert found.equals(wanted)


def test_the_index_comes_to_each_worker_once(
    client: Any, locator: Locator, points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "all_see", lambda *_: False)
    held: set[tuple[str, tuple[tuple[str, int], ...]]] = set()
    pieces_done = []

    class Watching(cluster.Workers):
        """Looks after each piece at what the workers hold."""

        def results(self, *arguments: Any) -> Iterator[Any]:
            for each in super().results(*arguments):
                found = client.run(lambda: [(n, id(one)) for n, one in cluster._opened.items()])
                held.update((worker, tuple(one)) for worker, one in found.items())
                pieces_done.append(each)
                yield each

    located(points, tmp_path / "out.csv", locator, spread=Watching(client, locator))
    assert len(pieces_done) > 2 * len(client.nthreads())
    assert {worker for worker, _ in held} == set(client.nthreads())
    assert len(held) == len(client.nthreads()), "opened anew between two pieces"
    assert {len(one) for _, one in held} == {1}


def test_a_worker_that_dies_is_made_up_for(
    client: Any, locator: Locator, points: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    class Killing(cluster.Workers):
        """Kills a worker as soon as it has an answer."""

        def results(self, *arguments: Any) -> Iterator[Any]:
            for each in super().results(*arguments):
                if not killed:
                    killed.extend(list(client.run(os.getpid).values())[:1])
                    os.kill(killed[0], signal.SIGKILL)
                yield each

    totals = located(points, tmp_path / "out.csv", locator, spread=Killing(client, locator))
    assert killed
    located(points, tmp_path / "alone.csv", locator)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()
    assert totals.rows == ROWS


def test_a_scheduler_of_somebody_else(
    client: Any, locator: Locator, points: Path, tmp_path: Path
) -> None:
    left = cluster.Index("wangge-index-left", locator.version, str(tmp_path / "gone"), None)
    client.register_plugin(cluster.plugin(left.name, [left]))  # by a run that was killed
    with cluster.connected(client.scheduler.address) as connected:
        spread = cluster.Workers(connected, locator)
        located(points, tmp_path / "out.csv", locator, spread=spread)
    located(points, tmp_path / "alone.csv", locator)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()
    client.unregister_worker_plugin(left.name)


def test_a_worker_without_the_index_says_so(client: Any, locator: Locator, points: Path) -> None:
    source = pieces.Source(points)
    where, piece = work.describe(source, lon=None, lat=None, crs="auto")
    task = work.Task(source.shape, where, "code", ".csv", keeps_geometry=False, keeps_folders=False)
    future = client.submit(cluster._work, piece, None, task, "of nobody")
    with pytest.raises(Unavailable, match="does not see the grids' index"):
        future.result()


def test_what_is_wrong_with_the_input_is_told_as_here(
    client: Any, locator: Locator, tmp_path: Path
) -> None:
    lines = ["name,lon,lat"] + [f"n{n},117.01,45.01" for n in range(400)]
    lines[300] = "n,117.01"
    (tmp_path / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadInput, match="row 300: it has 2 values for 3 columns"):
        located(
            tmp_path / "points.csv", tmp_path / "out.csv", locator,
            spread=cluster.Workers(client, locator),
        )  # fmt: skip


@pytest.mark.parametrize("address", ["local:", "local:0", "local:two"])
def test_no_number_of_processes(address: str) -> None:
    with pytest.raises(BadInput, match="names no number of processes"), cluster.connected(address):
        pass


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with (
        pytest.raises(BadInput, match=r"no scheduler answers at tcp://127\.0\.0\.1:9.*dask worker"),
        cluster.connected("tcp://127.0.0.1:9"),
    ):
        pass


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(cluster, "import_module", missing)
    with (
        pytest.raises(Missing, match=r"pip install 'wangge\[dask\]'"),
        cluster.connected("local:2"),
    ):
        pass
