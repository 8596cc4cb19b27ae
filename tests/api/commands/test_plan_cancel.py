"""A drawing that is called off leaves nothing half done, and a large one says what it takes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyogrio
import pytest
import sqlalchemy as sa

from api.commands import plan_draw
from bench.planner.towns import made_town
from tests import factories
from tests.towns import town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


def layers(path: Path, given: tuple[object, ...]) -> list[str]:
    words = []
    for layer, frame in zip(("area", "buildings", "barriers"), given, strict=True):
        pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG", append=path.exists())
        words += [f"--{layer}", f"{path}|{layer}"]
    return ["plan", "draw", *words]


def test_control_c_at_a_terminal_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    # Large enough that seconds of work are left when its first cells are drawn.
    words = layers(tmp_path / "town.gpkg", made_town(30_000, 861, "old town"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "grids.gpkg").write_bytes(b"of last year")
    ours, theirs = pty.openpty()
    asked = ["--out", out / "grids.gpkg", "--cells", out / "cells.shp", "--report", out / "r.html"]
    drawing = subprocess.Popen(
        [sys.executable, "-m", "api.cli", *words, *asked],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(theirs)
    told = b""
    try:
        while b"drawing cells" not in told:
            told += os.read(ours, 4096)
        drawing.send_signal(signal.SIGINT)
        while chunk := _read(ours):
            told += chunk
        assert drawing.communicate()[0] == b""
    finally:
        drawing.kill()
        drawing.wait()
        os.close(ours)
    assert drawing.returncode == 128 + signal.SIGINT
    assert b"cancelled; nothing was written" in told
    assert [each.name for each in out.iterdir()] == ["grids.gpkg"]
    assert (out / "grids.gpkg").read_bytes() == b"of last year"


def _read(terminal: int) -> bytes:
    """What comes next; nothing once the other side has closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_control_c_on_the_database_leaves_no_draft(
    here: Database, wangge: Run, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def bar() -> Iterator[Callable[[str, float], None]]:
        def tell(stage: str, _share: float) -> None:
            if stage == "done":
                raise KeyboardInterrupt

        yield tell

    monkeypatch.setattr(plan_draw, "_bar", bar)
    done = wangge("plan", "draw", "--unit", factories.COUNTY, "--effort", "quick")
    assert done.code == 130
    assert "cancelled; nothing was written" in done.err
    with here.transaction() as session:
        assert session.scalar(sa.text("SELECT max(id) FROM editions")) == int(draft)


def test_what_was_written_before_control_c_is_named(
    wangge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = town("3 3 3 3\n# # # #\n3 3 3 3")
    words = layers(tmp_path / "town.gpkg", (place.area, place.buildings, place.barriers))

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan_draw, "write_report", stopped)
    grids, report = tmp_path / "grids.gpkg", tmp_path / "r.html"
    done = wangge(*words, "--out", grids, "--report", report)
    assert done.code == 130
    assert f"cancelled; whole are: {grids}" in "".join(done.err.splitlines())
    assert len(pyogrio.read_dataframe(grids)) == 1
    assert not report.exists()


def test_a_large_area_says_beforehand_what_it_takes(
    wangge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = town("3 3 3 3\n# # # #\n3 3 3 3")
    words = layers(tmp_path / "town.gpkg", (place.area, place.buildings, place.barriers))
    out = tmp_path / "grids.gpkg"
    assert "of one core" not in wangge(*words, "--out", out).err
    monkeypatch.setattr(plan_draw, "LARGE", 7)
    done = wangge(*words, "--out", out)
    assert done.code == 0
    assert "8 buildings: about 1 minute of one core and 0.4 GB of memory" in done.err


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    wangge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = town("3 3 3 3\n# # # #\n3 3 3 3")
    words = layers(tmp_path / "town.gpkg", (place.area, place.buildings, place.barriers))
    monkeypatch.setattr(plan_draw, "QUIET_S", -1.0)
    done = wangge(*words, "--out", tmp_path / "grids.gpkg")
    assert "drawing cells: 5%" in done.err
    assert "writing: 100%" in done.err
