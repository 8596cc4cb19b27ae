"""Small files to import, made by each test as it needs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from api import cli
from data.importers.run import run_import
from gis.cluster import Cluster
from gis.database import Database, execute
from tests.conftest import fresh

COUNTY = "990001"
TOWN = "990001001"
VILLAGES = (f"{TOWN}001", f"{TOWN}002")
# Two villages side by side, a hundredth of a degree wide and high.
SQUARES = (shapely.box(110, 40, 110.01, 40.01), shapely.box(110.01, 40, 110.02, 40.01))

Writer = Callable[..., Path]


def rows_of(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """What a query of the owner finds."""
    with database.transaction() as session:
        return [tuple(row) for row in execute(session, sql)]


@pytest.fixture
def csv(tmp_path: Path) -> Writer:
    def write(name: str, text: str, *, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def drawn(tmp_path: Path) -> Writer:
    def write(
        name: str,
        geometry: Sequence[Any],
        columns: dict[str, Sequence[Any]] | None = None,
        *,
        crs: str | None = "EPSG:4326",
        layer: str | None = None,
    ) -> Path:
        path = tmp_path / name
        frame = gpd.GeoDataFrame(columns or {}, geometry=list(geometry), crs=crs)
        if path.suffix == ".parquet":  # needs no GDAL, so the tests need not wait for its process
            frame.to_parquet(path)
        else:
            frame.to_file(path, **({"layer": layer} if layer else {}))
        return path

    return write


@pytest.fixture
def xlsx(tmp_path: Path) -> Writer:
    def write(name: str, columns: dict[str, Sequence[Any]], **more: dict[str, Any]) -> Path:
        """A book of one sheet; further sheets by their names."""
        path = tmp_path / name
        with pd.ExcelWriter(path) as book:
            pd.DataFrame(columns).to_excel(book, sheet_name=path.stem, index=False)
            for sheet, rows in more.items():
                pd.DataFrame(rows).to_excel(book, sheet_name=sheet, index=False)
        return path

    return write


@pytest.fixture(scope="session")
def place_template(
    test_cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Name of a database with two villages, imported once, to copy from."""
    rows = zip(VILLAGES, ("东村", "西村"), SQUARES, strict=True)
    text = "".join(f'{code},{name},"{shape.wkt}"\n' for code, name, shape in rows)
    path = tmp_path_factory.mktemp("place") / "place.csv"
    path.write_text("code,name,wkt\n" + text, encoding="utf-8")
    for database in fresh(test_cluster, template):
        run_import("units", path, crs="wgs84", database=database, commit=True)
        # A database that anybody is connected to cannot be copied.
        database.engine.dispose()
        name = database.engine.url.database
        assert name is not None
        yield name


@pytest.fixture
def place(test_cluster: Cluster, place_template: str) -> Iterator[Database]:
    """A database of this test's own with two villages."""
    yield from fresh(test_cluster, place_template)


@pytest.fixture
def grids(drawn: Writer, place: Database) -> Database:
    """Two grids in the first village, one in the second, published."""
    quarters = [shapely.box(110, 40, 110.005, 40.01), shapely.box(110.005, 40, 110.01, 40.01)]
    path = drawn("grids.parquet", [*quarters, SQUARES[1]], {"户数": [300, 310, 290]})
    report = run_import("grids", path, database=place, commit=True)
    assert (report.new, report.rejected) == (3, 0)
    assert run_import("grids", path, database=place).unchanged == 3
    with place.transaction() as session:
        execute(
            session,
            "UPDATE editions SET status = 'active', valid = tstzrange('2024-01-01', NULL), "
            "approver = 'leader', published_at = now()",
        )
    return place


class Commands:
    """Runs commands in this process; keeps exit code and what was printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "argv", ["wangge", *map(str, words)])
        self._capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        written = self._capsys.readouterr()
        return code, written.out + written.err


@pytest.fixture
def wangge(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: Database
) -> Commands:
    """The command line on an empty database."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("WANGGE_DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    return Commands(monkeypatch, capsys)
