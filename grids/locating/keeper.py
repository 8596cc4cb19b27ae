"""Keeps a snapshot current: told by the database at once, and asking it each second besides."""

from __future__ import annotations

import gc
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gis.errors import BadInput, WanggeError
from grids.locating import store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from grids.locating.snapshot import Snapshot

log = logging.getLogger("wangge.locating")

CHANNEL: Final = "wangge_changed"
LOOK_S: Final = 1.0
FRESH_S: Final = 2.0
"""A snapshot that was compared with the database longer ago is not taken for current."""
LATE: Final = 1000
"""Changes that may be seen after ones with a higher number: their transactions took longer."""
FORGET_EVERY_S: Final = 3600.0


class Keeper:
    """The current snapshot of a database, kept by a thread.

    Parameters
    ----------
    folder
        Where compiled editions are kept.
    on_access
        Called when somebody's access may have changed.
    """

    def __init__(
        self, database: Database, folder: Path, on_access: Callable[[], None] = lambda: None
    ) -> None:
        self.snapshot: Snapshot | None = None
        self.is_cut_off = False
        """The database did not answer when it was last asked."""
        self._database, self._folder, self.on_access = database, folder, on_access
        self._seen: set[int] = set()
        self._highest = 0
        self._compared = -float("inf")
        self._compared_at = 0.0
        self._forgotten = time.monotonic()
        self._verified: set[str] = set()
        self._damaged = threading.Event()

    @property
    def is_current(self) -> bool:
        """Whether the snapshot is what the database holds, as of a second ago."""
        return self.snapshot is not None and time.monotonic() - self._compared < FRESH_S

    @property
    def as_of(self) -> float:
        """When the snapshot was last known to be current, seconds since 1970."""
        return self._compared_at

    def refresh(self) -> bool:
        """Compare with the database, and load what has changed; whether anything had.

        Raises
        ------
        DBAPIError
            The database does not answer.
        """
        with self._database.transaction(timeout_s=0) as session:
            began, at = time.monotonic(), time.time()
            changed = self._changes(session)
        if self._damaged.is_set():
            self._damaged.clear()
            self.snapshot = None
        if self.snapshot is None or changed:
            # After the look: what commits in between is seen by the load, or by the next look.
            with self._database.transaction(timeout_s=0) as session:
                self.snapshot = store.load(session, self._folder, self.snapshot)
            # It stays for long and holds no cycles: the collector need not walk it again and again,
            # while nothing else runs.
            gc.freeze()
            # It reads all of each file: beside this thread, or the snapshot would be held for old.
            threading.Thread(target=self.verify, args=(self.snapshot,), daemon=True).start()
        self._compared, self._compared_at = began, at
        self.is_cut_off = False
        return changed

    def verify(self, snapshot: Snapshot) -> None:
        """Read whatever was mapped and not read yet; what is damaged is put aside and made anew.

        Until it is the database is asked.
        """
        for each in snapshot.compiled:
            name = store.file_name(each)
            if name in self._verified:
                continue
            try:
                each.locator.verify()
                each.grids.verify()
            except (BadInput, OSError):
                kept = store.put_aside(self._folder, each)
                log.exception(
                    "the compiled grids of edition %s were damaged on the disk: %s; answers since "
                    "they were opened may have been wrong. They are made anew",
                    each.edition.id, kept or "the file is gone",
                )  # fmt: skip
                self.snapshot = None
                self._damaged.set()
                return
            self._verified.add(name)

    def _changes(self, session: Any) -> bool:
        """Whether a change is seen that was not before."""
        found = set(
            session.scalars(
                # Nothing compiled is made of what maps alone are made of.
                sa.text("SELECT id FROM snapshot_changes WHERE id > :low AND kind <> 'maps'"),
                {"low": self._highest - LATE},
            )
        )
        new = found - self._seen
        self._highest = max(found, default=self._highest)
        self._seen = {each for each in self._seen | found if each > self._highest - LATE}
        if time.monotonic() - self._forgotten > FORGET_EVERY_S:
            self._forgotten = time.monotonic()
            # The last of each kind stays: versions of maps would repeat if none were left.
            session.execute(
                sa.text(
                    "DELETE FROM snapshot_changes WHERE at < now() - interval '1 day' "
                    "AND id NOT IN (SELECT max(id) FROM snapshot_changes GROUP BY kind)"
                )
            )
        return bool(new)

    def keep(self, stopping: threading.Event) -> None:
        """Keep it current until told to stop; for a thread of the server."""
        while not stopping.is_set():
            try:
                self._listen(stopping)
            except OSError as error:
                log.warning("nothing is compiled, %s: %s", self._folder, error.strerror)
                self.snapshot = None
                stopping.wait(60 * LOOK_S)
            except (DBAPIError, psycopg.Error, WanggeError) as error:
                if not self.is_cut_off:
                    log.warning(
                        "the database does not answer (%s): answers go on from what was compiled",
                        type(error).__name__,
                    )
                self.is_cut_off = True
                stopping.wait(LOOK_S)

    def _listen(self, stopping: threading.Event) -> None:
        pooled = self._database.engine.raw_connection()
        try:
            connection: Any = pooled.driver_connection
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            self.refresh()
            while not stopping.is_set():
                # Ends after a second, or with the first word and what comes along with it.
                words = {each.payload for each in connection.notifies(timeout=LOOK_S, stop_after=1)}
                if "access" in words:
                    self.on_access()
                self.refresh()
        finally:
            pooled.invalidate()
            pooled.close()
