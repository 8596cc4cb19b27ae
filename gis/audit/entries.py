"""Entries of the audit log, from the service that makes them to the end of its transaction.

An entry holds ids, codes, counts and names of fields, never what a field holds: a person's data can
be erased, and the log still stands. Text that could be more than a code is refused here; a purpose
in somebody's own words is kept apart, and the log holds a salted commitment to it.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from gis.database import IS_SERVICE, Base

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CONTEXT: Final = "audit.context"
ENTRIES: Final = "audit.entries"
MARKS: Final = "audit.marks"
KEPT_IDS: Final = 100
"""Ids of the objects of one entry; a longer list is told by what was asked for."""
COUNTY_DIGITS: Final = 6
_CODE: Final = re.compile(r"[!-~]{0,200}")
APPEND: Final = sa.text("SELECT wangge_audit_append(CAST(:entries AS jsonb), :durable)")


class AuditEntry(Base):
    """Who, as what, where from, did what to which objects, and which of their fields."""

    __tablename__ = "audit_log"
    stream: Mapped[str] = mapped_column(sa.Text(collation="C"))
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    xid: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    actor: Mapped[str] = mapped_column(sa.Text)
    account_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    role: Mapped[str | None] = mapped_column(sa.Text)
    scope: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    purpose: Mapped[str] = mapped_column(sa.Text)
    action: Mapped[str] = mapped_column(sa.Text)
    object_kind: Mapped[str] = mapped_column(sa.Text)
    object_id: Mapped[str] = mapped_column(sa.Text)
    county_code: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    fields: Mapped[str] = mapped_column(sa.Text)
    count: Mapped[int | None] = mapped_column(sa.BigInteger)
    origin: Mapped[str] = mapped_column(sa.Text)
    session_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    key_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who acts in a session, as what, and where from.

    Attributes
    ----------
    area
        Code of its unit, '' for the whole installation, None where it has none.
    also
        Areas granted to it beyond that now.
    origin
        Network address, or ``os:NAME`` of whoever runs the command line.
    """

    actor: str
    account_id: uuid.UUID | None = None
    role: str | None = None
    area: str | None = None
    also: tuple[str, ...] = ()
    origin: str = ""
    session_id: uuid.UUID | None = None
    key_id: uuid.UUID | None = None

    @classmethod
    def command_line(cls) -> Context:
        """Whoever runs this process, as the operating system knows them."""
        name = _os_user()
        return cls(actor=name, role="owner", area="", origin=f"os:{name}")


