"""Addresses that no search was sure of: kept for a person, whose choice is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from boundaries.repository import point
from gis import audit
from gis.errors import BadInput, Problem
from grids.addresses import aliases
from grids.addresses.errors import ReviewDecided, ReviewNotFound
from grids.addresses.models import AddressReview
from grids.addresses.parsing import whole_key
from grids.addresses.parts import half_width

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from grids.addresses.candidates import Candidate

MAX_PAGE: Final = 500
WHOLE: Final = "division"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person made of an address.

    Attributes
    ----------
    candidate
        Its place in the list of candidates, from 0.
    lon, lat
        Where it is instead, WGS 84 degrees; given together.
    label
        What to call that place; the text itself when left out.

    With none of them the address is nowhere to be found, and nothing is remembered.
    """

    candidate: int | None = None
    lon: float | None = None
    lat: float | None = None
    label: str | None = None


def enqueue(
    session: Session,
    text: str,
    candidates: Sequence[Candidate],
    *,
    county_code: str,
    actor: str,
    area_code: str | None = None,
    incident_id: uuid.UUID | None = None,
) -> AddressReview:
    """Keep an address for a person to decide; flushed, not committed.

    Parameters
    ----------
    candidates
        As `search.search` gave them; none is a question, too.
    area_code
        Unit whose people are asked; that of the first candidate when left out, else the county.

    Raises
    ------
    BadInput
        The text is empty.
    """
    plain = half_width(text)
    if not plain or not whole_key(plain):
        raise BadInput(Problem("the address is empty", "Leave it out.", field="address"))
    inside = [each.area_code for each in candidates if each.area_code.startswith(county_code)]
    review = AddressReview(
        county_code=county_code,
        area_code=area_code or (inside[0] if inside else county_code),
        text=plain,
        candidates=[each.as_json() for each in candidates],
        incident_id=incident_id,
        author=actor,
    )
    session.add(review)
    session.flush()
    return review


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the queue, how many wait in all, and the number that the next page is after."""

    rows: Sequence[AddressReview]
    count: int
    next: int | None


def waiting(session: Session, *, limit: int = 100, after: int = 0) -> Page:
    """Reviews that nobody has decided, the oldest first; reading them is entered in the log.

    Parameters
    ----------
    limit
        Rows at the most, and `MAX_PAGE` whatever is asked; 0: only their number, which is not
        entered in the log.
    after
        Number of the last review of the page before; 0: from the beginning.
    """
    is_open = AddressReview.outcome.is_(None)
    size = min(limit, MAX_PAGE)
    found = session.scalars(
        sa.select(AddressReview)
        .where(is_open, AddressReview.id > after)
        .order_by(AddressReview.id)
        .limit(size + 1)
    ).all()
    rows = found[:size]
    count = session.scalar(sa.select(sa.func.count()).select_from(AddressReview).where(is_open))
    _seen(session, rows, "search")
    more = rows[-1].id if rows and len(found) > size else None
    return Page(rows, int(count or 0), more)


def one(session: Session, review_id: int) -> AddressReview:
    """One review, decided or not; reading it is entered in the log.

    Raises
    ------
    ReviewNotFound
        There is none of this number in the caller's area.
    """
    found = session.get(AddressReview, review_id)
    if found is None:
        raise ReviewNotFound(f"there is no address review {review_id}")
    _seen(session, [found], "read")
    return found


def _seen(session: Session, rows: Sequence[AddressReview], action: str) -> None:
    audit.read(
        session,
        object_kind="address_review",
        action=action,
        fields=("text", "candidates"),
        seen=[(str(each.id), each.county_code) for each in rows],
    )


def decide(session: Session, review_id: int, choice: Choice, *, actor: str) -> AddressReview:
    """Settle a review; the same text is found by it from now on. Flushed, not committed.

    What was said before of the text in this county, as far as the caller sees it, ends with that.

    Raises
    ------
    ReviewNotFound
        There is none of this number in the caller's area.
    ReviewDecided
        It was decided before.
    BadInput
        The choice names no candidate of the list, or a whole unit, or half a position, or both;
        nothing is changed.
    """
    review = session.scalars(
        sa.select(AddressReview).where(AddressReview.id == review_id).with_for_update()
    ).one_or_none()
    if review is None:
        raise ReviewNotFound(f"there is no address review {review_id}")
    if review.outcome is not None:
        raise ReviewDecided(f"address review {review_id} was decided by {review.decided_by}")
    outcome, label, place = _meant(review, choice)
    values: dict[str, Any] = {"outcome": outcome, "label": label, "decided_by": actor}
    if place is not None:
        values["geom"] = point(*place)
    session.execute(
        sa.update(AddressReview)
        .where(AddressReview.id == review_id)
        .values(decided_at=sa.func.now(), **values)
    )
    session.refresh(review)
    if place is not None:
        aliases.say_place(
            session, review.text, label=str(label), lon=place[0], lat=place[1],
            county_code=review.county_code, area_code=review.area_code, actor=actor,
        )  # fmt: skip
    audit.record(
        session,
        actor=actor,
        action="address.decide",
        object_kind="address_review",
        object_id=review_id,
        county_code=review.county_code,
        outcome=outcome,
    )
    return review


def same(session: Session, done: AddressReview, *, lock: bool = False) -> Sequence[AddressReview]:
    """Other waiting reviews of the same text in the same area, the oldest first.

    The text is the same however it is spaced and signed, as for what is remembered.

    Parameters
    ----------
    lock
        Keep them for this transaction; those that somebody else is deciding are left out.
    """
    statement = (
        sa.select(AddressReview)
        .where(
            AddressReview.outcome.is_(None),
            AddressReview.area_code == done.area_code,
            AddressReview.county_code == done.county_code,
            AddressReview.id != done.id,
        )
        .order_by(AddressReview.id)
    )
    found = session.execute(statement.with_only_columns(AddressReview.id, AddressReview.text))
    wanted = whole_key(done.text)
    ids = [row.id for row in found if whole_key(row.text) == wanted]
    statement = statement.where(AddressReview.id.in_(ids))
    if lock:
        statement = statement.with_for_update(skip_locked=True)
    return session.scalars(statement).all()


def carried(choice: Choice, done: AddressReview, other: AddressReview) -> Choice:
    """What was chosen in one review, said for another, whose candidates may be others by now.

    The candidate of the same name and place where it has it, else the place itself.
    """
    if choice.candidate is None:
        return choice
    chosen = done.candidates[choice.candidate]
    for place, each in enumerate(other.candidates):
        if all(each[name] == chosen[name] for name in ("label", "lon", "lat", "method")):
            return Choice(candidate=place)
    return Choice(lon=float(chosen["lon"]), lat=float(chosen["lat"]), label=str(chosen["label"]))


def _meant(
    review: AddressReview, choice: Choice
) -> tuple[str, str | None, tuple[float, float] | None]:
    problems = []
    has_place = choice.lon is not None or choice.lat is not None
    if choice.candidate is not None and has_place:
        problems.append(Problem("a candidate and a position were given", "Give one of them."))
    if (choice.lon is None) != (choice.lat is None):
        problems.append(Problem("half a position was given", "Give lon and lat.", field="lon"))
    for name, value, most in (("lon", choice.lon, 180.0), ("lat", choice.lat, 90.0)):
        if value is not None and not -most <= value <= most:  # NaN, too
            problems.append(Problem(f"{value} is no {name}", "Give degrees of WGS 84.", field=name))
    count = len(review.candidates)
    if choice.candidate is not None and not 0 <= choice.candidate < count:
        held = f"it has {count} of them, counted from 0" if count else "it has none"
        problems.append(
            Problem(f"there is no candidate {choice.candidate}: {held}", field="candidate")
        )
    elif choice.candidate is not None and review.candidates[choice.candidate]["method"] == WHOLE:
        problems.append(
            Problem(
                f"candidate {choice.candidate} is a whole unit, and no place in it",
                "Give lon and lat of the place.",
                field="candidate",
            )
        )
    if problems:
        raise BadInput(problems)
    if choice.candidate is not None:
        chosen = review.candidates[choice.candidate]
        return "candidate", str(chosen["label"]), (float(chosen["lon"]), float(chosen["lat"]))
    if choice.lon is not None and choice.lat is not None:
        return "elsewhere", choice.label or review.text, (choice.lon, choice.lat)
    return "nowhere", None, None
