"""What the audit log says of densities that show where single incidents were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gis import audit
from grids.incidents import repository
from maps.tiles import box_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session


def enter_places(
    session: Session,
    wanted: repository.Filter,
    *,
    layer: str = "",
    tile: tuple[int, int, int] | None = None,
    counted: Callable[[repository.Filter], Mapping[str, int]] | None = None,
) -> None:
    """Enter that a density was shown to the case team, as a list of its incidents is entered.

    Hills of single incidents stand on their places. A map that was kept, here or by the client, is
    looked at again: it is entered as well. Nothing is entered for a shared map, which hides them.

    Parameters
    ----------
    layer, tile
        Name in the address of tiles, with the tile's zoom, column and row: then the incidents on it
        are counted. None: all of the map.
    counted
        How many have a place, by area code, where that is known already.
    """
    if tile is None:
        kind, asked_for, action = "incident", "", "search"
    else:
        kind, asked_for, action = "tile", "/".join(map(str, (layer, *tile))), "read"
        wanted = replace(wanted, bbox=box_of(*tile))
    audit.read(
        session,
        object_kind=kind,
        object_id=asked_for,
        action=action,
        fields=("place",),
        counts=counted(wanted) if counted else repository.placed_by_area(session, wanted),
        start=wanted.start,
        end=wanted.end,
        category=[each for each in wanted.categories if audit.is_code(each)] or None,
    )
