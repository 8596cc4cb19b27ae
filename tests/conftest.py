"""What every test may ask for: a real PostGIS, a fresh database, a rolled-back session."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
import xdist.scheduler
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session

from data import schema
from gis.cluster import Cluster
from gis.database import Database
from gis.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parent.parent
REAL_DATA = Path(os.environ.get("WANGGE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None

# The processes that tests start need not compile every module anew, as in ./run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _one_block_at_a_time() -> None:
    """Let threads leave `catch_warnings` in the order in which they came in.

    Its blocks keep and restore one list of the whole process. Where those of two requests
    overlap, the one that ends first brings back the filters from before it while the other still
    is in its block: what a library silences there comes through, and is an error here. The main
    thread is left out: blocks of pytest's last as long as a test, whose requests it waits for.
    """
    turn, held = threading.RLock(), threading.local()
    enter, leave = warnings.catch_warnings.__enter__, warnings.catch_warnings.__exit__

    def come_in(block: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            held.turns = [*getattr(held, "turns", []), turn.acquire(timeout=10)]
        return enter(block)

    def go_out(block: Any, *raised: object) -> None:
        leave(block, *raised)
        if getattr(held, "turns", None) and held.turns.pop():
            turn.release()

    warnings.catch_warnings.__enter__ = come_in  # type: ignore[method-assign]
    warnings.catch_warnings.__exit__ = go_out  # type: ignore[method-assign]


_one_block_at_a_time()

settings.register_profile(
    "wangge",
    deadline=None,  # machines are shared; a slow minute is no failure
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("wangge")


def pytest_report_header() -> str:
    if REAL_DATA.is_dir():
        return f"real data: {REAL_DATA.resolve().name}/ is there, its tests run"
    return (
        "REAL DATA IS NOT HERE: tests marked 'real' are skipped. "
        "Set WANGGE_REAL_DATA to the folder that holds town_cambridge/ and the rest."
    )


class ByModule(xdist.scheduler.LoadScopeScheduling):
    """A module stays in one worker, so that what it sets up for all its tests is set up once.

    xdist's own groups are marks that it writes into the test's id, which pytest 9.2 no longer
    lets it do: each test then goes to whichever worker is free, and nothing says so.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        # One Chromium at a time: two on two cores time each other out.
        is_browser = "mark.browser" in (REPOSITORY / module).read_text(encoding="utf-8")
        return "browser" if is_browser else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByModule:
    config.option.loadscopereorder = False  # in the order below
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason="REAL DATA IS NOT HERE: set WANGGE_REAL_DATA")
    # The long ones first, so that no worker is left alone with them at the end.
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("slow", "browser"))))
    for item in items:
        if item.get_closest_marker("real") and not REAL_DATA.is_dir():
            item.add_marker(missing)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets; for tests marked ``real``."""
    return REAL_DATA


@pytest.fixture(scope="session")
def test_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One PostgreSQL in memory, shared by all workers of this run and kept for the next."""
    folder = (MEMORY or tmp_path_factory.getbasetemp()) / f"wangge-tests-{os.geteuid()}"
    cluster = Cluster(folder, durable=False)
    cluster.start()
    with _admin(cluster).connect() as connection:
        # What the planner knows of a table is what its test told it, not what came by in between.
        connection.execute(sa.text("ALTER SYSTEM SET autovacuum = off"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    yield cluster
    cluster.release()


def _admin(cluster: Cluster) -> sa.Engine:
    url = sa.make_url(cluster.url).set(database="postgres")
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)


@pytest.fixture(scope="session")
def template(test_cluster: Cluster) -> Iterator[str]:
    """Name of a database with the present schema, made by the migrations, to copy from."""
    folder = REPOSITORY / "data" / "migrations"
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.sql")]):
        digest.update(path.read_bytes())
    name = f"template_{digest.hexdigest()[:16]}"
    admin = _admin(test_cluster)
    with admin.connect() as connection:
        # Workers start together: one makes it, under a lock, the others find it made.
        connection.execute(sa.text("SELECT pg_advisory_lock(4711)"))
        # Held until this run ends: whoever wants to drop the template must wait for it.
        connection.execute(
            sa.text("SELECT pg_advisory_lock_shared(4711, hashtext(:name))"), {"name": name}
        )
        names = set(connection.scalars(sa.text("SELECT datname FROM pg_database")))
        if name not in names:
            _drop_unused_templates(connection, names)
            making = f"making_{uuid.uuid4().hex}"
            connection.execute(sa.text(f'CREATE DATABASE "{making}" TEMPLATE template0'))
            with _open(test_cluster, making) as made:
                schema.upgrade(made)
            connection.execute(sa.text(f'ALTER DATABASE "{making}" RENAME TO "{name}"'))
        connection.execute(sa.text("SELECT pg_advisory_unlock(4711)"))
        yield name
    admin.dispose()


def _drop_unused_templates(connection: sa.Connection, names: set[str]) -> None:
    """Drop templates of other schemas, but none that a run beside this one copies from."""
    for old in sorted(names):
        if old.startswith("template_"):
            lock = {"name": old}
            free = "SELECT pg_try_advisory_lock(4711, hashtext(:name))"
            if connection.scalar(sa.text(free), lock):
                connection.execute(sa.text(f'DROP DATABASE "{old}" WITH (FORCE)'))
                release = "SELECT pg_advisory_unlock(4711, hashtext(:name))"
                connection.execute(sa.text(release), lock)
        elif old.startswith("making_"):
            # Templates are made one at a time, under the lock held here: this one was given up.
            connection.execute(sa.text(f'DROP DATABASE "{old}" WITH (FORCE)'))


def _open(cluster: Cluster, name: str) -> Database:
    url = sa.make_url(cluster.url).set(database=name)
    return Database(
        url.render_as_string(hide_password=False), DatabaseSettings(data_dir=cluster.folder)
    )


def fresh(cluster: Cluster, template: str) -> Iterator[Database]:
    """A copy of the template, dropped afterwards; for fixtures of any scope."""
    name = f"test_{uuid.uuid4().hex}"
    admin = _admin(cluster)
    with admin.connect() as connection:
        connection.execute(
            sa.text(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        )
    database = _open(cluster, name)
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture
def database(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """A fresh, migrated, empty database of this test's own, for tests that commit."""
    yield from fresh(test_cluster, template)


@pytest.fixture(scope="session")
def shared_database(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """An empty database that tests only use through ``session``."""
    yield from fresh(test_cluster, template)


@pytest.fixture
def session(shared_database: Database) -> Iterator[Session]:
    """A session whose work is rolled back when the test ends."""
    with shared_database.engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()
