"""A made place with small numbers to keep, and what follows from all that is told of them."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from maps import sharing
from maps.disclosure import K

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = ZoneInfo("Asia/Shanghai")
QUARTERS = [sharing.quarter_of(day, "Asia/Shanghai") for day in (
    datetime(2026, 2, 2, tzinfo=ZONE).date(), datetime(2026, 5, 4, tzinfo=ZONE).date(),
)]  # fmt: skip
KINDS = ("neighbour", "contract", "housing", "tourism")
VILLAGES = tuple(f"990121{town}{village:03}" for town in (101, 102) for village in (1, 2, 3))
GRIDS = 6
"""Of each village."""
Atom = tuple[str, str, datetime]
"""A grid, a category and a Monday: the finest that a question can tell apart."""


def grid(village: int, number: int) -> str:
    return f"{VILLAGES[village]}{number + 1:03}"


def middle(code: str) -> tuple[float, float]:
    village, number = VILLAGES.index(code[:12]), int(code[12:]) - 1
    return 117.005 + number * 0.01, 45.005 + village * 0.01


def secrets_of_the_place() -> dict[Atom, int]:
    """Incidents by grid, category and week: some grids with many, most with few, some with ones."""
    rng = np.random.default_rng(17)
    found: dict[Atom, int] = {}
    for quarter in QUARTERS:
        for village, number in itertools.product(range(len(VILLAGES)), range(GRIDS)):
            usual = (9, 1.5, 0.6, 5, 0, 3)[number] * (1 + village % 3) / 2
            for kind, share in zip(KINDS, (0.5, 0.25, 0.15, 0.1), strict=True):
                for _ in range(rng.poisson(usual * share)):
                    monday = quarter.start + timedelta(weeks=int(rng.integers(13)))
                    atom = (grid(village, number), kind, monday)
                    found[atom] = found.get(atom, 0) + 1
    # A village in which one grid alone is small, and one with a one in each of five grids.
    start = QUARTERS[0].start
    found = {a: n for a, n in found.items()
             if a[0][:12] not in {VILLAGES[0], VILLAGES[5]} or a[2] >= QUARTERS[0].end}  # fmt: skip
    for number, count in enumerate((9, 2, 30, 11, 6, 0)):
        if count:
            found[grid(0, number), "contract", start] = count
    for number in range(5):
        found[grid(5, number), KINDS[number % 4], start] = 1
    found[grid(5, 5), "housing", start] = 40
    # In the quarter after, a village with three beside one with many in each grid.
    start = QUARTERS[1].start
    found = {a: n for a, n in found.items() if a[0][:12] not in VILLAGES[3:] or a[2] < start}
    for village, counts in ((3, (3,)), (4, (6, 7, 8)), (5, (20, 25, 30))):
        for number, count in enumerate(counts):
            found[grid(village, number), "contract", start] = count
    start = QUARTERS[0].start
    # A grid with many, of which one category alone is small; it stands in another week.
    found[grid(0, 2), "housing", start + timedelta(weeks=1)] = 3
    return found


SECRETS = secrets_of_the_place()


class Attack:
    """What is known of the numbers, as linear equations, and what follows from them."""

    def __init__(self) -> None:
        self.columns: dict[Atom, int] = {
            (grid(v, g), kind, quarter.start + timedelta(weeks=week)): n
            for n, (quarter, week, v, g, kind) in enumerate(
                itertools.product(QUARTERS, range(13), range(len(VILLAGES)), range(GRIDS), KINDS)
            )
        }
        self.equations: dict[frozenset[int], int] = {}
        self.at_least_one: set[frozenset[int]] = set()

    def atoms(self, code: str, kinds: tuple[str, ...], start: str, end: str) -> frozenset[int]:
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        return frozenset(
            n for (g, kind, monday), n in self.columns.items()
            if g.startswith(code) and (not kinds or kind in kinds) and first <= monday < last
        )  # fmt: skip

    def read(self, told: dict[str, Any], kinds: tuple[str, ...]) -> None:
        """Of a grid map, each number; and that what is hidden is no zero, as far as it is told."""
        for each in told["grids"]:
            atoms = self.atoms(each["code"], kinds, told["start"], told["end"])
            if each["incidents"] is not None:
                self.equations[atoms] = each["incidents"]
            elif not kinds:
                self.at_least_one.add(atoms)

    def told(self) -> set[str]:
        """Grids, categories of grids, and weeks of grids with 1 to 4 incidents that are told."""
        n = len(self.columns)
        known = [(atoms, value) for atoms, value in self.equations.items() if atoms]
        rows = np.repeat(np.arange(len(known)), [len(atoms) for atoms, _ in known])
        cols = np.concatenate([np.fromiter(atoms, int) for atoms, _ in known])
        table = sparse.csr_array((np.ones(cols.size), (rows, cols)), shape=(len(known), n))
        values = np.array([value for _, value in known], dtype=float)
        # Numbers that occur in the same equations only stand for one unknown: their sum.
        lower = [sum(1 for _ in atoms) > 0 for atoms in self.at_least_one]
        more = np.array(
            [[a in atoms for a in range(n)] for atoms in self.at_least_one], dtype=float
        )
        shape = np.concatenate([table.toarray(), more]) if lower else table.toarray()
        patterns, which = np.unique(shape, axis=1, return_inverse=True)
        which = which.ravel()
        equal, least = patterns[: len(known)], patterns[len(known) :]
        found = set()
        truth = np.zeros(n)
        for atom, count in SECRETS.items():
            truth[self.columns[atom]] = count
        for name, atoms in self.targets():
            secret = int(truth[list(atoms)].sum())
            if not 0 < secret < K:
                continue
            groups = set(which[list(atoms)])
            # What cannot be put together from whole unknowns is not told by any of them.
            if set(np.flatnonzero(np.isin(which, list(groups)))) - set(atoms):
                continue
            wanted = np.zeros(patterns.shape[1])
            wanted[list(groups)] = 1
            ends = [
                linprog(sign * wanted, A_eq=equal, b_eq=values,
                        A_ub=-least if len(least) else None,
                        b_ub=-np.ones(len(least)) if len(least) else None)
                for sign in (1, -1)
            ]  # fmt: skip
            if ends[1].status == 0 and ends[0].fun > -ends[1].fun - 0.5:
                assert round(ends[0].fun) == secret
                found.add(name)
        return found

    def targets(self) -> Iterator[tuple[str, frozenset[int]]]:
        """Numbers that are secrets where they are small."""
        for v, g in itertools.product(range(len(VILLAGES)), range(GRIDS)):
            code = grid(v, g)
            for quarter in QUARTERS:
                span = (quarter.start.isoformat(), quarter.end.isoformat())
                yield f"{code} {quarter.number}", self.atoms(code, (), *span)
                for kind in KINDS:
                    yield f"{code} {quarter.number} {kind}", self.atoms(code, (kind,), *span)
            # By week in the first villages: of all of them it takes long.
            for week in range(13 if v in {0, 1} else 0):
                monday = QUARTERS[0].start + timedelta(weeks=week)
                after = monday + timedelta(weeks=1)
                yield (
                    f"{code} week {week}",
                    self.atoms(code, (), monday.isoformat(), after.isoformat()),
                )
