"""The command line in this process, on a database of the test's own."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api import cli
from grids import planning
from tests import factories
from tests.grids.plans.conftest import town

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.database import Database


@dataclass(frozen=True)
class Done:
    """What a command left behind: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@pytest.fixture
def wangge(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Run ``wangge`` with these arguments, through its own ``main``."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["wangge", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        else:
            code = 0
        written = capsys.readouterr()
        return Done(code, written.out, written.err)

    return run


@pytest.fixture
def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty database that the commands find through the environment."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("WANGGE_DATABASE_URL", url)
    return database


@pytest.fixture
def county(here: Database) -> factories.County:
    """The small county in it."""
    with here.transaction() as session:
        return factories.county(session)


@pytest.fixture
def draft(here: Database) -> str:
    """Number of a draft of the made town."""
    with here.transaction(timeout_s=0) as session:
        town(session)
        _, edition = planning.draw_draft(session, factories.COUNTY, author="wang", target=300)
        return str(edition.id)
