"""What people said that a text means: said, listed, ended. Nothing is written over.

What is said anew of a text ends what was said before, as far as whoever says it sees that; both
stay to be read, with their authors, until retention removes them. Said again by the same person,
nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from boundaries.repository import point
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Problem
from grids.addresses.errors import AliasEnded, AliasNotFound
from grids.addresses.models import AddressAlias
from grids.addresses.parsing import whole_key
from grids.addresses.parts import half_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them, and the number that the next page is after; None: these are the last."""

    rows: Sequence[AddressAlias]
    next: int | None


def say_place(
    session: Session, text: str, *, label: str, lon: float, lat: float, county_code: str,
    area_code: str, actor: str,
) -> None:  # fmt: skip
    """Let a whole text stand for a place (WGS 84 degrees). Flushed, not committed."""
    _say(
        session, text, actor, county_code=county_code, area_code=area_code, label=label,
        geom=point(lon, lat),
    )  # fmt: skip


def say_unit(session: Session, text: str, unit_code: str, *, actor: str) -> None:
    """Let a text stand for a unit: 土左 for 土默特左旗. Flushed, not committed.

    Raises
    ------
    BadInput
        The text is empty, or the unit is above the county or unknown.
    """
    plain = half_width(text)
    known = execute(
        session,
        "SELECT name FROM admin_units WHERE code = :code AND level >= 6 AND valid @> now()",
        code=unit_code,
    ).scalar()
    problems = []
    if not whole_key(plain):
        problems.append(Problem("the name is empty", field="text"))
    if known is None:
        problems.append(Problem(f"there is no unit {unit_code} of a county or below", field="unit"))
    if problems:
        raise BadInput(problems)
    county_code = unit_code[:6]
    _say(
        session, plain, actor, county_code=county_code, area_code=unit_code, label=str(known),
        unit_code=unit_code,
    )  # fmt: skip
    audit.record(
        session, actor=actor, action="address.alias", object_kind="unit", object_id=unit_code,
        county_code=county_code,
    )  # fmt: skip


def _say(session: Session, text: str, actor: str, *, county_code: str, **meant: Any) -> None:
    key = whole_key(text)
    # Two who say it at once do so one after the other.
    execute(
        session, "SELECT pg_advisory_xact_lock(hashtextextended(:said, 0))",
        said=f"{county_code} {key}",
    )  # fmt: skip
    open_ones = sa.and_(
        AddressAlias.county_code == county_code,
        AddressAlias.key == key,
        AddressAlias.ended_at.is_(None),
    )
    again = (
        AddressAlias.author == actor,
        *(getattr(AddressAlias, name) == meant[name] for name in meant if name != "label"),
    )
    if session.scalar(sa.select(AddressAlias.id).where(open_ones, *again)) is not None:
        return  # of many reviews that ask the same, settled at once
    session.execute(_ending(actor).where(open_ones))
    session.execute(
        sa.insert(AddressAlias)
        .inline()
        .values(county_code=county_code, key=key, text=text, author=actor, **meant)
    )


def _ending(actor: str) -> Any:
    # By the clock of the transaction, which may have begun before what it ends was said.
    return sa.update(AddressAlias).values(
        ended_at=sa.func.greatest(sa.func.now(), AddressAlias.at), ended_by=actor
    )


def listed(session: Session, *, limit: int = 100, after: int = 0, with_ended: bool = False) -> Page:
    """What people said, the oldest first; reading it is entered in the log.

    Parameters
    ----------
    limit
        Rows at the most, and `MAX_PAGE` whatever is asked.
    after
        Number of the last one of the page before; 0: from the beginning.
    with_ended
        Also what holds no longer.
    """
    size = min(limit, MAX_PAGE)
    statement = sa.select(AddressAlias).where(AddressAlias.id > after).order_by(AddressAlias.id)
    if not with_ended:
        statement = statement.where(AddressAlias.ended_at.is_(None))
    found = session.scalars(statement.limit(size + 1)).all()
    rows = found[:size]
    audit.read(
        session,
        object_kind="address_alias",
        action="search",
        fields=("text", "label", "place"),
        seen=[(str(each.id), each.county_code) for each in rows],
    )
    return Page(rows, rows[-1].id if rows and len(found) > size else None)


def end(session: Session, alias_id: int, *, actor: str) -> AddressAlias:
    """Let what was said hold no longer: its text is searched for as if nobody had said it. Flushed.

    Raises
    ------
    AliasNotFound
        There is none of this number in the caller's area.
    AliasEnded
        It held no longer already.
    """
    found = session.scalars(
        sa.select(AddressAlias).where(AddressAlias.id == alias_id).with_for_update()
    ).one_or_none()
    if found is None:
        raise AliasNotFound(f"there is no alias {alias_id}")
    if found.ended_at is not None:
        raise AliasEnded(f"alias {alias_id} was ended by {found.ended_by}")
    session.execute(_ending(actor).where(AddressAlias.id == alias_id))
    session.refresh(found)
    audit.record(
        session, actor=actor, action="address.alias_end", object_kind="address_alias",
        object_id=alias_id, county_code=found.county_code,
    )  # fmt: skip
    return found
