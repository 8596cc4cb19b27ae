"""What a kind of import is, and the state that one run of it carries from step to step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.importers.values import texts
from gis.database import execute
from gis.errors import BadInput, Problem
from gis.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from data.importers.guards import Checked
    from data.importers.reading import Table
    from data.importers.report import Report

Geometries = NDArray[np.object_]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Options:
    """What the user said.

    Attributes
    ----------
    crs
        ``auto`` or a name that `gis.crs.parse_crs` knows.
    county
        6-digit code that the rows belong to; None finds it.
    parent
        Code of the unit whose children the rows are; completes short codes.
    source
        Name that, with the county and the id, makes a record the same at the next import.
    timezone
        Zone of times that name none.
    against
        File in a known place to judge a suspected shift by.
    defaults
        Field to the text that empty cells get.
    actor
        Who is importing, for the audit.
    update
        The file corrects records that are there: only the fields it has, and nothing is added.
    complete
        The file has all records of its county and source: those it lacks are taken back.
    grid_kind
        What grids are: ``base``, ``micro`` or ``exclusive``.
    commit
        What passes is written; otherwise it is a dry run.
    secrets
        File of the keys that phones and id numbers are encrypted with; None without a database.
    """

    crs: str = "auto"
    county: str | None = None
    parent: str | None = None
    source: str = ""
    timezone: str = "Asia/Shanghai"
    against: Path | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    actor: str = "import"
    update: bool = False
    complete: bool = False
    grid_kind: str = "base"
    commit: bool = False
    secrets: Path | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of import.

    Attributes
    ----------
    fields
        Canonical names of the columns; `required` ones must be found.
    families
        Geometry that the records have, of ``point``, ``line``, ``polygon``; empty for none.
    needs_place
        Whether a row without geometry is rejected.
    prepare
        Checks that need no database; leaves ``work.records``.
    store
        Writes ``work.records`` through the session and fills the report's counts; the caller
        commits or rolls back.
    from_osm
        Reads an OpenStreetMap extract into a table with canonical columns.
    layers
        Names by which a layer of this kind is known in a file of several.
    place_later
        The kind converts positions itself (each row may have its own CRS).
    companions
        Kinds whose layer in the same file is imported along, in the same transaction.
    corrects
        Field to the column of the table that an update may change by it; empty where none may.
    no_update
        What to do where an update corrects nothing.
    takes_back
        Whether records can be taken back that a complete file no longer has.
    unchecked
        Says what a check without a database could not look at.
    """

    name: str
    fields: tuple[str, ...]
    prepare: Callable[[Work], None]
    store: Callable[[Work, Session], None]
    required: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    needs_place: bool = False
    from_osm: Callable[[Checked], Table] | None = None
    layers: tuple[str, ...] = ()
    place_later: bool = False
    companions: tuple[str, ...] = ()
    corrects: Mapping[str, str] = field(default_factory=dict)
    no_update: str = ""
    takes_back: bool = False
    unchecked: Callable[[Work], None] | None = None


@dataclass
class Work:
    """One layer on its way from file to database.

    Attributes
    ----------
    frame
        Canonical columns (object) of the rows not rejected; the index is the row of the file.
    geom
        Geometry of each row of the frame, None where there is none; after placing, WGS 84.
    columns
        Field to the column of the file, for naming it in problems.
    records
        What `prepare` made for `store`, by the kind's own names.
    expected
        Bounds of what the database already has of the place; None when nothing is known.
    """

    kind: Kind
    options: Options
    report: Report
    frame: pd.DataFrame
    geom: Geometries
    columns: dict[str, str]
    records: dict[str, Any] = field(default_factory=dict)
    expected: tuple[float, float, float, float] | None = None
    x: NDArray[np.float64] | None = None
    y: NDArray[np.float64] | None = None
    crs: str = "wgs84"

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of the file of each record of the frame."""
        return np.asarray(self.frame.index, dtype=np.int64)

    @property
    def needs_place(self) -> bool:
        """Whether a row without geometry is rejected; a correction may do without."""
        return self.kind.needs_place and not self.options.update

    def has(self, name: str) -> bool:
        """Whether the file (or a constant) gives this field."""
        return name in self.frame.columns

    def field(self, name: str) -> str:
        """How the file calls a field."""
        return self.columns.get(name, name)

    def column(self, name: str) -> pd.Series[Any]:
        """A field's values, all None when the file does not have it."""
        if name in self.frame.columns:
            return self.frame[name]
        return pd.Series([None] * len(self.frame), index=self.frame.index, dtype=object)

    def drop_rejected(self) -> None:
        """Leave out the rows that the report has rejected by now."""
        keep = self.report.stands(self.rows)
        if keep.all():
            return
        self.frame = self.frame[keep]
        self.geom = self.geom[keep]
        if self.x is not None and self.y is not None:
            self.x, self.y = self.x[keep], self.y[keep]


