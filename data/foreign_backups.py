"""Files that are no backup of wangge's: told by their first bytes, with what to do about each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from pathlib import Path


class BackupDamaged(BadInput):
    """The file is no backup of ours, is cut short, or was changed."""


# What a file is by its first bytes, and what to do with it; the first that fits.
_OURS: Final = "wangge restores what 'wangge db backup' wrote, one .tar file."
_BY_HAND: Final = (
    "To use it, restore it into an empty database of a PostgreSQL server of yours ({how}) and name "
    "that in WANGGE_DATABASE_URL."
)
_PG_RESTORE: Final = _BY_HAND.format(how="createdb NAME; pg_restore --no-owner -d NAME FILE")
_PSQL: Final = _BY_HAND.format(how="createdb NAME; psql -d NAME -f FILE")
_FOREIGN: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"PGDMP", "a dump of pg_dump's custom format", _PG_RESTORE),
    (b"--\n-- PostgreSQL database", "a plain SQL dump of pg_dump", _PSQL),
    (b"\x1f\x8b", "a file packed by gzip", "Unpack it with gunzip, and name what comes out."),
    (b"BZh", "a file packed by bzip2", "Unpack it with bunzip2, and name what comes out."),
    (b"\xfd7zXZ", "a file packed by xz", "Unpack it with unxz, and name what comes out."),
    (b"(\xb5/\xfd", "a file packed by zstd", "Unpack it with unzstd, and name what comes out."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it, and name the .tar in it."),
    (b"Rar!", "a RAR archive", "Unpack it, and name the .tar in it."),
    (b"PK\x03\x04", "a zip archive or an Office file", "If a backup is in it, unpack it first."),
    (
        b"SQLite format 3",
        "a SQLite file or GeoPackage",
        "Bring map layers in by wangge import.",
    ),
    (b"%PDF", "a PDF document", "Use another backup."),
    (b"PAR1", "a Parquet file", "Bring tables in by wangge import."),
)


def refuse_foreign(path: Path) -> None:
    """Refuse what is no tar file, naming what it is instead.

    Raises
    ------
    BackupDamaged
        With what the file is and what to do with it.
    """
    if path.is_dir():
        is_dump = (path / "toc.dat").exists()
        what = "a folder of pg_dump's directory format" if is_dump else "a folder"
        raise _foreign(path, what, _PG_RESTORE if is_dump else "Name the .tar file in it.")
    try:
        with path.open("rb") as file:
            head = file.read(2048)
    except OSError as error:
        raise BadInput(Problem(f"it cannot be read: {error.strerror}", source=str(path))) from error
    if head[257:262] == b"ustar":
        if head.startswith(b"toc.dat\0"):
            raise _foreign(path, "a dump of pg_dump's tar format", _PG_RESTORE)
        return
    if not head:
        raise _foreign(
            path, "an empty file", "The copy failed, or the disk was full: copy it again."
        )
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise _foreign(path, what, remedy)
    try:
        # The last character may be cut.
        text = head.decode("utf-8", "ignore" if len(head) == 2048 else "strict")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise _foreign(path, "a file of unknown content", "Use another backup.")
    if re.search(r"^\s*(CREATE|INSERT|SET|COPY|BEGIN|DROP|ALTER)\b", text, re.I | re.M):
        raise _foreign(path, "text that looks like SQL", _PSQL)
    raise _foreign(path, "a text file", "Use another backup.")


def _foreign(path: Path, what: str, remedy: str) -> BackupDamaged:
    reason = f"this is {what}, no backup of wangge's"
    return BackupDamaged(Problem(reason, f"{remedy} {_OURS}", source=str(path)))
