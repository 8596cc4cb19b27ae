"""What handlers ask for beside their caller: the database, settings, moments and periods."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request

from api.settings import ServerSettings
from gis.database import Database
from gis.errors import BadInput, Problem
from gis.secrets import Keyring

if TYPE_CHECKING:
    from pathlib import Path

# The space before a zone: after minutes or seconds, so never the one between day and time.
_LOST_PLUS = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{3}) (?=\d\d:?\d\d$)")


def get_database(request: Request) -> Database:
    """The database the application was made with."""
    database: Database = request.app.state.database
    return database


def get_settings(request: Request) -> ServerSettings:
    """The settings the application was made with."""
    settings: ServerSettings = request.app.state.settings
    return settings


def get_keyring(request: Request) -> Keyring:
    """The keys that phones and names of reporters are encrypted with; read anew when changed."""
    state = request.app.state
    path = state.database.settings.secrets_path
    known, keyring = getattr(state, "keyring", (None, None))
    now = _identity(path)
    if keyring is None or now != known:
        keyring = Keyring.open(path)
        # The file that was looked at, or an older one: it is then read once more.
        state.keyring = (now, keyring)
    return cast("Keyring", keyring)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells one file of keys from the next: they are replaced, never written over."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def parse_time(text: str, name: str, settings: ServerSettings) -> datetime:
    """A moment given as ISO 8601; without a zone it is the installation's local time.

    Raises
    ------
    BadInput
        It is no time.
    """
    try:
        # A plus sign that was not escaped in the address arrives as a space.
        moment = datetime.fromisoformat(_LOST_PLUS.sub("+", text.strip()))
    except ValueError:
        raise BadInput(
            Problem(
                f"'{text}' is no time",
                "Write it as 2026-06-30 or 2026-06-30T21:30:00+08:00",
                field=name,
            )
        ) from None
    return with_zone(moment, settings)


def with_zone(moment: datetime, settings: ServerSettings) -> datetime:
    """A moment; without a zone it is local to the installation."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=ZoneInfo(settings.timezone))
    return moment


def get_moment(
    settings: Annotated[ServerSettings, Depends(get_settings)],
    at: Annotated[
        str | None,
        Query(
            description="The moment that is asked about, ISO 8601; now when left out",
            examples=["2026-06-30T21:30:00+08:00"],
        ),
    ] = None,
) -> datetime:
    """The moment a request asks about."""
    return parse_time(at, "at", settings) if at else datetime.now(UTC)


def get_period(
    settings: Annotated[ServerSettings, Depends(get_settings)],
    start: Annotated[
        str | None, Query(description="First moment, ISO 8601", examples=["2026-06-01"])
    ] = None,
    end: Annotated[
        str | None, Query(description="First moment after it, ISO 8601", examples=["2026-07-01"])
    ] = None,
) -> tuple[datetime | None, datetime | None]:
    """A period from ``start`` up to, not including, ``end``; None for an open side."""
    first = parse_time(start, "start", settings) if start else None
    last = parse_time(end, "end", settings) if end else None
    if first is not None and last is not None and first >= last:
        when = "when" if first == last else "before"
        raise BadInput(
            Problem(f"the period ends {when} it begins", "Give start before end", field="end")
        )
    return first, last


KeyringIn = Annotated[Keyring, Depends(get_keyring)]
DatabaseIn = Annotated[Database, Depends(get_database)]
SettingsIn = Annotated[ServerSettings, Depends(get_settings)]
MomentIn = Annotated[datetime, Depends(get_moment)]
PeriodIn = Annotated[tuple[datetime | None, datetime | None], Depends(get_period)]
