"""Incidents against the grids of another moment: what moves, and events that say so.

What an incident was given at its report time stays. Where it lies *now* is its last event of kind
``reassigned`` (`grids.plans.changeover` writes such, too), else the grid of its report time.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from boundaries import repository as boundaries
from boundaries.errors import UnitNotFound
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Conflict, Problem
from grids.incidents import present
from grids.locating import many, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from gis.database import Database
    from grids.incidents.present import Layers, Page, Places, Placing
    from grids.locating.many import Found
    from grids.locating.snapshot import Compiled

SIZE: Final = 5_000
"""Incidents of a page."""
LOCK: Final = 0x77670001


class NotInForce(Conflict):
    """What is written is what holds now; another moment can only be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which incidents are meant: ``since`` is within, ``until`` is not; '' is every area."""

    area: str = ""
    since: datetime | None = None
    until: datetime | None = None
    open_only: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of the incidents.

    Attributes
    ----------
    looked_at
        All of them.
    without_place
        Without coordinates.
    outside
        With a place that no grid in force covers; nothing is written of them.
    unchanged
        In the grid that they are known to be in.
    moved
        How many go from which grid to which, by their codes; None where there was none.
    moved_open
        Those of them that are not over.
    written
        Events written; fewer than moved when others changed something meanwhile.
    """

    at: datetime
    editions: Sequence[int]
    looked_at: int = 0
    without_place: int = 0
    outside: int = 0
    unchanged: int = 0
    moved: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    moved_open: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    written: int = 0


