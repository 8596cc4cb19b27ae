"""Compile what is published, keep it in files, and read it with the roster into a snapshot."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Final

import shapely

from gis.database import execute
from gis.errors import BadInput
from gis.locator import Locator
from grids.locating.facts import EditionFacts, GridFacts, UnitFacts
from grids.locating.snapshot import Compiled, Snapshot
from grids.locating.table import GridTable
from grids.people import rosters

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

INDEX: Final = ".wgl"
TABLE: Final = ".npy"
log = logging.getLogger("wangge.locating")

KEPT_S: Final = 7 * 86_400
"""How long a file is kept that no edition needs: another database may share the folder."""

_EDITIONS: Final = """
SELECT id, area_code, kind, title, concat_ws('|', id, published_at) AS mark,
    extract(epoch FROM lower(valid))::float8 AS since,
    extract(epoch FROM upper(valid))::float8 AS until
FROM editions
WHERE status NOT IN ('draft', 'withdrawn')
ORDER BY id
"""
# What tells an edition from one of another database: only of those not known yet, as every shape
# is read for it. Shapes of a published edition cannot change.
_SIGNATURES: Final = """
SELECT e.id, concat_ws('|', e.id, e.published_at, count(*), sum(s.area_m2), min(s.grid_id),
    max(s.grid_id), min(s.code), max(s.code)) AS signature
FROM editions AS e JOIN grid_shapes AS s ON s.edition_id = e.id
WHERE e.id = ANY(:new)
GROUP BY e.id
"""
_GRIDS: Final = """
SELECT grid_id, code, name, unit_code, county_code, area_type, households, target, deviation
FROM grid_shapes WHERE edition_id = :edition ORDER BY code
"""
_SHAPES: Final = """
SELECT code, ST_AsBinary(geom) AS wkb FROM grid_shapes WHERE edition_id = :edition ORDER BY code
"""
_UNITS: Final = """
SELECT code, level, name, name_en, extract(epoch FROM lower(valid))::float8 AS since,
    extract(epoch FROM upper(valid))::float8 AS until
FROM admin_units ORDER BY code, lower(valid)
"""


def load(session: Session, folder: Path, before: Snapshot | None = None) -> Snapshot:
    """Everything as the session sees it; editions that are known stay as they are.

    Parameters
    ----------
    folder
        Where compiled editions are kept; made when it is missing, for its owner only.
    """
    compiled = editions(session, folder, before)
    units: dict[str, list[UnitFacts]] = {}
    for row in execute(session, _UNITS):
        facts = row._asdict() | {"since": _open(row.since, -1), "until": _open(row.until, 1)}
        units.setdefault(row.code, []).append(UnitFacts(**facts))
    return Snapshot(compiled, units, rosters.load(session))


def editions(session: Session, folder: Path, before: Snapshot | None = None) -> list[Compiled]:
    """Every published edition, compiled; see `load`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = {each.edition.id: each for each in before.compiled} if before else {}
    rows = execute(session, _EDITIONS).all()
    new = [row.id for row in rows if not _is_same(known.get(row.id), row.mark)]
    found = execute(session, _SIGNATURES, new=new).all() if new else ()
    signatures = {row.id: row.signature for row in found}
    compiled, used = [], set()
    for row in rows:
        edition = EditionFacts(
            row.id, row.area_code, row.kind, row.title,
            _open(row.since, -1), _open(row.until, 1),
        )  # fmt: skip
        if row.id in known and row.id not in signatures:
            compiled.append(known[row.id]._replace(edition=edition))
            used |= {folder / each for each in file_names(compiled[-1])}
        elif row.id in signatures:  # else it has no grids
            path = folder / _name(row.id, signatures[row.id])
            locator = _compiled(session, edition, path, signatures[row.id])
            grids = _table(session, row.id, path.with_suffix(TABLE))
            bounds = tuple(locator.metadata["bounds"])
            compiled.append(Compiled(edition, locator, grids, bounds))
            used |= {path, path.with_suffix(TABLE)}
    _clear(folder, used)
    return compiled


def _is_same(known: Compiled | None, mark: str) -> bool:
    return known is not None and known.locator.metadata["signature"].startswith(f"{mark}|")


def put_aside(folder: Path, damaged: Compiled) -> Path | None:
    """Rename the files of an edition so that they are made anew; where they are, None: gone."""
    path = folder / file_name(damaged)
    kept = path.with_suffix(".damaged")
    (folder / file_names(damaged)[1]).unlink(missing_ok=True)
    try:
        path.replace(kept)
    except OSError:
        return None
    return kept


def file_name(compiled: Compiled) -> str:
    """Name of the file of an edition's index."""
    return _name(compiled.edition.id, compiled.locator.metadata["signature"])


def file_names(compiled: Compiled) -> tuple[str, str]:
    """Names of the files of an edition: its index, and what is shown of its grids."""
    name = file_name(compiled)
    return name, name.removesuffix(INDEX) + TABLE


def _name(edition: int, signature: str) -> str:
    return f"edition-{edition}-{_mark(signature)}{INDEX}"


def _table(session: Session, edition: int, path: Path) -> GridTable:
    """What is shown of an edition's grids, from its file or made anew; the file is mapped."""
    if path.exists():
        try:
            return GridTable.open(path)
        except BadInput as error:
            log.warning("%s is made anew: %s", path.name, error)
    rows = execute(session, _GRIDS, edition=edition)
    GridTable.write(path, [GridFacts(**each._asdict()) for each in rows])
    return GridTable.open(path)


def _compiled(session: Session, edition: EditionFacts, path: Path, signature: str) -> Locator:
    """The index of an edition, from its file or made anew; the file is mapped."""
    if path.exists():
        try:
            return Locator.open(path)
        except BadInput as error:
            log.warning("%s is made anew: %s", path.name, error)
    begun = time.perf_counter()
    rows = execute(session, _SHAPES, edition=edition.id).all()
    shapes = shapely.from_wkb([bytes(row.wkb) for row in rows])
    made = Locator.build(
        shapes,
        [row.code for row in rows],
        metadata={
            "edition": edition.id,
            "area": edition.area_code,
            "kind": edition.kind,
            "signature": signature,
            "bounds": [float(each) for each in shapely.total_bounds(shapes)],
        },
    )
    made.save(path)
    log.info(
        "edition %s is compiled: %s grids, %.1f MB, %.1f s",
        edition.id, len(made), made.nbytes / 1e6, time.perf_counter() - begun,
    )  # fmt: skip
    return Locator.open(path)


def _mark(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()[:16]


def _clear(folder: Path, used: set[Path]) -> None:
    """Remove files that nobody has needed for a week."""
    for path in (
        each for ending in (INDEX, TABLE, ".damaged") for each in folder.glob(f"edition-*{ending}")
    ):
        try:
            if path not in used and time.time() - path.stat().st_mtime > KEPT_S:
                path.unlink()
        except OSError:
            continue


def _open(seconds: float | None, sign: int) -> float:
    return sign * float("inf") if seconds is None else seconds
