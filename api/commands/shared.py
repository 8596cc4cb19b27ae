"""What several commands take and do: the database, the actor, times, tables."""

from __future__ import annotations

import getpass
import json
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from api.settings import ServerSettings
from data import schema
from gis.audit import anchors
from gis.database import Database
from gis.errors import BadInput, Problem
from gis.settings import AuditSettings, DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# A pipe has no width at which tables would have to be cut.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)
progress = Console(stderr=True, highlight=False)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the embedded database [env: WANGGE_DATA_DIR]"),
]
Actor = Annotated[
    str | None, typer.Option("--actor", help="Who does it, for the record; your account's name")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output")]


@contextmanager
def _named_settings() -> Iterator[None]:
    """Say which variable of the environment is wrong, not which class refused it."""
    try:
        yield
    except ValidationError as error:
        raise BadInput(
            Problem(
                str(each["msg"]).removeprefix("Value error, "),
                field=f"WANGGE_{str(each['loc'][0]).upper()}" if each["loc"] else None,
            )
            for each in error.errors()
        ) from None


def database_settings(data_dir: Path | None = None) -> DatabaseSettings:
    """Settings from the environment, with the folder of the command line before them."""
    with _named_settings():
        return DatabaseSettings(data_dir=data_dir) if data_dir else DatabaseSettings()


def server_settings() -> ServerSettings:
    """Settings of the service from the environment.

    Raises
    ------
    BadInput
        Names the variable that is wrong, and why.
    """
    with _named_settings():
        return ServerSettings()


def audit_settings() -> AuditSettings:
    """Settings of the audit log from the environment."""
    with _named_settings():
        return AuditSettings()


def anchor_places(data_dir: Path | None = None) -> anchors.Places:
    """Where the audit log's signing key lies, and the folders its anchors are written to."""
    settings = audit_settings()
    home = database_settings(data_dir).data_dir
    folders = [home / "anchors", *([settings.anchor_dir] if settings.anchor_dir else [])]
    return anchors.Places(settings.audit_key or home / "keys" / "audit.key", folders)


@contextmanager
def open_database(data_dir: Path | None = None) -> Iterator[Database]:
    """The database of the settings, migrated to this release, closed at the end."""
    with Database.open(database_settings(data_dir)) as database:
        schema.upgrade(database)
        yield database


def actor_name(given: str | None) -> str:
    """Who acts: the name given, else the account's."""
    return given or getpass.getuser()


def moment(text: str | None, name: str, zone: str | None = None) -> datetime | None:
    """A time of the command line; without a zone of its own it is local time of `zone`.

    Parameters
    ----------
    zone
        What the command's ``--timezone`` says; the installation's when None.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            Problem(
                f"'{text}' is no time",
                "Write it as 2026-06-30 or 2026-06-30T21:30:00+08:00",
                field=name,
            )
        ) from None
    if parsed.tzinfo:
        return parsed
    try:
        return parsed.replace(tzinfo=ZoneInfo(zone or server_settings().timezone))
    except (ValueError, ZoneInfoNotFoundError):
        raise BadInput(
            Problem(f"'{zone}' is no time zone", "Write it as Asia/Shanghai", field="--timezone")
        ) from None


def print_json(document: Any) -> None:
    """One JSON document, Chinese as it is."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def print_table(headings: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """A plain table; numbers to the right. In a pipe it is as wide as it is, and nothing is cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    listed = [tuple(row) for row in rows]
    for place, heading in enumerate(headings):
        is_number = all(isinstance(row[place], int | float) for row in listed) and bool(listed)
        table.add_column(heading, justify="right" if is_number else "left")
    for row in listed:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)


def figure(value: float) -> str:
    """Counts and metres whole, shares to four places."""
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 10 else f"{value:.4f}"
