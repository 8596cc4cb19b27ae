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
    """The open database: an engine, and the cluster behind it when that is ours.

    Use as a context manager; leaving it closes the pool and, for the last user, the cluster.
    """

    def __init__(self, url: str, settings: DatabaseSettings, cluster: Cluster | None = None):
        self.cluster = cluster
        self.url = sa.make_url(url)
        timeout_ms = int(settings.statement_timeout_s * 1000)
        self.engine = sa.create_engine(
            self.url,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_size,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 10,
                "options": f"-c timezone=UTC -c statement_timeout={timeout_ms}",
            },
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

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
                session.execute(
                    sa.text("SELECT set_config('statement_timeout', :ms, true)"),
                    {"ms": str(int(timeout_s * 1000))},
                )
            yield session

    def close(self) -> None:
        """Close every connection; the last user of an embedded cluster stops it."""
        self.engine.dispose()
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


def _normal_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise BadInput(
            "WANGGE_DATABASE_URL is not a PostgreSQL address",
            "Write postgresql://user:password@host:5432/name",
        )
    return f"postgresql+psycopg://{rest}"


def execute(session: Session, sql: str, **values: Any) -> sa.Result[Any]:
    """Run SQL text with bound values."""
    return session.execute(sa.text(sql), values)