def relocate(
    database: Database,
    folder: Path,
    wanted: Wanted,
    *,
    actor: str,
    at: datetime | None = None,
    commit: bool = False,
    reason: str = "",
    placing: Placing | None = None,
    on_page: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Find the grid that incidents lie in at a moment, and note it where it is another.

    Incidents are taken in pages by id; the events of a page are one transaction, written in that
    order. What a run that was ended has written stands, and the next one writes what is left:
    nothing is written twice, nor of an incident whose place was corrected since it was read. What
    was made anonymous keeps what is known of it. The memory it takes does not depend on how many
    there are.

    Parameters
    ----------
    folder
        Where compiled editions are kept.
    at
        Moment of the edition that counts; None is now.
    commit
        Write events; otherwise only look.
    reason
        Why, in the author's words; kept with every event and with the audit log.
    placing
        Who looks pages up; None does it here. What is written does not depend on it.
    on_page
        Told after each page how many were looked at, of how many.

    Raises
    ------
    NotInForce
        An edition of that moment is not in force now, and events were to be written.
    UnitNotFound
        No unit of that code is known.
    BadInput
        Events were to be written without a reason.
    """
    now = datetime.now(UTC)
    moment = at or now
    if commit and not reason.strip():
        raise BadInput(
            Problem("events need a reason", "Say why, as --reason '...'", field="--reason")
        )
    with database.transaction(timeout_s=0) as session:
        if wanted.area and not boundaries.units_by_code(session, [wanted.area], moment):
            raise UnitNotFound(f"there is no unit {wanted.area}")
        compiled = store.editions(session, folder)
        asked = many.in_force(compiled, moment)
        over = many.in_force(compiled, now, kind="exclusive")
        total = _count(session, wanted)
    outcome = Outcome(moment, [each.edition.id for each in asked])
    run = uuid.uuid4()
    if commit:
        current = {each.edition.id for each in many.in_force(asked, now)}
        if strangers := [each.edition for each in asked if each.edition.id not in current]:
            raise NotInForce(
                f"edition {strangers[0].id} ({strangers[0].title}) is not in force now: leave "
                "--at out to write what holds now, or --commit to look"
            )
        # Before anything is written, so that a run that is ended is on record, too.
        _enter(database, "incident.relocate", wanted, outcome, actor=actor, reason=reason, run=run)
    layers = present.Layers(asked, over, folder)
    codes, people = _Codes(asked), _People(now)
    for page, places in (placing or present.Here()).placed(_pages(database, wanted), layers):
        moved = _compare(page, places, layers, outcome)
        if moved.rows.size:
            with database.transaction(timeout_s=0) as session:
                _tally(page, moved, codes, session, outcome)
                if commit:
                    outcome.written += _write(
                        session, page, moved, codes, people, actor=actor, reason=reason
                    )
        if on_page is not None:
            on_page(outcome.looked_at, total)
    if commit:
        _enter(database, "incident.relocated", wanted, outcome, actor=actor, reason=reason, run=run)
    return outcome


def _count(session: Session, wanted: Wanted) -> int:
    return int(
        execute(
            session,
            "SELECT count(*) FROM incidents WHERE anonymised_at IS NULL "
            "AND starts_with(area_code, :area) "
            "AND (CAST(:since AS timestamptz) IS NULL OR reported_at >= :since) "
            "AND (CAST(:until AS timestamptz) IS NULL OR reported_at < :until) "
            "AND (NOT :open_only OR state NOT IN ('closed', 'rejected', 'merged'))",
            **_values(wanted),
        ).scalar_one()
    )


def _values(wanted: Wanted) -> dict[str, Any]:
    return {
        "area": wanted.area, "since": wanted.since, "until": wanted.until,
        "open_only": wanted.open_only,
    }  # fmt: skip


def _pages(database: Database, wanted: Wanted) -> Iterator[Page]:
    last, count = present.FIRST, SIZE
    while count == SIZE:
        with database.transaction(timeout_s=0) as session:
            page = present.read(session, last, SIZE, _values(wanted))
        count = len(page)
        if count:
            last = page.last
            yield page


class _Moved(NamedTuple):
    """Rows of a page whose grid is another: of which edition, and the exclusive one over it."""

    rows: NDArray[np.int64]
    editions: NDArray[np.int64]
    grids: NDArray[np.int64]
    exclusives: NDArray[np.int64]


def _compare(page: Page, places: Places, layers: Layers, outcome: Outcome) -> _Moved:
    editions, grids = _named(layers.base, places.base)
    _, exclusives = _named(layers.exclusive, places.exclusive)
    without = np.isnan(page.lon)
    outside = ~without & (grids == 0)
    rows = np.flatnonzero((grids != 0) & (grids != page.grid))
    outcome.looked_at += len(page)
    outcome.without_place += int(without.sum())
    outcome.outside += int(outside.sum())
    outcome.unchanged += int(((grids != 0) & (grids == page.grid)).sum())
    return _Moved(rows, editions[rows], grids[rows], exclusives[rows])


def _named(asked: Sequence[Compiled], found: Found) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of edition and grid, 0 where no grid answers."""
    editions = np.zeros(len(found.places), dtype=np.int64)
    grids = np.zeros(len(found.places), dtype=np.int64)
    for place, each in enumerate(asked):
        rows = np.flatnonzero(found.places == place)
        editions[rows] = each.edition.id
        grids[rows] = each.grids.grid_ids[found.positions[rows]]
    return editions, grids


class _Codes:
    """Codes of grids by edition and grid, each asked for once."""

    def __init__(self, asked: Sequence[Compiled]) -> None:
        self._known: dict[tuple[int, int], str | None] = {(0, 0): None}
        for each in asked:
            ids, codes = each.grids.grid_ids.tolist(), each.locator.ids.tolist()
            self._known |= {
                (each.edition.id, grid): code for grid, code in zip(ids, codes, strict=True)
            }

    def __getitem__(self, key: tuple[int, int]) -> str | None:
        """The code; None where there is no grid."""
        return self._known[key]

    def learn(self, session: Session, pairs: Iterable[tuple[int, int]]) -> None:
        """Read those that are not known."""
        new = [each for each in pairs if each not in self._known]
        if not new:
            return
        rows = execute(
            session,
            "SELECT n.edition, n.grid, s.code FROM "
            "unnest(CAST(:editions AS bigint[]), CAST(:grids AS bigint[])) AS n (edition, grid) "
            "LEFT JOIN grid_shapes AS s ON s.edition_id = n.edition AND s.grid_id = n.grid",
            editions=[edition for edition, _ in new],
            grids=[grid for _, grid in new],
        )
        self._known |= {(row.edition, row.grid): row.code for row in rows}


class _Given(NamedTuple):
    """To whom an incident in a grid is given; None: to nobody."""

    person: uuid.UUID | None
    assignment: int | None
    reason: str | None


class _People:
    """Who answers for a grid, and an exclusive one over it, at a moment; each asked for once.

    To ask for each incident took longer than to write its event.
    """

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self._known: dict[tuple[int, int], _Given] = {}

    def of(self, session: Session, pairs: Sequence[tuple[int, int]]) -> list[_Given]:
        """By exclusive grid (0 for none) and grid, in the order asked."""
        if new := sorted(set(pairs) - self._known.keys()):
            rows = execute(
                session,
                "SELECT n.exclusive, n.grid, p.person_id, p.assignment_id, p.reason FROM "
                "unnest(CAST(:exclusives AS bigint[]), CAST(:grids AS bigint[])) "
                "AS n (exclusive, grid) LEFT JOIN LATERAL "
                "wangge_given(NULLIF(n.exclusive, 0), n.grid, NULL, :moment) AS p ON p.place = 1",
                exclusives=[exclusive for exclusive, _ in new],
                grids=[grid for _, grid in new],
                moment=self.moment,
            )
            self._known |= {
                (row.exclusive, row.grid): _Given(row.person_id, row.assignment_id, row.reason)
                for row in rows
            }
        return [self._known[each] for each in pairs]


def _tally(page: Page, moved: _Moved, codes: _Codes, session: Session, outcome: Outcome) -> None:
    """Count from which grid to which, by their codes."""
    both = np.stack(
        [page.edition[moved.rows], page.grid[moved.rows], moved.editions, moved.grids], axis=1
    )
    pairs, place, counts = np.unique(both, axis=0, return_inverse=True, return_counts=True)
    are_open = np.bincount(
        place.reshape(-1), weights=page.is_open[moved.rows], minlength=len(pairs)
    )
    told = list(zip(pairs.tolist(), counts.tolist(), are_open.tolist(), strict=True))
    codes.learn(session, ((edition, grid) for (edition, grid, _, _), _, _ in told))
    for (was_edition, was_grid, edition, grid), count, of_them_open in told:
        now = codes[edition, grid]
        assert now is not None
        pair = (codes[was_edition, was_grid], now)
        outcome.moved[pair] += count
        outcome.moved_open[pair] += int(of_them_open)


def _write(
    session: Session,
    page: Page,
    moved: _Moved,
    codes: _Codes,
    people: _People,
    *,
    actor: str,
    reason: str,
) -> int:
    """Write what moves; how many events."""
    # Two runs at once take turns: the second sees what the first has written.
    execute(session, "SELECT pg_advisory_xact_lock(:lock)", lock=LOCK)
    editions, grids = moved.editions.tolist(), moved.grids.tolist()
    exclusives = moved.exclusives.tolist()
    given = people.of(session, list(zip(exclusives, grids, strict=True)))
    written: Any = execute(
        session,
        files("grids.incidents").joinpath("sql/relocate_write.sql").read_text(encoding="utf-8"),
        moment=people.moment,
        actor=actor,
        reason=reason,
        ids=[uuid.UUID(bytes=each.tobytes()) for each in page.ids[moved.rows]],
        lon=page.lon[moved.rows].tolist(),
        lat=page.lat[moved.rows].tolist(),
        editions=editions,
        grids=grids,
        codes=[codes[pair] for pair in zip(editions, grids, strict=True)],
        exclusives=exclusives,
        persons=[each.person for each in given],
        assignments=[each.assignment for each in given],
        reasons=[each.reason for each in given],
    )
    return int(written.rowcount)


def _enter(
    database: Database,
    action: str,
    wanted: Wanted,
    outcome: Outcome,
    *,
    actor: str,
    reason: str,
    run: uuid.UUID,
) -> None:
    told: dict[str, Any] = {"editions": list(outcome.editions), **_values(wanted)}
    if action == "incident.relocated":
        told |= {"looked_at": outcome.looked_at, "outside": outcome.outside}
    with database.transaction() as session:
        audit.record(
            session,
            actor=actor,
            action=action,
            object_kind="relocation",
            object_id=run,
            county_code=audit.county_of(wanted.area),
            count=outcome.written,
            purpose=reason,
            **told,
        )
