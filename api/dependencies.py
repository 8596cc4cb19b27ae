"""What handlers ask for beside their caller: the database, settings, moments and periods."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request

from api.settings import ServerSettings
from gis.database import Database
from gis.errors import BadInput, Problem
from gis.secrets import Keyring

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
    """The keys that phones and names of reporters are encrypted with, read once."""
    state = request.app.state
    if getattr(state, "keyring", None) is None:
        state.keyring = Keyring.open(state.database.settings.secrets_path)
    keyring: Keyring = state.keyring
    return keyring


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
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(settings.timezone))
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
    return _period(settings, start=start, end=end)


def get_span(
    settings: Annotated[ServerSettings, Depends(get_settings)],
    start: Annotated[
        str | None,
        Query(alias="from", description="First moment, ISO 8601", examples=["2026-06-01"]),
    ] = None,
    end: Annotated[
        str | None,
        Query(alias="to", description="First moment after it, ISO 8601", examples=["2026-07-01"]),
    ] = None,
) -> tuple[datetime | None, datetime | None]:
    """A period that is asked for as ``from`` and ``to``, as ``get_period``."""
    return _period(settings, **{"from": start, "to": end})


def _period(
    settings: ServerSettings, **sides: str | None
) -> tuple[datetime | None, datetime | None]:
    """The first and the second of two named moments, in this order.

    Raises
    ------
    BadInput
        One is no time, or the second does not follow the first.
    """
    (start, first), (end, last) = (
        (name, parse_time(text, name, settings) if text else None) for name, text in sides.items()
    )
    if first is not None and last is not None and first >= last:
        raise BadInput(
            Problem("the period ends before it begins", f"Give {start} before {end}", field=end)
        )
    return first, last


KeyringIn = Annotated[Keyring, Depends(get_keyring)]
DatabaseIn = Annotated[Database, Depends(get_database)]
SettingsIn = Annotated[ServerSettings, Depends(get_settings)]
MomentIn = Annotated[datetime, Depends(get_moment)]
PeriodIn = Annotated[tuple[datetime | None, datetime | None], Depends(get_period)]
SpanIn = Annotated[tuple[datetime | None, datetime | None], Depends(get_span)]
