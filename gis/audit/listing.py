"""The log as it is read: entries of a filter, newest first, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from gis.audit.entries import AuditEntry, is_code, own_area, read
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

FIELDS: Final = ("actor", "action", "object_id", "origin", "scope")
"""What a reader of the log learns of others; named in the entry of its own reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are meant; None means all. ``action`` with a dot at its end means a family."""

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """As SQL conditions on ``audit_log``."""
        found: list[sa.ColumnElement[bool]] = []
        if self.action is not None and self.action.endswith("."):
            found.append(sa.func.starts_with(AuditEntry.action, self.action))
        elif self.action is not None:
            found.append(AuditEntry.action == self.action)
        for name in ("actor", "object_kind", "object_id"):
            wanted = getattr(self, name)
            if wanted is not None:
                found.append(getattr(AuditEntry, name) == wanted)
        if self.start is not None:
            found.append(AuditEntry.at >= self.start)
        if self.end is not None:
            found.append(AuditEntry.at < self.end)
        return found

    def asked(self) -> dict[str, Any]:
        """What was asked for, as far as it may enter the log: a name in words may not."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value
            for name, value in given.items()
            if isinstance(value, datetime) or (value is not None and is_code(value))
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; the words of their purposes, by what stands for them; the next one."""

    entries: Sequence[AuditEntry]
    purposes: Mapping[str, str]
    following: int | None

    def purpose_of(self, entry: AuditEntry) -> str:
        """The purpose as it was said; '(erased)' where the words are gone."""
        if not entry.purpose.startswith("sha256:"):
            return entry.purpose
        return self.purposes.get(entry.purpose, "(erased)")


def page(session: Session, wanted: Filter, *, limit: int, before: int | None = None) -> Page:
    """A page of the log; reading it is an entry of its own.

    Parameters
    ----------
    before
        Only entries with a smaller id: ``following`` of the page before. Ids are given as
        transactions end, so that nothing is lost or doubled while others write.

    Raises
    ------
    BadInput
        The limit is none.
    """
    if limit < 1:
        raise BadInput(Problem("the limit is not positive", "Give 1 or more", field="limit"))
    statement = sa.select(AuditEntry).where(*wanted.conditions())
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    found = session.scalars(statement.order_by(AuditEntry.id.desc()).limit(limit + 1)).all()
    entries = found[:limit]
    said = {each.purpose for each in entries if each.purpose.startswith("sha256:")}
    purposes = _words(session, said) if said else {}
    read(
        session,
        object_kind="audit",
        fields=FIELDS,
        counts={own_area(session): len(entries)},
        action="search",
        before=before,
        **{f"of_{name}": value for name, value in wanted.asked().items()},
    )
    return Page(entries, purposes, entries[-1].id if len(found) > limit else None)


def _words(session: Session, commitments: set[str]) -> dict[str, str]:
    rows = session.execute(
        sa.text("SELECT commitment, words FROM audit_purposes WHERE commitment = ANY(:said)"),
        {"said": sorted(commitments)},
    )
    return {row.commitment: row.words for row in rows}
