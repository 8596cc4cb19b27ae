"""No hidden count can be worked out from what is shown; a solver is asked for each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from maps.disclosure import K, hidden

Tree = tuple[dict[str, int], dict[str, str]]


def tree(nested: list[list[list[int]]]) -> Tree:
    """Counts and parents of a county of townships of villages of grids."""
    counts, parents = {"c": 0}, {}
    for t, township in enumerate(nested):
        parents[f"c{t}"] = "c"
        counts[f"c{t}"] = 0
        for v, village in enumerate(township):
            unit = f"c{t}{v}"
            parents[unit] = f"c{t}"
            counts[unit] = sum(village)
            for g, number in enumerate(village):
                parents[f"{unit}{g}"] = unit
                counts[f"{unit}{g}"] = number
            counts[f"c{t}"] += sum(village)
        counts["c"] += counts[f"c{t}"]
    return counts, parents


NUMBERS = st.one_of(st.just(0), st.integers(0, 6), st.integers(0, 60))
VILLAGES = st.lists(NUMBERS, min_size=1, max_size=5)
TREES = st.lists(st.lists(VILLAGES, min_size=1, max_size=3), min_size=1, max_size=3).map(tree)


def room(counts: dict[str, int], parents: dict[str, str], gone: set[str], code: str) -> float:
    """How far apart the least and the largest value of a hidden count are, given what is shown."""
    names = sorted(gone)
    rows, sums = [], []
    for unit in sorted(set(parents.values())):
        parts = [each for each, parent in parents.items() if parent == unit]
        rows.append([float(n in parts) - float(n == unit) for n in names])
        known = sum(counts[each] for each in parts if each not in gone)
        sums.append((0 if unit in gone else counts[unit]) - known)
    wanted = [float(name == code) for name in names]
    top = [(0, 10_000)] * len(names)
    least = linprog(wanted, A_eq=rows, b_eq=sums, bounds=top)
    most = linprog([-w for w in wanted], A_eq=rows, b_eq=sums, bounds=top)
    assert least.success, least.message
    assert most.success, most.message
    return -most.fun - least.fun


@given(TREES)
def test_every_small_count_is_hidden_and_none_can_be_worked_out(given_tree: Tree) -> None:
    counts, parents = given_tree
    gone = hidden(counts, parents)
    assert {code for code, number in counts.items() if 0 < number < K} <= gone
    for code in gone:
        assert room(counts, parents, gone, code) > 0.999, (counts, gone, code)


@given(TREES)
def test_what_is_hidden_of_a_shown_unit_adds_up_to_no_small_number(given_tree: Tree) -> None:
    counts, parents = given_tree
    gone = hidden(counts, parents)
    for unit in set(parents.values()) - gone:
        lost = sum(counts[c] for c, parent in parents.items() if parent == unit and c in gone)
        assert lost == 0 or lost >= K, (counts, gone, unit)


def test_nothing_small_nothing_hidden() -> None:
    assert hidden(*tree([[[0, 5, 90], [7, 0, 12]]])) == set()


def test_one_small_grid_takes_the_smallest_of_its_village_along() -> None:
    assert hidden(*tree([[[50, 3, 9, 40], [60, 70, 30]]])) == {"c001", "c002"}


def test_village_that_is_small_itself_hides_another_village() -> None:
    gone = hidden(*tree([[[0, 3], [60, 70], [20, 9]]]))
    assert gone == {"c000", "c001", "c00", "c02", "c021"} - {"c000"}


def test_whole_that_is_small_is_hidden() -> None:
    assert {"c", "c0", "c00", "c000"} <= hidden(*tree([[[3]]]))


@pytest.mark.parametrize("counts", [{"c": -1}, {"c": 5, "c0": 3}])
def test_no_tree_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="sum of its parts"):
        hidden(counts, {"c0": "c"} if "c0" in counts else {})
    assert hidden({}, {}) == set()


def test_a_sum_of_ones_hides_more_than_the_ones() -> None:
    """Five hidden parts, none of them zero, that add up to five are one each."""
    gone = hidden(*tree([[[1, 1, 1, 1, 1, 30, 8], [90, 70]]]))
    assert gone == {"c000", "c001", "c002", "c003", "c004", "c006"}


@given(TREES)
def test_every_hidden_count_can_still_be_any_small_number(given_tree: Tree) -> None:
    """Known to be one at least, each may be from 1 to 5 as far as the sums tell."""
    counts, parents = given_tree
    gone = hidden(counts, parents)
    names = sorted(gone)
    units = set(parents.values())
    rows, sums = [], []
    for unit in sorted(units):
        parts = [each for each, parent in parents.items() if parent == unit]
        rows.append([float(n in parts) - float(n == unit) for n in names])
        known = sum(counts[each] for each in parts if each not in gone)
        sums.append((0 if unit in gone else counts[unit]) - known)
    for code in gone - units:
        wanted = [float(name == code) for name in names]
        for sign, limit in ((1, 1), (-1, K)):
            found = linprog([sign * w for w in wanted], A_eq=rows, b_eq=sums, bounds=(1, None))
            # Without a limit above, it may be more.
            reached = np.inf if found.status == 3 else sign * found.fun
            assert sign * reached <= sign * limit + 1e-9, (counts, gone, code)
