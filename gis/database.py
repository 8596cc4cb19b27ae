"""The database: where it is, its engine, and one transaction around each piece of work."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from gis.cluster import Cluster
from gis.errors import BadInput, Missing, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from gis.settings import DatabaseSettings

# CVE-2025-8713 and CVE-2024-10976 let sampled or hidden rows through before these releases.
MIN_SERVER: Final = {15: 15_0014, 16: 16_0010, 17: 17_0006}
MIN_POSTGIS: Final = (3, 3)
# Whoever waits longer for a connection is told to come back.
POOL_TIMEOUT_S: Final = 10


HEAVY_IDLE: Final = "5min"
"""How long the connection of a heavy request may wait for what is computed within it."""
SERVICE_ROLE: Final = "wangge_app"
"""What the service is to the database: it owns nothing and bypasses no policy."""
IS_SERVICE: Final = "is_service"
"""Key in a session's ``info``: it serves requests, and acts for whom it lets in."""
OWNER_SCOPE: Final = "-c wangge.lo=0 -c wangge.hi=: -c wangge.rights=*"
"""Policies are forced on the owner too; migrations and the command line see the whole."""


class Base(DeclarativeBase):
    """Root of all mapped classes; the migrations, not the classes, make the tables."""


def check_server(connection: sa.Connection) -> None:
    """Refuse a server that is too old to be trusted with scoped data, or has no PostGIS.

    Raises
    ------
    Missing
        Names what is there, what is wanted, and how to get it.
    """
    number = int(connection.scalar(sa.text("SHOW server_version_num")) or 0)
    major = number // 10_000
    wanted = MIN_SERVER.get(major, 0 if major > max(MIN_SERVER) else 15_0014)
    if number < wanted or major < min(MIN_SERVER):
        have = connection.scalar(sa.text("SHOW server_version"))
        need = f"{wanted // 10_000}.{wanted % 10_000}"
        raise Missing(
            f"PostgreSQL {have} is too old: wangge needs {need} or newer, because older releases "
            "show hidden rows through their statistics and reused plans",
            f"apt-get update && apt-get install -y postgresql-{max(major, 15)}",
        )
    postgis = connection.scalar(
        sa.text("SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'")
    )
    if postgis is None:
        raise Missing(
            "the database server has no PostGIS",
            f"apt-get install -y postgresql-{major}-postgis-3",
        )
    if tuple(int(part) for part in re.findall(r"\d+", postgis)[:2]) < MIN_POSTGIS:
        raise Missing(f"PostGIS {postgis} is too old: wangge needs 3.3 or newer")


