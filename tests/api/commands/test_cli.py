"""Help, exit codes and errors of the command line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from api import cli
from gis import cluster
from tests import conftest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


def leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by the words that call it."""
    if hasattr(command, "list_commands"):
        context = typer.Context(command)  # type: ignore[arg-type]
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))  # type: ignore[attr-defined]
    else:
        yield path


COMMANDS = sorted(leaves(typer.main.get_command(cli.app)))


def test_the_commands_of_the_design_are_there() -> None:
    assert {words[0] for words in COMMANDS} == set(cli.COMMANDS)
    assert {words[1] for words in COMMANDS if words[0] == "db"} == {
        "status", "upgrade", "backup", "restore", "check", "psql",
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_explains_and_shows_an_example(wangge: Run, words: tuple[str, ...]) -> None:
    done = wangge(*words, "--help")
    assert done.code == 0
    assert done.err == ""
    text = " ".join(done.out.split())
    assert f"Usage: wangge {' '.join(words)}" in text
    assert f"Example: wangge {' '.join(words)}" in text


def test_what_is_slow_to_load_is_loaded_by_what_needs_it() -> None:
    code = (
        "import sys; from api import cli; sys.argv = ['wangge', '--help']\n"
        "slow = {'geopandas', 'numba', 'fastapi', 'matplotlib', 'folium', 'pandas', 'openpyxl'}\n"
        "try: cli.main()\n"
        "finally:\n"
        "    import api.commands.people\n"
        "    assert 'grids.people.service' in sys.modules\n"
        "    print(sorted(slow & set(sys.modules)), file=sys.stderr)\n"
        "    import api.commands.importing\n"
        "    assert 'openpyxl' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for name, (_, line) in cli.COMMANDS.items():
        assert name in done.stdout
        assert line.split()[0] in done.stdout


def test_exit_codes_of_a_process(tmp_path: Path) -> None:
    def code(*arguments: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments],
            env={"PATH": "/usr/bin:/bin", "WANGGE_DATABASE_URL": "mysql://x/y"},
            capture_output=True,
            check=False,
        ).returncode

    assert code("--help") == 0
    assert code("db", "status") == 1
    assert code("nonsense") == 2


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("db", "nonsense"), ("plan", "publish", "x"), ("locate",), ("locate", "117"),
     ("plan", "draw"), ("plan", "draw", "--unit", "1", "--out", "a.gpkg"),
     ("locate", "117", "45", "--acuracy", "3"), ("import", "units"),
     ("locate", "117", "45", "--accuracy", "-1"), ("locate", "117", "45", "--accuracy", "nan")],
    ids=" ".join,
)  # fmt: skip
def test_wrong_use_is_code_2(wangge: Run, arguments: tuple[str, ...]) -> None:
    done = wangge(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Usage: wangge" in done.err


def test_nothing_shows_the_help(wangge: Run) -> None:
    done = wangge()
    assert "Usage: wangge" in done.out + done.err


def test_missing_program_is_code_3(wangge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(major: int | None = None) -> Path:
        raise cluster.Missing("PostgreSQL 15 or newer is not installed", cluster.INSTALL_LINE)

    monkeypatch.setattr(cluster, "find_bin", nothing)
    monkeypatch.delenv("WANGGE_DATABASE_URL", raising=False)
    # In a folder that the server's account may enter.
    with tempfile.TemporaryDirectory(dir=conftest.MEMORY) as folder:
        Path(folder).chmod(0o755)
        done = wangge("db", "status", "--data-dir", Path(folder) / "data")
    assert done.code == 3
    assert "PostgreSQL 15 or newer is not installed" in done.err
    assert "apt-get install -y postgresql-15-postgis-3" in done.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WANGGE_DATABASE_URL", "mysql://u:s3cret@h/d", "postgresql://"),
        ("WANGGE_DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/d", "does not answer"),
        ("WANGGE_POOL_SIZE", "many", "WANGGE_POOL_SIZE"),
        ("WANGGE_STATEMENT_TIMEOUT_S", "-1", "WANGGE_STATEMENT_TIMEOUT_S"),
    ],
)
def test_wrong_environment_is_named(
    wangge: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    done = wangge("db", "status")
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert "s3cret" not in done.err


@pytest.mark.parametrize("name", ["up", "demo"])
def test_open_host_is_refused_before_anything_starts(
    wangge: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("WANGGE_HOST", "0.0.0.0")
    done = wangge(name, "--data-dir", tmp_path / "data")
    assert done.code == 1
    assert "WANGGE_HOST" in done.err
    assert "without encryption" in done.err
    assert list(tmp_path.iterdir()) == []


def test_reader_that_has_had_enough() -> None:
    script = f"{sys.executable} -m api.cli --help | head -c 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
