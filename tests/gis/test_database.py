"""Opening a database: foreign ones by URL, too old ones refused, transactions whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from gis.database import Database, check_server, execute
from gis.errors import BadInput, Missing, Unavailable
from gis.settings import DatabaseSettings

if TYPE_CHECKING:
    from gis.cluster import Cluster


class FakeServer:
    """A connection that answers like a server of some version: no such server is at hand."""

    def __init__(self, number: str, postgis: str | None) -> None:
        self.answers = [number, "what it says", postgis]
        self.number, self.postgis = number, postgis

    def scalar(self, statement: sa.TextClause) -> str | None:
        text = str(statement)
        if "server_version_num" in text:
            return self.number
        return self.postgis if "postgis" in text else "what it says"


@pytest.mark.parametrize("number", ["140011", "150013", "160009", "170005"])
def test_unsafe_release_is_refused(number: str) -> None:
    with pytest.raises(Missing, match="too old"):
        check_server(FakeServer(number, "3.5.0"))


@pytest.mark.parametrize("number", ["150014", "160010", "170006", "180001"])
def test_safe_release_is_taken(number: str) -> None:
    check_server(FakeServer(number, "3.3.2"))


@pytest.mark.parametrize(("postgis", "words"), [(None, "no PostGIS"), ("3.2.9", "too old")])
def test_postgis_missing_or_old_is_refused(postgis: str | None, words: str) -> None:
    with pytest.raises(Missing, match=words):
        check_server(FakeServer("150018", postgis))


def test_foreign_database_by_url(test_cluster: Cluster) -> None:
    url = test_cluster.url.replace("postgresql+psycopg", "postgresql")
    settings = DatabaseSettings(database_url=SecretStr(url))
    with Database.open(settings) as database, database.transaction() as session:
        assert database.cluster is None
        assert execute(session, "SHOW timezone").scalar() == "UTC"
        assert execute(session, "SHOW statement_timeout").scalar() == "30s"


def test_wrong_scheme_is_refused() -> None:
    settings = DatabaseSettings(database_url=SecretStr("mysql://somewhere/else"))
    with pytest.raises(BadInput, match="not a PostgreSQL address"):
        Database.open(settings)


def test_silent_server_is_named_without_its_password() -> None:
    url = "postgresql://me:geheim@127.0.0.1:1/none"
    with pytest.raises(Unavailable) as caught:
        Database.open(DatabaseSettings(database_url=SecretStr(url)))
    assert "127.0.0.1" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_transaction_is_whole_or_not_at_all(database: Database) -> None:
    def half_done() -> None:
        with database.transaction() as session:
            execute(session, "INSERT INTO grids (county_code) VALUES ('990121')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) FROM grids").scalar() == 0


def test_a_statement_ends_at_its_timeout(database: Database) -> None:
    with (
        pytest.raises(sa.exc.OperationalError, match="statement timeout"),
        database.transaction(timeout_s=0.05) as session,
    ):
        execute(session, "SELECT pg_sleep(5)")
