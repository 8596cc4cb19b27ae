"""What the routes of maps have in common: who gets the shared one, and what a client holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Query, Request
from pydantic import BaseModel

from api.auth import Access, needs
from boundaries.models import Edition
from grids.incidents import repository
from grids.incidents.repository import Filter
from maps.looks import enter_places
from maps.service import MapCache, tag
from maps.tiles import check_address

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from api.settings import ServerSettings

Made = TypeVar("Made")

Reading = Annotated[Access, needs("heatmaps.read", heavy=True)]
Category = Annotated[list[str] | None, Query(description="May be repeated; all when left out")]
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


class Both(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Asked(Generic[Made]):
    """A map of incidents that a request asks for.

    Attributes
    ----------
    how
        What tells it from others of the same incidents: its name and the options of its making.
    make
        Makes it of ``access.session`` and ``wanted``.
    layer
        Name under which it is entered in the audit log; None: it shows no single incidents.
    """

    request: Request
    access: Access
    wanted: Filter
    how: tuple[object, ...]
    make: Callable[[Session, Filter], Made]
    layer: str | None = None

    def made(self, tile: tuple[int, int, int] | None = None) -> tuple[Made | None, dict[str, str]]:
        """The map, and the headers of its answer; None where the client holds it already.

        Entered in the log either way: ``tile`` is what is shown of it, None: all.

        Raises
        ------
        BadInput
            There is no such tile.
        """
        if tile is not None:
            check_address(*tile)
        session, cache = self.access.session, kept_maps(self.request)
        key = cache.key(session, self.how[0], self.wanted, *self.how[1:])
        made = None
        if not knows(self.request, tag(key)):
            made = cache.get(key, lambda: self.make(session, self.wanted))
        if self.layer is not None:
            counts: MapCache = self.request.app.state.map_counts
            enter_places(
                session,
                self.wanted,
                layer=self.layer,
                tile=tile,
                # Of a million incidents counting takes as long as reading them for the map.
                counted=lambda of: counts.get(
                    (*key[:2], of), lambda: repository.placed_by_area(session, of)
                ),
            )
        return made, kept_headers(tag(key))


def kept_maps(request: Request) -> MapCache:
    """The maps that are kept for whoever asks next."""
    maps: MapCache = request.app.state.maps
    return maps


def wanted(
    access: Access,
    period: tuple[datetime | None, datetime | None],
    category: list[str] | None,
) -> Filter:
    """The incidents of a map: of a period and of categories, as far as the caller sees them."""
    return Filter(
        start=period[0],
        end=period[1],
        categories=tuple(category or ()),
        scope=access.caller.scope,
    )


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


def kept_headers(known: str) -> dict[str, str]:
    """Headers of what has an entity tag, which every caller's own is made of."""
    return {
        # Weak: the same with and without gzip is the same to whoever asks again.
        "ETag": f"W/{known}",
        # Kept by this browser, and never shown unasked.
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding",
    }


def knows(request: Request, known: str) -> bool:
    """Whether the client holds what has an entity tag: it names some, weak or strong, or a star."""
    told = request.headers.get("if-none-match", "").split(",")
    return bool({"*", known} & {each.strip().removeprefix("W/") for each in told})
