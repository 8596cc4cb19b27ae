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
from grids.people import rosters

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

log = logging.getLogger("wangge.locating")

KEPT_S: Final = 7 * 86_400
"""How long a file is kept that no edition needs: another database may share the folder."""

_EDITIONS: Final = """
SELECT e.id, e.area_code, e.kind, e.title,
    extract(epoch FROM lower(e.valid))::float8 AS since,
    extract(epoch FROM upper(e.valid))::float8 AS until,
    concat_ws('|', e.id, e.published_at, count(*), sum(s.area_m2), min(s.grid_id), max(s.grid_id),
              min(s.code), max(s.code)) AS signature
FROM editions AS e JOIN grid_shapes AS s ON s.edition_id = e.id
WHERE e.status NOT IN ('draft', 'withdrawn')
GROUP BY e.id ORDER BY e.id
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
    compiled, used = [], set()
    for row in execute(session, _EDITIONS).all():
        edition = EditionFacts(
            row.id, row.area_code, row.kind, row.title,
            _open(row.since, -1), _open(row.until, 1),
        )  # fmt: skip
        path = folder / _name(row.id, row.signature)
        used.add(path)
        older = known.get(row.id)
        if older is not None and older.locator.metadata.get("signature") == row.signature:
            compiled.append(older._replace(edition=edition))
            continue
        locator = _compiled(session, edition, path, row.signature)
        grids = [GridFacts(**each._asdict()) for each in execute(session, _GRIDS, edition=row.id)]
        compiled.append(Compiled(edition, locator, grids, tuple(locator.metadata["bounds"])))
    _clear(folder, used)
    return compiled


def put_aside(folder: Path, damaged: Compiled) -> Path | None:
    """Rename the file of an edition so that it is made anew; its new name, None: it is gone."""
    path = folder / file_name(damaged)
    kept = path.with_suffix(".damaged")
    try:
        path.replace(kept)
    except OSError:
        return None
    return kept


def file_name(compiled: Compiled) -> str:
    """Name of the file of an edition."""
    return _name(compiled.edition.id, compiled.locator.metadata["signature"])


def _name(edition: int, signature: str) -> str:
    return f"edition-{edition}-{_mark(signature)}.wgl"


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
    for path in (*folder.glob("edition-*.wgl"), *folder.glob("edition-*.damaged")):
        try:
            if path not in used and time.time() - path.stat().st_mtime > KEPT_S:
                path.unlink()
        except OSError:
            continue


def _open(seconds: float | None, sign: int) -> float:
    return sign * float("inf") if seconds is None else seconds
