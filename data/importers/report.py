"""What an import did, or would do: every row's fate with its reason, and the counts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from gis.errors import BadInput, Problem
from gis.wording import counted, verb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

Level = Literal["rejected", "warned", "removed", "changed", "repaired", "noted"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)

# Why an incident waits for a person to look at it.
REVIEW_WORDS: Final = {
    "no_place": "without a place",
    "outside": "outside of every grid",
    "no_edition": "from a time for which no grids are published",
    "nobody": "in grids where nobody answered at the time",
}
# An Excel sheet that begins with one of these is run as a formula by the reader's spreadsheet.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, and what became of it.

    Attributes
    ----------
    level
        ``rejected``: the row is not kept. ``warned``: kept as it is, but a person should look.
        ``removed``: a stored record is taken back. ``changed``: a stored record gets another value.
        ``repaired``: kept with another value than the file's. ``noted``: an assumption was made.
    group
        Words that alike findings share, for counting; the problem's reason may name the value.
    """

    level: Level
    group: str
    problem: Problem


@dataclass
class Report:
    """The outcome of one import.

    Attributes
    ----------
    read
        Rows taken from the file (after choosing the layer, and the rows by a filter).
    left_out
        Rows that the filter left out.
    new, changed, unchanged
        Records of the database; None when no database was asked. A row may make several records
        (a village also names its township) and several rows one (a building in parts).
    absent
        Records of the same county and source that are in the database and not in this file, and
        stay as they are.
    removed
        Records of the same county and source that a complete file lacks, and that go.
    review
        For incidents: rows kept for a person to place, by reason.
    committed
        Whether anything was written.
    """

    kind: str
    file: str
    source: str
    layer: str | None = None
    crs: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    read: int = 0
    left_out: int = 0
    new: int | None = None
    changed: int | None = None
    unchanged: int | None = None
    absent: int | None = None
    removed: int | None = None
    review: dict[str, int] = field(default_factory=dict)
    committed: bool = False
    findings: list[Finding] = field(default_factory=list)
    raw: pd.DataFrame | None = field(default=None, repr=False)
    _rejected: set[int] = field(default_factory=set, repr=False)

    def add(
        self,
        level: Level,
        reason: str | Iterable[str],
        remedy: str = "",
        *,
        rows: Iterable[int] | None = None,
        field: str | None = None,
        group: str | None = None,
    ) -> None:
        """Record one finding, or one for each row.

        Parameters
        ----------
        reason
            One text for all rows, or one for each.
        rows
            1-based rows of the file; None for the whole file.
        group
            Words for counting alike findings; the reason itself when it is one text.
        """
        if rows is None:
            text = reason if isinstance(reason, str) else "; ".join(reason)
            problem = Problem(text, remedy, self.file, None, field)
            self.findings.append(Finding(level, group or text, problem))
            return
        rows = [int(row) for row in rows]
        reasons = [reason] * len(rows) if isinstance(reason, str) else list(reason)
        for row, text in zip(rows, reasons, strict=True):
            problem = Problem(text, remedy, self.file, row, field)
            self.findings.append(Finding(level, group or text, problem))
        if level == "rejected":
            self._rejected.update(rows)

    def reject(
        self,
        rows: Iterable[int],
        reason: str | Iterable[str],
        remedy: str = "",
        *,
        field: str | None = None,
        group: str | None = None,
    ) -> None:
        """Record rows that are not kept; see `add`."""
        self.add("rejected", reason, remedy, rows=rows, field=field, group=group)

    def reject_each(
        self,
        found: Sequence[tuple[int, str]],
        remedy: str,
        *,
        field: str | None = None,
        group: str,
    ) -> None:
        """Reject rows, each for its own reason; nothing when none was found."""
        self.reject(
            [row for row, _ in found], [why for _, why in found], remedy, field=field, group=group
        )

    def stands(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """Whether each of these rows of the file is not rejected by now."""
        return ~np.isin(rows, list(self._rejected))

    def note(self, reason: str, remedy: str = "", *, field: str | None = None) -> None:
        """Record an assumption about the whole file."""
        self.add("noted", reason, remedy, field=field)

    @property
    def rejected(self) -> int:
        """Rows not kept."""
        return len(self._rejected)

    @property
    def kept(self) -> int:
        """Rows kept."""
        return self.read - len(self._rejected)

    @property
    def problems(self) -> list[Problem]:
        """Every reason for a rejection."""
        return [f.problem for f in self.findings if f.level == "rejected"]

    def groups(self) -> list[tuple[Level, str, int, list[Finding]]]:
        """Alike findings together, the most serious and frequent first: level, words, count."""
        together: dict[tuple[Level, str], list[Finding]] = {}
        for finding in self.findings:
            together.setdefault((finding.level, finding.group), []).append(finding)
        return sorted(
            ((level, group, len(found), found) for (level, group), found in together.items()),
            key=lambda entry: (LEVELS.index(entry[0]), -entry[2]),
        )

    def to_dict(self, *, limit: int | None = None) -> dict[str, Any]:
        """Everything as plain values; `limit` findings of each group, None for all."""
        return {
            "kind": self.kind,
            "file": self.file,
            "source": self.source,
            "layer": self.layer,
            "crs": self.crs,
            "columns": self.columns,
            "committed": self.committed,
            "read": self.read,
            "left_out": self.left_out,
            "kept": self.kept,
            "rejected": self.rejected,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "absent": self.absent,
            "removed": self.removed,
            "review": self.review,
            "findings": [
                {
                    "level": level,
                    "group": group,
                    "count": count,
                    "rows": [
                        {
                            "row": f.problem.row,
                            "field": f.problem.field,
                            "reason": f.problem.reason,
                            "remedy": f.problem.remedy,
                        }
                        for f in (found if limit is None else found[:limit])
                    ],
                }
                for level, group, count, found in self.groups()
            ],
        }

    def to_json(self, *, limit: int | None = None) -> str:
        """`to_dict` as JSON text, Chinese left readable."""
        return json.dumps(self.to_dict(limit=limit), ensure_ascii=False, indent=2)

    def lines(self, *, limit: int = 5) -> list[str]:
        """The report for a terminal: counts, then each group with its first `limit` rows."""
        what = "written" if self.committed else "dry run, nothing written"
        text = [f"{self.kind} from {self.file} ({what})"]
        left_out = f", {self.left_out} left out by --where" if self.left_out else ""
        text.append(
            f"  rows: {self.read} read, {self.kept} kept, {self.rejected} rejected{left_out}"
        )
        if self.new is not None:
            removed = f", {self.removed} removed" if self.removed else ""
            text.append(
                f"  records: {self.new} new, {self.changed} changed, {self.unchanged} unchanged"
                + removed
            )
        if self.absent:
            which = counted(self.absent, "record", "records")
            text.append(
                f"  {which} of source {self.source!r} {verb(self.absent, 'is', 'are')} in the "
                "database but not in this file, and "
                f"{verb(self.absent, 'stays as it is', 'stay as they are')}"
            )
        if self.review:
            listed = ", ".join(
                f"{n} {REVIEW_WORDS.get(reason, reason)}"
                for reason, n in sorted(self.review.items())
            )
            text.append(f"  kept for review: {listed}")
        for level, group, count, found in self.groups():
            if found[0].problem.row is None:
                text.extend(f"  {level}: {_without_file(f.problem)}" for f in found[:limit])
                if count > limit:
                    text.append(f"      ... and {count - limit} more")
                continue
            text.append(f"  {level}: {count} x {group}. {found[0].problem.remedy}".rstrip())
            for f in found[:limit]:
                place = f"row {f.problem.row}"
                if f.problem.field:
                    place += f", field {f.problem.field}"
                text.append(f"      {place}: {f.problem.reason}")
            if count > limit:
                text.append(f"      ... and {count - limit} more")
        return text

    def rejected_frame(self) -> pd.DataFrame:
        """The rejected rows as the file had them, with `row`, `reason` and `remedy` columns."""
        reasons: dict[int, list[str]] = {}
        remedies: dict[int, list[str]] = {}
        for problem in self.problems:
            if problem.row is not None:
                where = f"{problem.field}: " if problem.field else ""
                reasons.setdefault(problem.row, []).append(where + problem.reason)
                if problem.remedy and problem.remedy not in remedies.setdefault(problem.row, []):
                    remedies[problem.row].append(problem.remedy)
        rows = sorted(reasons)
        out = (
            pd.DataFrame(index=rows)
            if self.raw is None
            else self.raw.reindex(rows).astype(object).copy()
        )
        out.insert(0, "row", rows)
        out["reason"] = ["; ".join(reasons[row]) for row in rows]
        out["remedy"] = [" ".join(remedies.get(row, [])) for row in rows]
        return out

    def write_rejected(self, path: Path) -> int:
        """Write the rejected rows back as ``.csv`` or ``.xlsx``, to be mended and sent again.

        Returns
        -------
        Number of rows written; the file is written even when there are none.

        Raises
        ------
        BadInput
            The name ends in neither.
        """
        check_rejected_name(path)
        frame = self.rejected_frame()
        harmless = frame.map(_harmless)
        if path.suffix.lower() == ".csv":
            # The mark at the start makes Excel read Chinese correctly.
            harmless.to_csv(path, index=False, encoding="utf-8-sig")
        else:
            harmless.to_excel(path, index=False)
        return len(frame)

    def refuse_if_strict(self, *, strict: bool) -> None:
        """Raise BadInput with every problem when one row was rejected and none may be."""
        if strict and self.rejected:
            raise BadInput(self.problems)

    def counts_by_group(self, level: Level) -> Counter[str]:
        """How often each group of findings of this level occurred."""
        return Counter(f.group for f in self.findings if f.level == level)


def check_rejected_name(path: Path) -> None:
    """Raise BadInput when `Report.write_rejected` cannot write a file of this name."""
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise BadInput(
            f"rejected rows cannot be written as {path.suffix or path.name!r}",
            "Name a file ending in .csv or .xlsx.",
        )


def _without_file(problem: Problem) -> str:
    return str(Problem(problem.reason, problem.remedy, None, problem.row, problem.field))


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula, with an apostrophe before it."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and not _is_number(value):
        return "'" + value
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