class Database:
    """The open database: its engines, and the cluster behind it when that is ours.

    Use as a context manager; leaving it closes the pools and, for the last user, the cluster.

    Attributes
    ----------
    engine
        Connects as the owner, who sees and changes everything: migrations, the command line.
    service
        Connects as ``wangge_app``, which row-level security holds: requests over HTTP.
    """

    def __init__(self, url: str, settings: DatabaseSettings, cluster: Cluster | None = None):
        self.cluster, self.settings = cluster, settings
        self.url = sa.make_url(url)
        self.engine = _engine(self.url, settings, OWNER_SCOPE)
        if cluster is not None:
            service_url, options = self.url.set(username=SERVICE_ROLE), ""
        elif settings.service_database_url is not None:
            service_url = sa.make_url(_normal_url(settings.service_database_url.get_secret_value()))
            options = ""
        else:
            service_url, options = self.url, f"-c role={SERVICE_ROLE}"
        # No message of the database's own may tell of rows that a policy hides, and no request
        # waits long for another's lock or keeps its own.
        options += (
            " -c client_min_messages=error -c lock_timeout=5s"
            " -c idle_in_transaction_session_timeout=60s"
            # Policies take longer to plan than what they guard takes to run: each statement is
            # planned once. Whose rows it shows is no part of its plan; that is read each time.
            " -c plan_cache_mode=force_generic_plan"
        )
        self._heavy_s = settings.statement_timeout_s
        quick_s = min(settings.request_timeout_s, settings.statement_timeout_s)
        self.service = _engine(service_url, settings, options, timeout_s=quick_s)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._service_sessions = sessionmaker(
            self.service, expire_on_commit=False, info={IS_SERVICE: True}
        )

    @classmethod
    def open(cls, settings: DatabaseSettings) -> Self:
        """Open the foreign database of the settings, or start the embedded cluster.

        Raises
        ------
        BadInput
            The URL is none of PostgreSQL's.
        Unavailable
            The foreign database does not answer.
        Missing
            Something is not installed or too old.
        """
        cluster = None
        if settings.database_url is not None:
            url = _normal_url(settings.database_url.get_secret_value())
        else:
            cluster = Cluster(settings.data_dir, durable=settings.durable)
            url = cluster.start()
        database = cls(url, settings, cluster)
        try:
            with database.engine.connect() as connection:
                check_server(connection)
        except sa.exc.OperationalError as error:
            database.close()
            where = database.url.render_as_string(hide_password=True)
            raise Unavailable(f"the database {where} does not answer: {error.orig}") from error
        except Missing:
            database.close()
            raise
        return database

    @contextmanager
    def transaction(self, *, timeout_s: float | None = None) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Parameters
        ----------
        timeout_s
            Longest time of one statement within it; 0 for no limit (imports, publishing).
        """
        with self._sessions.begin() as session:
            if timeout_s is not None:
                _limit(session, timeout_s)
            yield session

    @contextmanager
    def service_transaction(self, *, heavy: bool = False) -> Iterator[Session]:
        """One transaction of the service; nothing is seen in it until a caller is let in.

        See ``boundaries.access.enter``. Heavy work, as a picture of all incidents, has the time
        of ``statement_timeout_s``, everything else that of ``request_timeout_s``. Between its
        statements it may compute for minutes: on a new machine the first of its kind compiles.
        """
        with self._service_sessions.begin() as session:
            if heavy:
                _limit(session, self._heavy_s)
                session.execute(
                    sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{HEAVY_IDLE}'")
                )
            yield session

    def dispose(self) -> None:
        """Close the connections that are kept; new ones are made when they are asked for."""
        self.engine.dispose()
        self.service.dispose()

    def close(self) -> None:
        """Close every connection; the last user of an embedded cluster stops it."""
        self.dispose()
        if self.cluster is not None:
            self.cluster.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def planned_for_its_values(session: Session) -> Iterator[None]:
    """For a statement that reads hundreds of thousands of rows, which planning is small beside.

    The service plans a statement once for whatever values (see `Database`), as if it found few
    rows: one process reads them all, where two could.
    """
    session.execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
    yield
    session.execute(sa.text("SET LOCAL plan_cache_mode TO DEFAULT"))


def _limit(session: Session, timeout_s: float) -> None:
    session.execute(
        sa.text("SELECT set_config('statement_timeout', :ms, true)"),
        {"ms": str(int(timeout_s * 1000))},
    )


def _engine(
    url: sa.URL, settings: DatabaseSettings, options: str, *, timeout_s: float | None = None
) -> sa.Engine:
    timeout_ms = int((timeout_s or settings.statement_timeout_s) * 1000)
    return sa.create_engine(
        url,
        # Values of a statement are people's: no error may bring them into a log.
        hide_parameters=True,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_size,
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={
            "connect_timeout": 10,
            "options": f"-c timezone=UTC -c statement_timeout={timeout_ms} {options}",
        },
    )


def _normal_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise BadInput(
            "WANGGE_DATABASE_URL is not a PostgreSQL address",
            "Write postgresql://user:password@host:5432/name",
        )
    url = sa.make_url(f"postgresql+psycopg://{rest}")
    if "@" in (url.host or ""):
        raise BadInput(
            "WANGGE_DATABASE_URL has an @ in its name or password",
            "Write it there as %40, a slash as %2F and a colon as %3A",
        )
    if "password" in url.query:
        # Where it stands it would be shown with the address, and in the arguments of programs.
        url = url.set(password=str(url.query["password"])).difference_update_query(["password"])
    return url.render_as_string(hide_password=False)


def execute(session: Session, sql: str, **values: Any) -> sa.Result[Any]:
    """Run SQL text with bound values."""
    return session.execute(sa.text(sql), values)
