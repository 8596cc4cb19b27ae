"""What the routes of maps have in common: who gets the shared one, and what a client holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Query

from boundaries.models import Edition
from maps.service import tag

if TYPE_CHECKING:
    from fastapi import Request
    from sqlalchemy.orm import Session

    from api.auth import Access
    from api.settings import ServerSettings

Shared = Annotated[
    bool,
    Query(
        description="The map that may leave the case team: of a whole quarter, with small counts "
        "hidden. Always so for who may not read incidents."
    ),
]
KNOWN: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "As it is known already (ETag)"}
}


def is_shared(access: Access, *, shared: bool) -> bool:
    """Whether a map is the one that may leave: asked for, or all that the caller may see."""
    return shared or not access.caller.may("incidents.read")


def today(settings: ServerSettings) -> str:
    """The day in the installation's zone: with it quarters end."""
    return f"{datetime.now(ZoneInfo(settings.timezone)):%Y-%m-%d}"


def in_force(session: Session) -> tuple[int, ...]:
    """The editions in force: one comes into force by the clock, without a change of anything."""
    return tuple(
        session.scalars(
            sa.select(Edition.id).where(Edition.valid.contains(sa.func.now())).order_by(Edition.id)
        )
    )


def kept_headers(key: tuple[object, ...]) -> dict[str, str]:
    """Kept by this browser alone, and never shown unasked."""
    return {"ETag": tag(key), "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}


def knows(request: Request, key: tuple[object, ...]) -> bool:
    """Whether the client holds the map of a key."""
    told = request.headers.get("if-none-match", "").split(",")
    return bool({"*", tag(key)} & {each.strip().removeprefix("W/") for each in told})