def stable_ids(work: Work, fields: Sequence[str], name: str = "id") -> pd.Series[Any]:
    """The id column as text; where there is none, an id made from geometry and fields.

    The same content gets the same id at every import. Rows that are the same in all of it are one
    record: the later ones are left out as doubles.
    """
    given = texts(work.column(name))
    lacking = given.isna().to_numpy()
    if not lacking.any():
        return given
    if work.options.update:
        work.report.reject(
            given.index[lacking], "there is no id, and an update needs one",
            f"Give the id of the record that is to be corrected, or --map {name}=COLUMN.",
            field=work.field(name),
        )  # fmt: skip
        return given
    parts = [texts(work.column(f)) for f in fields]
    wkb = shapely.to_wkb(work.geom)
    made = []
    for position in np.flatnonzero(lacking):
        digest = hashlib.sha256(wkb[position] or b"")
        for part in parts:
            digest.update(b"\x1f" + (part.iloc[position] or "").encode())
        made.append(f"auto-{digest.hexdigest()[:20]}")
    given = given.copy()
    given[lacking] = made
    what = " and ".join(["geometry", *fields]) if work.kind.families else ", ".join(fields)
    work.report.note(
        f"{counted(int(lacking.sum()), 'row has', 'rows have')} no id: one was made from {what}",
        f"Give an id column with --map {name}=COLUMN, or a change of these makes a new record.",
        field=work.field(name),
    )
    return given


def own_ids(work: Work, fields: Sequence[str], name: str = "id") -> pd.Series[Any]:
    """The ids of `stable_ids`, for rows of which each is a record of its own.

    Rows whose id another row has are rejected: one record cannot be two things.
    """
    ids = stable_ids(work, fields, name)
    doubled = ids.duplicated(keep=False) & ids.notna()
    if not doubled.any():
        return ids
    first = ids[doubled].groupby(ids[doubled]).apply(lambda group: list(group.index[:5]))
    same = ids[doubled]
    work.report.reject(
        same.index,
        [f"the id {value!r} stands in rows {_listed(first[value])}" for value in same],
        "Give each its own id, or leave one out.",
        field=work.field(name),
        group="the id stands in several rows",
    )
    work.drop_rejected()
    return ids.loc[work.frame.index]


def put_together(
    frame: pd.DataFrame, doubled: pd.Series[bool], shapes: Mapping[Any, Any]
) -> pd.DataFrame:
    """The frame with one row, and its united shape, for each group of doubled ones.

    Parameters
    ----------
    shapes
        Row to keep of each group, and the geometry of the whole group; groups without are left out.
    """
    out = frame[~doubled | frame.index.isin(list(shapes))].copy()
    for row, shape in shapes.items():
        out.at[row, "geom"] = shape
    return out


def _listed(rows: Sequence[int]) -> str:
    return ", ".join(str(int(row)) for row in rows)


def county_of(work: Work, session: Session | None) -> str | None:
    """The county of the rows: told, else the only one the database has.

    Raises
    ------
    BadInput
        Told and not 6 digits; or not told, and the database has none or several.
    """
    county = work.options.county
    if county is not None:
        if len(county) != 6 or not county.isascii() or not county.isdigit():
            raise BadInput(
                Problem(f"the county {county!r} is not 6 digits", "Say --county 150121.")
            )
        return county
    if session is None:
        return None
    known = [
        str(row.county)
        for row in execute(
            session,
            "SELECT DISTINCT county_code AS county FROM admin_units "
            "WHERE county_code IS NOT NULL AND upper_inf(valid) ORDER BY 1 LIMIT 12",
        )
    ]
    if len(known) == 1:
        return known[0]
    listed = f"it has {', '.join(known)}" if known else "it has none yet: import units first"
    raise BadInput(
        Problem(
            f"which county do these {work.kind.name} belong to? The database does not say: "
            f"{listed}",
            "Say --county CODE.",
            work.report.file,
        )
    )
