"""``wangge gridmap``: of files and of the database, for the case team and to share."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyogrio
import pytest

from grids.incidents import service
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

FIRST = datetime(2026, 2, 2, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Grids of which one has no households, and points: nine, two and six."""
    frame = factories.squares().astype({"households": float})
    frame.loc[3, "households"] = None
    pyogrio.write_dataframe(frame, tmp_path / "grids.gpkg")
    rows = ["lon,lat,reported_at,category"]
    for place, count in ((0, 9), (1, 2), (3, 6)):
        lon, lat = factories.middle(place)
        rows += [
            f"{lon},{lat},{FIRST + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ},"
            f"{'neighbour' if number % 2 else 'other'}"
            for number in range(count)
        ]
    (tmp_path / "points.csv").write_text("\n".join(rows), encoding="utf-8")
    return ["gridmap", "--grids", f"{tmp_path}/grids.gpkg", "--points", f"{tmp_path}/points.csv",
            "--crs", "wgs84"]  # fmt: skip


def written(path: Path) -> list[dict[str, Any]]:
    return [each["properties"] for each in json.loads(path.read_text("utf-8"))["features"]]


def test_of_files(wangge: Callable[..., Done], files: list[str], tmp_path: Path) -> None:
    out = tmp_path / "map.geojson"
    done = wangge(*files, "--out", out, "--measure", "rate")
    assert done.code == 0, done.err
    assert "17 incidents in 4 grids" in done.out
    rows = written(out)
    assert [row["incidents"] for row in rows] == [9, 2, 0, 6]
    assert [row["state"] for row in rows] == ["shown"] * 3 + ["unknown"]
    assert rows[3]["value"] is None
    for name in ("map.html", "map.pdf", "map.png", "map.csv", "map.gpkg"):
        assert wangge(*files, "--out", tmp_path / name).code == 0
        assert (tmp_path / name).stat().st_size > 500
    some = wangge(*files, "--out", out, "--category", "other", "--measure", "count")
    assert "9 incidents" in some.out


def test_one_event_without_a_period_is_of_a_day(
    wangge: Callable[..., Done], files: list[str], tmp_path: Path
) -> None:
    lon, lat = factories.middle(0)
    points = tmp_path / "points.csv"
    points.write_text(f"lon,lat,reported_at\n{lon},{lat},2026-02-02T00:00:00Z\n", encoding="utf-8")
    done = wangge(*files, "--out", tmp_path / "map.geojson", "--measure", "rate")
    assert done.code == 0, done.err
    assert "1 incident in 4 grids" in done.out
    row = written(tmp_path / "map.geojson")[0]
    length = datetime.fromisoformat(row["end"]) - datetime.fromisoformat(row["start"])
    assert length == timedelta(days=1)
    assert row["value"] == pytest.approx(1000 / row["households"] * 30)
    assert "Not counted" not in done.out


def test_what_is_on_no_grid_is_told_on_the_screen(
    wangge: Callable[..., Done], files: list[str], tmp_path: Path
) -> None:
    (tmp_path / "points.csv").write_text(
        "lon,lat,reported_at\n1,2,2026-02-02T00:00:00Z\n,,2026-02-03T00:00:00Z\n", encoding="utf-8"
    )
    done = wangge(*files, "--out", tmp_path / "map.csv", "--measure", "count")
    assert done.code == 0, done.err
    assert "No incidents in this period." in done.out
    assert "Not counted: 1 in no grid, 1 without coordinates." in done.out


def test_of_files_to_share(wangge: Callable[..., Done], files: list[str], tmp_path: Path) -> None:
    out = tmp_path / "map.geojson"
    done = wangge(*files, "--out", out, "--measure", "count", "--share", "--from", "2026-02-02",
                  "--to", "2026-02-03")  # fmt: skip
    assert done.code == 0, done.err
    rows = written(out)
    assert [row["incidents"] for row in rows] == [None, None, 0, 6]
    assert {(row["start"][:10], row["end"][:10]) for row in rows} == {("2025-12-29", "2026-03-30")}
    assert "6 incidents in 4 grids, 2 hidden" in done.out


def test_of_the_database(here: Database, wangge: Callable[..., Done], tmp_path: Path) -> None:
    with here.transaction() as session:
        factories.county(session)
        lon, lat = factories.middle(2)
        for number in range(7):
            service.record(
                session,
                service.Report(id=uuid.uuid4(), category="neighbour", source="s", x=lon, y=lat,
                               reported_at=FIRST + timedelta(hours=number)),
                actor="t",
            )  # fmt: skip
    out = tmp_path / "map.csv"
    done = wangge("gridmap", "--out", out, "--measure", "count")
    assert done.code == 0, done.err
    assert "7 incidents in 4 grids" in done.out
    assert wangge("gridmap", "--out", tmp_path / "map.png", "--share").code == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--category", "quarrel"], "no point is of the category 'quarrel'"),
        (["--measure", "mood"], "'mood' is no measure"),
        (["--classes", "9"], "9 classes"),
        (["--share", "--from", "2200-01-01"], "can be shared from"),
    ],
)
def test_what_cannot_be(
    wangge: Callable[..., Done], files: list[str], tmp_path: Path, more: list[str], words: str
) -> None:
    done = wangge(*files, "--out", tmp_path / "map.csv", *more)
    assert done.code == 1
    assert words in done.err
    alone = wangge("gridmap", "--points", tmp_path / "points.csv", "--out", tmp_path / "map.csv")
    assert (alone.code, "needs the points and the grids" in alone.err) == (1, True)
