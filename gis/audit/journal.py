"""Readings that are answered from memory: on the disk before they are, in the log a second later.

A line for each reading goes to a file of this process before the answer does; a thread enters what
the file holds in the audit log, under whoever asked, and removes it. What a killed process left is
entered by the next one. While the database is away lines wait. A machine that loses its power may
lose the last seconds of them, as it may of what readings enter in the database themselves.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from gis.audit.entries import KEPT_IDS, Context, come_in, read

if TYPE_CHECKING:
    from pathlib import Path

    from gis.database import Database

log = logging.getLogger("wangge.audit")

EVERY_S: Final = 1.0
READER, READING = "w", "r"


class Journal:
    """What was read of people, on its way to the audit log.

    Parameters
    ----------
    folder
        Where the files lie; made when it is missing, for its owner only.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder = database, folder
        self._lock, self._entering = threading.Lock(), threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._waiting: list[tuple[Path, Told]] = []
        self._open()

    def _open(self) -> None:
        self._path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex}.open"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._told = Told({}, {})

    def note(self, reader: str, context: Context, unit: str, grid: int, people: str) -> None:
        """Write down that somebody was told who answers for a grid.

        Parameters
        ----------
        reader
            What tells this context from others: of one key and one network address.
        people
            Their ids, with spaces between.

        Raises
        ------
        OSError
            It could not be written: the answer must not be given.
        """
        with self._lock:
            text = f"{READING}\t{reader}\t{unit}\t{grid}\t{people}\n"
            told = self._told
            if reader not in told.readers:
                known = json.dumps(asdict(context), default=str)
                text = f"{READER}\t{reader}\t{known}\n{text}"
            line = text.encode()
            if os.write(self._file, line) != len(line):
                raise OSError("the journal was cut short")
            told.note(reader, context, unit, people)

    def enter(self) -> int:
        """Enter in the audit log what is written down; how many readings that was."""
        with self._lock:
            if self._told.readers:
                os.close(self._file)
                self._waiting.append((self._path, self._told))
                self._open()
        done = 0
        with self._entering:
            while self._waiting:
                path, told = self._waiting[0]
                self._write(path, told)
                self._waiting.pop(0)
                path.unlink(missing_ok=True)
                done += told.count
        return done

    def recover(self) -> None:
        """Take over what processes left that are no more: it is entered with the next."""
        for path in self._folder.glob("*.open"):
            if path != self._path and not _is_running(path.name.partition("-")[0]):
                self._waiting.append((path, _read(path)))

    def keep_entering(self, stopping: threading.Event) -> None:
        """Enter each second until told to stop, and then once more; for a thread of the server."""
        self.recover()
        is_told = False
        while True:
            ends = stopping.wait(EVERY_S)
            try:
                self.enter()
                is_told = False
            except (sa.exc.DBAPIError, OSError) as error:
                if not is_told:
                    log.warning("readings wait to be entered: %s", type(error).__name__)
                is_told = True
            if ends:
                self._end()
                return

    def _end(self) -> None:
        with self._lock:
            os.close(self._file)
            if not self._told.readers:
                self._path.unlink(missing_ok=True)

    def _write(self, path: Path, told: Told) -> None:
        name = path.stem.partition("-")[2][:16]
        with self._database.transaction() as session:
            # Entered before, by a process that was killed before it could remove the file.
            is_known = session.scalar(
                sa.text(
                    "SELECT EXISTS (SELECT FROM audit_log WHERE at > now() - interval '7 days' "
                    "AND detail->>'journal' = :name)"
                ),
                {"name": name},
            )
            for reader, context in () if is_known else told.readers.items():
                come_in(session, context)
                readings = told.readings[reader]
                # Whoever is told of somebody many times is entered once with that one.
                pairs = ((who, unit) for unit, people in readings for who in people.split())
                named = list(dict.fromkeys(pairs))
                for start in range(0, len(named), KEPT_IDS):
                    read(
                        session,
                        object_kind="person",
                        fields=("name", "role"),
                        seen=named[start : start + KEPT_IDS],
                        asked=sum(readings.values()),
                        journal=name,
                    )


@dataclass(frozen=True)
class Told:
    """Who read, and how often each was told of whom: ids by unit."""

    readers: dict[str, Context]
    readings: dict[str, dict[tuple[str, str], int]]

    def note(self, reader: str, context: Context, unit: str, people: str) -> None:
        """Count a reading."""
        found = self.readings.get(reader)
        if found is None:
            self.readers[reader], found = context, self.readings.setdefault(reader, {})
        key = (unit, people)
        found[key] = found.get(key, 0) + 1

    @property
    def count(self) -> int:
        """How many readings."""
        return sum(sum(each.values()) for each in self.readings.values())


def _read(path: Path) -> Told:
    """What a file holds; a line that was cut short is left out."""
    told = Told({}, {})
    known: dict[str, Context] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        kind, _, rest = line.partition("\t")
        parts = rest.split("\t")
        if kind == READER and len(parts) == 2:
            known[parts[0]] = _context(json.loads(parts[1]))
        elif kind == READING and len(parts) == 4 and parts[0] in known:
            told.note(parts[0], known[parts[0]], parts[1], parts[3])
    return told


def _context(known: dict[str, Any]) -> Context:
    for name in ("account_id", "session_id", "key_id"):
        known[name] = uuid.UUID(known[name]) if known[name] else None
    return Context(**(known | {"also": tuple(known["also"])}))


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
