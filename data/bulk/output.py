"""What a run writes, beside the result until it is whole; and how far it has come."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from data.bulk import work
from data.bulk.positions import NAMED, Faults
from gis.errors import BadInput, Conflict, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data.bulk.pieces import Piece
    from data.bulk.work import Done, Task

JOURNAL: Final = "journal.jsonl"
MERGED_ROWS: Final = 1 << 20


class Changed(Conflict):
    """What a run that was ended had begun with is not what it is given now."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of all rows; rows are numbered from 1, without the header."""

    rows: int
    inside: int
    faults: Faults

    @property
    def outside(self) -> int:
        """Rows with a position that lies in no grid."""
        return self.rows - self.inside - self.faults.missing - self.faults.wrong


class Output:
    """The result: a CSV or Parquet file, or a folder of Parquet files.

    Everything is written into a folder beside it, ``.NAME.part``, with a journal of what is done;
    at the end the result takes its place, whole. A second run at the same time is refused.

    Parameters
    ----------
    path
        Ending in .csv or .parquet; with another ending it is a folder.
    begun
        What the result depends on, as JSON has it: input, grids, options.
    resumes
        Go on with what an earlier run left, if there is any.

    Raises
    ------
    Changed
        An earlier run began with something else.
    Conflict
        Another run writes to it, or the folder is there already.
    BadInput
        There is no place for it.
    """

    def __init__(self, path: Path, begun: dict[str, Any], *, resumes: bool) -> None:
        self.path = path
        self.is_folder = is_folder(path)
        self.home = path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.is_folder and path.is_dir() and any(path.iterdir()):
            raise Conflict(
                f"the folder {path} is there already: name a new one, or remove it first"
            )
        self.home.mkdir(mode=0o700, exist_ok=True)
        self._lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Conflict(f"another run is writing {path} right now") from None
        self.done: list[dict[str, Any]] = []
        """One entry for each piece that is done, in their order."""
        earlier = self._read_journal() if resumes else None
        if earlier is not None:
            self._go_on(earlier, begun)
        else:
            self._begin(begun)

    def _begin(self, begun: dict[str, Any]) -> None:
        for each in self.home.iterdir():
            if each.name != "lock":
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        self._journal = (self.home / JOURNAL).open("w", encoding="utf-8")
        self._note(begun)

    def _read_journal(self) -> list[dict[str, Any]] | None:
        """Lines written whole; a kill may have cut the last one."""
        path = self.home / JOURNAL
        if not path.exists():
            return None
        lines: list[dict[str, Any]] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        return lines or None

    def _go_on(self, lines: list[dict[str, Any]], begun: dict[str, Any]) -> None:
        before, *self.done = lines
        wrong = sorted(
            name for name in before.keys() | begun.keys() if before.get(name) != begun.get(name)
        )
        if wrong:
            self.close()
            told = "; ".join(
                f"{name} was {_short(before.get(name))}, is {_short(begun.get(name))}"
                for name in wrong
            )
            raise Changed(
                f"{self.path.name} was begun with something else: {told}. Give what it was begun "
                "with, or leave --resume out to begin anew"
            )
        # Written anew: the line that the kill cut is gone.
        fresh = self.home / f"{JOURNAL}.new"
        fresh.write_text("".join(f"{_line(each)}\n" for each in lines), encoding="utf-8")
        fresh.replace(self.home / JOURNAL)
        self._journal = (self.home / JOURNAL).open("a", encoding="utf-8")

    def _note(self, entry: dict[str, Any]) -> None:
        self._journal.write(f"{_line(entry)}\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def start(self, task: Task) -> None:
        """Make ready for the pieces that are to come."""
        self._task = task
        if task.kind == work.CSV:
            self._rows = (self.home / "rows.csv").open("ab")
            if self.done:
                self._rows.truncate(self.done[-1]["bytes"])
            else:
                self._rows.truncate(0)
                header = io.StringIO()
                csv.writer(header, lineterminator="\n").writerow(work.columns_of(task))
                self._rows.write(f"\ufeff{header.getvalue()}".encode())

    def target(self, piece: Piece) -> Path:
        """Where a piece is to be written, for `take`."""
        return self.home / f"piece-{piece.number:06}"

    def place(self, piece: Piece) -> Path:
        """Where the rows of a piece lie when a folder is written."""
        return self.home / "rows" / (piece.name if self.is_folder else f"{piece.number:06}.parquet")

    def take(self, piece: Piece, done: Done) -> None:
        """Make what was written for a piece, the next in order, part of the result.

        Raises
        ------
        BadInput
            The piece holds what cannot be taken.
        """
        if done.refused:
            before = sum(each["rows"] for each in self.done)
            raise BadInput(_moved(done.refused, before))
        target = self.target(piece)
        if done.content is not None:
            target.write_bytes(done.content)
        entry = {
            "piece": piece.number, "rows": done.rows, "inside": done.inside,
            "faults": asdict(done.faults),
        }  # fmt: skip
        if self._task.kind == work.CSV:
            with target.open("rb") as file:
                shutil.copyfileobj(file, self._rows, 1 << 20)
            target.unlink()
            self._rows.flush()
            os.fsync(self._rows.fileno())
            entry["bytes"] = self._rows.tell()
        else:
            place = self.place(piece)
            place.parent.mkdir(parents=True, exist_ok=True)
            with target.open("rb") as file:
                os.fsync(file.fileno())
            target.replace(place)
        self.done.append(entry)
        self._note(entry)

    def totals(self) -> Totals:
        """What became of all rows so far."""
        rows = inside = 0
        faults = Faults()
        for each in self.done:
            moved = Faults(**each["faults"]).moved(rows)
            faults.missing += moved.missing
            faults.wrong += moved.wrong
            faults.first_missing += moved.first_missing[: NAMED - len(faults.first_missing)]
            faults.first_wrong += moved.first_wrong[: NAMED - len(faults.first_wrong)]
            rows += each["rows"]
            inside += each["inside"]
        return Totals(rows, inside, faults)

    def finish(self) -> None:
        """Put the result in its place; nothing else is left."""
        if self._task.kind == work.CSV:
            self._rows.close()
            (self.home / "rows.csv").replace(self.path)
        elif self.is_folder:
            (self.home / "rows").rename(self.path)
        else:
            merged, rows = self.home / "merged.parquet", self.home / "rows"
            _merge([rows / f"{each['piece']:06}.parquet" for each in self.done], merged)
            merged.replace(self.path)
        self.discard()

    def discard(self) -> None:
        """Leave nothing of it."""
        self.close()
        # A worker that was given up may still be writing there; nobody will look at it.
        shutil.rmtree(self.home, ignore_errors=True)

    def close(self) -> None:
        """Let go of it, as it is."""
        for name in ("_journal", "_rows"):
            if hasattr(self, name):
                getattr(self, name).close()
        self._lock.close()


def is_folder(path: Path) -> bool:
    """Whether a result of this name is a folder of Parquet files.

    Raises
    ------
    BadInput
        Its ending is that of a file that is not written.
    """
    if path.is_dir() or not path.suffix:
        return True
    if path.suffix.lower() not in (work.CSV, work.PARQUET):
        raise BadInput(
            Problem(
                f"cannot write '{path.suffix}'",
                "Use .csv or .parquet, or name a folder, without an ending, for many Parquet files",
                source=path.name,
            )
        )
    return False


def _merge(parts: Sequence[Path], target: Path) -> None:
    """One Parquet file of many, row group by row group."""
    with pq.ParquetFile(parts[0]) as first:
        schema = first.schema_arrow
    with pq.ParquetWriter(target, schema) as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group).cast(schema))


def _moved(problems: Sequence[Problem], rows: int) -> Iterator[Problem]:
    for each in problems:
        yield each if each.row is None else replace(each, row=each.row + rows)


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