def _os_user() -> str:
    """The account of this process; who became root with sudo is named as well."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    before = os.environ.get("SUDO_USER")
    return f"{name}({before})" if before and before != name else name


def come_in(session: Session, context: Context) -> None:
    """Say who acts in this session from now on."""
    session.info[CONTEXT] = context


def acting(session: Session) -> Context:
    """Who acts in this session."""
    context: Context | None = session.info.get(CONTEXT)
    if context is None:
        # Before anybody is let in the service has no name of its own to act under.
        context = Context(actor="") if session.info.get(IS_SERVICE) else Context.command_line()
        session.info[CONTEXT] = context
    return context


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    object_kind: str,
    object_id: object,
    county_code: str | None = None,
    fields: Collection[str] = (),
    count: int | None = None,
    purpose: str = "",
    **detail: object,
) -> None:
    """Enter what was done; it commits or vanishes with the change it speaks of.

    Parameters
    ----------
    action
        What was done: ``incident.report``.
    county_code
        County of the object, six digits; None: of none.
    fields
        Names of the fields that were changed or shown.
    count
        How many objects, where it is not one.
    purpose
        What for: a key, or somebody's own words, which are kept apart and can be erased.
    detail
        Ids, codes, counts, moments, and lists of these.

    Raises
    ------
    ValueError
        The detail holds text: what a person said or is called has no place in the log.
    """
    context = acting(session)
    _keep(
        session,
        {
            "actor": actor,
            "action": action,
            "object_kind": object_kind,
            "object_id": _code("object_id", str(object_id)),
            "county_code": county_code,
            "fields": ",".join(sorted(fields)),
            "count": count,
            "purpose": purpose,
            "detail": _checked(detail),
        },
        context,
        durable=True,
    )


def read(
    session: Session,
    *,
    object_kind: str,
    fields: Collection[str],
    seen: Sequence[tuple[object, str]] | None = None,
    counts: Mapping[str, int] | None = None,
    object_id: object = "",
    action: str = "read",
    actor: str | None = None,
    purpose: str = "",
    **detail: object,
) -> None:
    """Enter that personal or restricted data were handed out: one entry a county.

    Parameters
    ----------
    fields
        Names of the fields that were shown.
    seen
        Id and area code of each object that was shown. Up to a hundred ids are kept; what was asked
        for, in ``detail``, tells longer lists.
    counts
        Instead: how many objects of each area code. Nothing seen is entered too, with count 0, in
        the caller's own county.
    object_id
        What was asked for, where that is no object: the address of a tile.
    action
        ``read``, or a word for another way of reading: ``search``, ``export``, ``reveal``.
    actor
        Who, when that is not whom the session let in (the command line's ``--actor``).

    Raises
    ------
    ValueError
        The detail holds text, or nobody was let in.
    """
    context = acting(session)
    who = actor or context.actor
    if not who:
        raise ValueError("personal data are read in a session that let nobody in")
    by_county: dict[str | None, list[str]] = {}
    numbers: Counter[str | None] = Counter()
    outside: Counter[str | None] = Counter()
    for each, area in seen or ():
        by_county.setdefault(county_of(area), []).append(str(each))
    for area, number in (counts or Counter(area for _, area in seen or ())).items():
        numbers[county_of(area)] += number
        if context.area and not area.startswith(context.area):
            outside[county_of(area)] += number
    common = _checked(detail)
    for county in numbers or (county_of(context.area or ""),):
        ids = by_county.get(county, [])
        more: dict[str, object] = {}
        if len(ids) > 1:
            more["ids"] = ids[:KEPT_IDS]
        if outside[county]:
            more["outside"] = outside[county]
        _keep(
            session,
            {
                "actor": who,
                "action": action,
                "object_kind": object_kind,
                "object_id": _code(
                    "object_id", str(object_id) or (ids[0] if len(ids) == 1 else "")
                ),
                "county_code": county,
                "fields": ",".join(sorted(fields)),
                "count": numbers[county],
                "purpose": purpose,
                "detail": common | _checked(more),
            },
            context,
            # Whatever else it is called (an export, a reveal) waits for the disk.
            durable=action not in {"read", "search"},
        )


def own_area(session: Session) -> str:
    """Code of the area of whoever acts; '' for the whole installation, and where there is none."""
    return acting(session).area or ""


def is_code(text: str) -> bool:
    """Whether a text may stand in an entry: an id, a code or a moment, not what somebody wrote."""
    return _CODE.fullmatch(text) is not None


def county_of(area: str) -> str | None:
    """County of an area's code; None for one that is larger."""
    return area[:COUNTY_DIGITS] if len(area) >= COUNTY_DIGITS else None


def _code(name: str, text: str) -> str:
    if not is_code(text):
        raise ValueError(
            f"'{name}' of an audit entry holds text: give an id or a code; what fields hold never "
            "enters the log, and what somebody wrote goes into its purpose"
        )
    return text


def _checked(detail: Mapping[str, object]) -> dict[str, object]:
    """The detail without what is None.

    Fractions are refused: PostgreSQL writes them in its own way, and bytes are hashed.
    """
    return {name: _plain(name, value) for name, value in detail.items() if value is not None}


def _plain(name: str, value: object) -> object:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, datetime | uuid.UUID):
        return value.isoformat() if isinstance(value, datetime) else str(value)
    if isinstance(value, str):
        return _code(name, value)
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    raise ValueError(
        f"'{name}' of an audit entry is a {type(value).__name__}: give a code or count"
    )


def _keep(session: Session, entry: dict[str, Any], context: Context, *, durable: bool) -> None:
    scope = None if context.area is None else ",".join((context.area, *context.also))
    entry |= {
        "account_id": str(context.account_id) if context.account_id else None,
        "role": context.role,
        "scope": scope,
        "origin": context.origin,
        "session_id": str(context.session_id) if context.session_id else None,
        "key_id": str(context.key_id) if context.key_id else None,
    }
    session.info.setdefault(ENTRIES, []).append((entry, durable))


def flush(session: Session) -> None:
    """Write the entries of a session; called by itself when the transaction commits.

    The chain's lock is taken here, after everything else was written, and held until the commit.
    """
    if not session.info.get(ENTRIES):
        return
    session.flush()
    kept: list[tuple[dict[str, Any], bool]] = session.info.pop(ENTRIES)
    session.execute(
        APPEND,
        {
            "entries": json.dumps([entry for entry, _ in kept], ensure_ascii=False),
            "durable": any(durable for _, durable in kept),
        },
    )


# Of every session of the process: one that was made elsewhere loses no entry either.
@event.listens_for(Session, "before_commit")
def _before_commit(session: Session) -> None:
    # Asked for savepoints too, whose entries wait for the transaction's end.
    if not session.in_nested_transaction():
        flush(session)


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        marks = session.info.setdefault(MARKS, {})
        marks[id(transaction)] = len(session.info.get(ENTRIES, ()))


@event.listens_for(Session, "after_soft_rollback")
def _undo(session: Session, previous: SessionTransaction) -> None:
    """Forget what was entered in a savepoint, or a transaction, that did not happen."""
    # A failed flush rolls back a part of its own, which ends at the savepoint around it.
    undone = previous
    while not undone.nested and undone.parent is not None:
        undone = undone.parent
    kept = session.info.get(ENTRIES)
    if kept:
        del kept[session.info.get(MARKS, {}).get(id(undone), 0) :]


@event.listens_for(Session, "after_transaction_end")
def _unmark(session: Session, transaction: SessionTransaction) -> None:
    session.info.get(MARKS, {}).pop(id(transaction), None)
