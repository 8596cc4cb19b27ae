"""docs/integrating.md and the Python client, against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest
import sqlalchemy as sa

from api import logs, sdk, thin
from api.sdk import Client, Point, Refused, Unreachable
from tests import conftest, factories
from tests.api.conftest import listening, serve
from tests.grids.locating.test_snapshot import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster
    from tests.api.conftest import Settled, Town

PAGE = Path(__file__).parents[2] / "docs" / "integrating.md"
TEXT = PAGE.read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```(bash|javascript|java|python)\n(.*?)^```$", TEXT, re.M | re.S)
HERE = factories.middle(0)


class Place(NamedTuple):
    """A running service, and a key to it."""

    town: Town
    address: str
    key: str

    def client(self, **more: Any) -> Client:
        return Client(self.address, self.key, **more)


@pytest.fixture(scope="module")
def place(
    test_cluster: Cluster, settled: Settled, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    patch = pytest.MonkeyPatch()
    patch.setattr(logs, "configure", lambda: None)
    for database in conftest.fresh(test_cluster, settled.name):
        folder = {"data_dir": tmp_path_factory.mktemp("data")}
        database.settings = database.settings.model_copy(update=folder)
        with serve(database, settled) as town:
            app: Any = town.client.app
            stopping = threading.Event()
            threads = thin.begin(app.state, database, stopping)
            wait_for(lambda app=app: app.state.located.keeper.is_current)
            with database.transaction() as session:
                who = factories.account(session, "integrator", factories.COUNTY)
                key = factories.key(session, who)
            with listening(app) as port:
                yield Place(town, f"http://127.0.0.1:{port}", key)
            stopping.set()
            for thread in threads:
                thread.join(20)
    patch.undo()


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_what_the_page_shows_works(place: Place, tmp_path: Path, number: int) -> None:
    language, text = SNIPPETS[number]
    program = {"bash": "bash", "javascript": "node", "java": "java", "python": sys.executable}
    name = {"bash": "run.sh", "javascript": "run.mjs", "java": "Locate.java", "python": "run.py"}
    if shutil.which(program[language]) is None or (language == "bash" and not shutil.which("curl")):
        pytest.skip(f"no {program[language]} on this machine")
    # The same place in the county of the tests.
    text = text.replace("116.61", f"{HERE[0]:.2f}").replace("44.89", f"{HERE[1]:.2f}")
    file = tmp_path / name[language]
    file.write_text(text)
    done = subprocess.run(
        [program[language], str(file)], capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"WANGGE": place.address, "WANGGE_KEY": place.key,
                          "PYTHONPATH": str(PAGE.parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    if "If-None-Match" in text:
        assert done.stdout.strip() == "304"
    elif "incident" not in text:
        assert factories.grid_code(0) in done.stdout
    else:
        assert "reported" in done.stdout


def test_every_language_is_shown() -> None:
    assert {language for language, _ in SNIPPETS} == {"bash", "javascript", "java", "python"}


def test_one_place(place: Place) -> None:
    with place.client(language="en") as wangge:
        found = wangge.locate(*HERE, accuracy_m=3000, at=datetime(2026, 3, 1, tzinfo=UTC))
        assert found.inside
        assert found.grid is not None
        assert (found.grid.code, found.grid.unit_code) == (
            factories.grid_code(0), factories.VILLAGES[0],
        )  # fmt: skip
        assert [each.name for each in found.responsible] == ["网格员1"]
        assert found.ask_back
        assert "Ask for" in (found.ask_back_text or "")
        assert found.candidates[0].share > found.candidates[1].share > 0
        explained = wangge.locate(*HERE, explain=True)
        assert explained.raw["explanation"]["considered"]
        outside = wangge.locate(HERE[0], HERE[1] + 0.05)
        assert (outside.inside, outside.grid) == (False, None)
        assert outside.nearest is not None
        with pytest.raises(Refused, match="Did you mean") as refused:
            wangge.locate(HERE[1], HERE[0])
        assert refused.value.status == 422
        assert refused.value.problems[0].field == "lon,lat"
        with pytest.raises(ValueError, match="no time zone"):
            wangge.locate(*HERE, at=datetime(2026, 3, 1))  # noqa: DTZ001 - what is refused


def test_many_places_in_several_requests(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "AT_ONCE", 3)
    points = [Point(*factories.middle(k % 4), id=f"p{k}", accuracy_m=5) for k in range(8)]
    with place.client() as wangge:
        found = wangge.locate_many([*points, (100.0, 30.0)])
        assert [each.id for each in found] == [f"p{k}" for k in range(8)] + [None]
        codes = [each.grid and each.grid.code for each in found]
        assert codes == [factories.grid_code(k % 4) for k in range(8)] + [None]
        assert found[0].confidence == pytest.approx(1)
        assert wangge.locate_many([]) == []
        with pytest.raises(Refused) as refused:
            wangge.locate_many([(117.0, 45.0), (45.0, 117.0)])
        assert [each.row for each in refused.value.problems] == [None, 2]


class Failing(httpx2.BaseTransport):
    """Fails some times, before the service has heard of it or after it has answered."""

    def __init__(self, *failures: int | type[Exception]) -> None:
        self.failures, self.through = list(failures), httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, int):
            return httpx2.Response(failure, headers={"Retry-After": "0"}, request=request)
        answer = self.through.handle_request(request)
        if failure is not None:
            answer.read()
            raise failure("the line broke")
        return answer


def test_a_report_is_stored_once_however_the_line_breaks(place: Place) -> None:
    lost = Failing(503, httpx2.ReadError, 429, httpx2.ReadTimeout)
    with place.client(transport=lost) as wangge:
        number = uuid.uuid4()
        made = wangge.report_incident("neighbour", lon=HERE[0], lat=HERE[1], text="x", id=number)
        assert (made.id, made.is_new) == (number, False), "it was stored before the line broke"
        assert made.responsible is not None
        assert made.responsible.name == "网格员1"
        with pytest.raises(Refused) as refused:
            wangge.report_incident("neighbour", lon=HERE[0], lat=HERE[1], text="y", id=number)
        assert refused.value.status == 409
    with place.town.database.transaction() as session:
        count = sa.text("SELECT count(*) FROM incidents WHERE id = :id")
        assert session.scalar(count, {"id": number}) == 1


def test_when_it_gives_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(sdk.time, "sleep", pauses.append)
    with place.client(transport=Failing(*[httpx2.ConnectError] * 9)) as wangge:
        with pytest.raises(Unreachable, match="does not answer"):
            wangge.locate(*HERE)
        assert len(pauses) == 4
        assert pauses == sorted(pauses)
    with place.client(transport=Failing(*[503] * 9), tries=2) as wangge:
        with pytest.raises(Refused) as refused:
            wangge.locate(*HERE)
        assert refused.value.status == 503
    with Client(place.address, "wgk_nobody") as stranger:
        pauses.clear()
        with pytest.raises(Refused) as refused:
            stranger.locate(*HERE)
        assert (refused.value.status, pauses) == (401, [])
