"""PostgreSQL is killed under load: what was acknowledged is there, and no answer is wrong."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest
import sqlalchemy as sa

from api import logs, thin
from api.app import create_app
from api.sdk import Client, WanggeError
from api.settings import ServerSettings
from data import schema
from gis.database import Database
from gis.settings import DatabaseSettings
from tests import factories
from tests.api.conftest import listening
from tests.grids.locating.test_snapshot import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPORTERS, ASKERS = 2, 2


class Service(NamedTuple):
    """A service with a cluster of its own, and a key to it."""

    database: Database
    app: Any
    address: str
    key: str


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(logs, "configure", lambda: None)
    # Not tmp_path: root's PostgreSQL account cannot enter pytest's private folders.
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix="wangge-killed-", dir=base))
    folder.chmod(0o755)
    stopping = threading.Event()
    with Database.open(DatabaseSettings(data_dir=folder / "data")) as database:
        schema.upgrade(database)
        with database.transaction() as session:
            factories.county(session)
            who = factories.account(session, "integrator", factories.COUNTY)
            key = factories.key(session, who)
        app = create_app(ServerSettings(), database)
        assert database.cluster is not None
        running = threading.Thread(target=database.cluster.keep_running, args=(stopping,),
                                   kwargs={"every_s": 0.5})  # fmt: skip
        running.start()
        threads = [running]
        try:
            threads += thin.begin(app.state, database, stopping)
            wait_for(lambda: app.state.located.keeper.is_current)
            with listening(app) as port:
                yield Service(database, app, f"http://127.0.0.1:{port}", key)
        finally:
            # Before the database is closed, or what keeps it running starts it again.
            stopping.set()
            for thread in threads:
                thread.join(30)
    shutil.rmtree(folder)


class Load:
    """Reports and questions, until told to stop; what was answered to them."""

    def __init__(self, service: Service) -> None:
        self.service, self.ends = service, threading.Event()
        self.stored: dict[uuid.UUID, int] = {}
        self.sent: list[uuid.UUID] = []
        self.wrong: list[str] = []
        self.answered: list[float] = []
        work: list[Callable[[int], None]] = [self.report] * REPORTERS + [self.ask] * ASKERS
        self.threads = [threading.Thread(target=each, args=(k,)) for k, each in enumerate(work)]
        for thread in self.threads:
            thread.start()

    def report(self, number: int) -> None:
        """Each until it is acknowledged, as a client does: again with the same id."""
        with Client(self.service.address, self.service.key, tries=1) as client:
            while not self.ends.is_set():
                place, id_ = number % 4, uuid.uuid4()
                self.sent.append(id_)
                lon, lat = factories.middle(place)
                while not self.ends.is_set():
                    try:
                        client.report_incident("neighbour", lon=lon, lat=lat, id=id_)
                    except WanggeError:
                        time.sleep(0.05)
                        continue
                    self.stored[id_] = place
                    break
                number += 1

    def ask(self, number: int) -> None:
        """One place after the other: the right grid and worker, or no answer."""
        headers = {"Authorization": f"Bearer {self.service.key}"}
        with httpx2.Client(base_url=self.service.address, headers=headers, timeout=30) as client:
            while not self.ends.is_set():
                number += 1
                place = number % 4
                lon, lat = factories.middle(place)
                found = client.get("/api/v1/locate", params={"lon": lon, "lat": lat})
                if found.status_code == 503:
                    continue
                told = found.json() if found.status_code == 200 else {"grid": None}
                names = [each["name"] for each in told.get("responsible", [])]
                if not told["grid"] or told["grid"]["code"] != factories.grid_code(place) or (
                    names != [f"网格员{place + 1}"]
                ):  # fmt: skip
                    self.wrong.append(f"{found.status_code} {found.text[:200]}")
                self.answered.append(time.monotonic())

    def stop(self) -> None:
        self.ends.set()
        for thread in self.threads:
            thread.join(60)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_no_answer_is_wrong(own: Service) -> None:
    cluster, keeper = own.database.cluster, own.app.state.located.keeper
    assert cluster is not None
    load = Load(own)
    try:
        wait_for(lambda: len(load.stored) > 20)
        cluster.kill()
        wait_for(lambda: keeper.is_cut_off)
        cut_off, known = time.monotonic(), len(load.stored)
        wait_for(lambda: not keeper.is_cut_off)
        back = time.monotonic()
        wait_for(lambda: len(load.stored) > known + 10)
        # While it was away answers went on, from what was compiled.
        assert [at for at in load.answered if cut_off < at < back] or back - cut_off < 0.05
    finally:
        load.stop()
    assert load.wrong == []
    with own.database.transaction() as session:
        kept = session.execute(
            sa.text("SELECT i.id, s.code FROM incidents i JOIN grid_shapes s USING (grid_id)")
        ).all()
    by_id = {row.id: row.code for row in kept}
    assert {id_: by_id.get(id_) for id_ in load.stored} == {
        id_: factories.grid_code(place) for id_, place in load.stored.items()
    }
    assert len(kept) == len(by_id)
    assert set(by_id) <= set(load.sent)
    # Who was told of whom is entered too, though the database was away.
    own.app.state.located.journal.enter()
    with own.database.transaction() as session:
        asked = session.scalar(
            sa.text(
                "SELECT sum((detail->>'asked')::int) FROM (SELECT DISTINCT detail->>'journal', "
                "detail FROM audit_log WHERE detail ? 'journal') AS each"
            )
        )
    assert asked is not None
    assert asked > 0
