"""Is the audit log what it was? Every chain worked out anew, and held against what was anchored."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from gis.audit import anchors
from gis.audit.reading import Breach, Claim, cut_back, read_log
from gis.audit.roots import NOTHING, Root, read_folder, standing
from gis.database import Database, execute
from gis.errors import BadInput
from gis.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from pathlib import Path


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes
    ----------
    rows, streams, anchored
        How much was read: entries, streams, and anchors that were held against them.
    notes
        What is worth knowing and no breach: losses that were owned up to, entries since the last
        anchor, a folder that is behind.
    """

    rows: int = 0
    streams: int = 0
    anchored: int = 0
    seconds: float = 0.0
    breaches: list[Breach] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"whole": not self.breaches}


def verify(
    database: Database,
    *,
    folders: Sequence[Path] = (),
    keys: Set[bytes] = frozenset(),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Work out every chain of the log, and compare its heads and anchors.

    One process does: while it hashes, the server's makes ready what comes next.

    Parameters
    ----------
    folders
        Of anchors that were written outside the database. Without any, whoever can write to the
        whole database can make one that holds.
    keys
        Public keys (32 bytes) that anchors may be signed with.
    progress
        Called with the entries done and all there are.
    """
    reading = database.engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    with Session(reading) as session:
        execute(session, "SET LOCAL statement_timeout = 0")
        return verify_within(session, folders=folders, keys=keys, progress=progress)


def verify_within(
    session: Session,
    *,
    folders: Sequence[Path] = (),
    keys: Set[bytes] = frozenset(),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """The same within a transaction of the caller's."""
    began = time.monotonic()
    report = Report()
    roots = _roots(session, folders, keys, report)
    claims = {
        stream: [Claim(e.number, e.first_seq, e.last_seq, e.root, e.head, e.at) for e in held]
        for stream, held in standing(roots).items()
    }
    heads = {
        row.stream: (row.seq, bytes(row.hash))
        for row in execute(session, "SELECT stream, seq, hash FROM audit_heads ORDER BY stream")
    }
    wanted = sum(seq for seq, _ in heads.values())
    driver = session.connection().connection.driver_connection
    found = read_log(driver, claims, lambda done: progress(done, max(done, wanted)))
    report.rows, report.breaches = found.rows, report.breaches + found.breaches
    report.streams, report.anchored = len(found.ends), sum(map(len, claims.values()))
    _compare(report, heads, found.ends, claims)
    report.breaches += _purposes(session)
    report.breaches = sorted(set(report.breaches), key=_order)
    report.seconds = round(time.monotonic() - began, 3)
    return report


def _order(breach: Breach) -> tuple[str, int, str]:
    return breach.stream, breach.seq or 0, breach.reason


def _compare(
    report: Report,
    heads: Mapping[str, tuple[int, bytes]],
    ends: Mapping[str, tuple[int, bytes]],
    claims: Mapping[str, Sequence[Claim]],
) -> None:
    """Hold heads and anchors against where the streams ended."""
    for stream in sorted({*heads, *ends, *claims}):
        last, digest = ends.get(stream, (0, b""))
        if stream not in heads:
            if last:
                report.breaches.append(
                    Breach(stream, last, "the stream has entries and no head: it was removed")
                )
        elif heads[stream][0] != last:
            report.breaches.append(
                Breach(
                    stream,
                    min(last, heads[stream][0]) + 1,
                    f"the log ends at entry {last}, and its head says {heads[stream][0]}",
                )
            )
        elif heads[stream][1] != digest:
            report.breaches.append(
                Breach(stream, last, "the last entry's hash is not that of the stream's head")
            )
        beyond = [each for each in claims.get(stream, ()) if each.last_seq > last]
        if beyond:
            report.breaches.append(cut_back(stream, last, beyond[-1]))
    unanchored = sum(
        last - (claims[stream][-1].last_seq if claims.get(stream) else 0)
        for stream, (last, _) in ends.items()
    )
    if unanchored > 0:
        report.notes.append(
            counted(unanchored, "entry is not anchored yet", "entries are not anchored yet")
        )


def _purposes(session: Session) -> list[Breach]:
    """Words of purposes that are not what an entry committed to."""
    rows = execute(
        session,
        "SELECT commitment FROM audit_purposes WHERE commitment <> "
        "'sha256:' || encode(sha256(salt || convert_to(words, 'UTF8')), 'hex') ORDER BY 1",
    )
    return [Breach("", None, f"the words of the purpose {row[0]} were changed") for row in rows]


# -- anchors --------------------------------------------------------------------------------


def _roots(
    session: Session, folders: Sequence[Path], keys: Set[bytes], report: Report
) -> list[Root]:
    """All anchors that are known, those outside before those of the database; breaches of them."""
    kept = anchors.kept_roots(session)
    _check_lines(kept, "the database", keys, report)
    known: dict[int, Root] = {}
    for folder in folders:
        try:
            outside = read_folder(folder)
        except BadInput as error:
            report.breaches += [Breach("", None, str(each)) for each in error.problems]
            continue
        _check_lines(outside, str(folder), keys, report)
        _merge(known, outside, str(folder), report)
        newest = outside[-1].number if outside else 0
        if kept and newest < kept[-1].number:
            report.notes.append(
                f"{folder} ends at anchor {newest}, the database at {kept[-1].number}: "
                "run 'wangge audit anchor'"
            )
    if known:
        inside = {each.number for each in kept}
        for number in sorted(known.keys() - inside):
            lost = known[number]
            report.breaches.append(
                Breach(
                    lost.stream,
                    lost.last_seq,
                    f"anchor {number} is missing from the database: an old copy stands in its "
                    "place, or it was removed",
                    at=lost.at,
                )
            )
    _merge(known, kept, "the database", report)
    roots = [known[number] for number in sorted(known)]
    report.notes += [
        f"entries {each.first_seq} to {each.last_seq} of stream {each.stream} were given up on "
        f"{each.at:%Y-%m-%d %H:%M} UTC: {each.note}"
        for each in roots
        if each.kind == "loss"
    ]
    if roots and not folders:
        report.notes.append(
            "no anchors outside the database were given: it was compared with itself only"
        )
    return roots


def _merge(known: dict[int, Root], roots: Sequence[Root], place: str, report: Report) -> None:
    for each in roots:
        other = known.setdefault(each.number, each)
        if other != each:
            report.breaches.append(
                Breach(
                    each.stream,
                    each.last_seq,
                    f"anchor {each.number} of {place} is another one than outside it",
                    at=other.at,
                )
            )


def _check_lines(roots: Sequence[Root], place: str, keys: Set[bytes], report: Report) -> None:
    """That lines follow one another and are signed; the last one of a key vouches for the rest."""
    before: Root | None = None
    for place_in, each in enumerate(roots):
        follows = roots[place_in + 1] if place_in + 1 < len(roots) else None
        number = before.number + 1 if before else 1
        digest = before.digest() if before else NOTHING
        is_linked = each.number == number and each.previous == digest
        if not is_linked:
            report.breaches.append(
                Breach(
                    each.stream,
                    each.last_seq,
                    f"anchor {each.number} of {place} does not follow the one before it",
                    at=each.at,
                )
            )
        vouched = (
            follows is not None
            and follows.public_key == each.public_key
            and follows.previous == each.digest()
        )
        if each.public_key not in keys:
            reason = "signed with a key that is not known here"
        elif not vouched and not each.is_signed():
            reason = "not signed by the key that it names"
        else:
            reason = ""
        if reason:
            report.breaches.append(
                Breach(
                    each.stream, each.last_seq, f"anchor {each.number} of {place} is {reason}",
                    at=each.at,
                )
            )  # fmt: skip
        before = each
