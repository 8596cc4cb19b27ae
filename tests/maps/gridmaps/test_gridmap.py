"""The grid map: what is hidden, what is unknown, and that neither is zero anywhere."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import numpy as np
import pytest
import shapely.affinity

from gis.errors import BadInput
from maps.disclosure import K
from maps.gridmaps import words
from maps.gridmaps.gridmap import MEASURES, Found, Grids, cell, count_points, hidden_of
from maps.gridmaps.table import table
from tests.maps.gridmaps.places import KINDS, SHANGHAI, a_gridmap, some_counts, some_grids


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_not_shown_has_no_number(measure: str) -> None:
    made = a_gridmap(shared=True, measure=measure)
    assert made.hidden.sum() > 10
    for values in (made.counts, made.values, made.low, made.high):
        assert np.isnan(values[made.hidden]).all()
    assert (made.classes[made.hidden] == -1).all()
    assert not (made.hidden & made.unknown).any()
    assert made.unknown.any() == (measure != "count")
    rows = table(made)
    assert ("unknown" in set(rows["state"])) == (measure != "count")
    for name in ("incidents", "value", "class"):
        assert rows.loc[rows["state"] == "hidden", name].isna().all()


def test_small_counts_are_hidden_and_zeros_and_large_ones_shown() -> None:
    team, shared = a_gridmap(measure="count"), a_gridmap(measure="count", shared=True)
    small = (team.counts > 0) & (team.counts < K)
    assert small.any()
    assert shared.hidden[small].all()
    shown = ~shared.hidden
    np.testing.assert_array_equal(shared.counts[shown], team.counts[shown])
    assert shared.n == team.counts[shown].sum()
    assert (shared.counts == 0).any()


def test_a_shared_map_shrinks_towards_what_it_shows() -> None:
    """The mean of all grids, worked out of two shown rates, would tell the hidden total."""
    made = a_gridmap(shared=True)
    found = some_counts()
    hidden = {code for code, is_hidden in zip(made.grids.codes, made.hidden, strict=True)
              if is_hidden}  # fmt: skip
    without = Found(
        by_grid={key: 9 * n if key[0] in hidden else n for key, n in found.by_grid.items()},
        units=found.units,
    )
    np.testing.assert_array_equal(
        a_gridmap(shared=True, gone=hidden_of(found), found=without).values, made.values
    )


def test_a_hidden_grid_is_hidden_in_the_map_of_each_category() -> None:
    whole = a_gridmap(shared=True, measure="count")
    for kind in KINDS:
        part = a_gridmap(shared=True, measure="count", category=(kind,))
        assert part.hidden[whole.hidden].all()
    # Of a sum of categories one that is hidden hides all.
    two = a_gridmap(shared=True, measure="count", category=KINDS[:2])
    assert (two.hidden == np.any([
        a_gridmap(shared=True, measure="count", category=(kind,)).hidden for kind in KINDS[:2]
    ], axis=0)).all()  # fmt: skip


def test_categories_of_a_grid_do_not_tell_each_other() -> None:
    found = Found(by_grid={("a", "x"): 40, ("a", "y"): 2, ("a", "z"): 9, ("b", "x"): 30})
    assert hidden_of(found) == {cell("a", "y"), cell("a", "z")}


def test_what_chance_explains_is_not_painted_from_light_to_dark() -> None:
    """Quantiles of rates that smoothing has brought together would show a pattern where is none."""
    rng = np.random.default_rng(4)
    codes = some_grids().codes
    quiet = Found(by_grid={(code, "neighbour"): int(rng.poisson(2)) for code in codes})
    made = a_gridmap(found=quiet)
    shown = made.values[~made.unknown]
    assert shown.max() <= 1.1 * shown.min()
    assert made.classes[~made.unknown].tolist() == [1] * len(shown)
    assert len(made.legend) == 1
    assert "no difference beyond chance" in " ".join(words.notes(made, "en"))
    assert "只作一级" in " ".join(words.notes(made, "zh"))
    for differs in (a_gridmap(), a_gridmap(found=quiet, measure="rate")):
        assert not differs.is_even
        assert len(differs.legend) > 3
        assert "beyond chance" not in " ".join(words.notes(differs, "en"))


def test_points_on_a_border_belong_to_the_lowest_code() -> None:
    grids = some_grids()
    west = grids.shapes[0].bounds
    found = count_points(
        grids,
        np.array([west[2], west[0] + 1e-4, 10.0, np.nan]),
        np.array([west[1] + 1e-4, west[1] + 1e-4, 10.0, 1.0]),
        ["a", "b", "a", "a"],
    )
    code = grids.codes[0]
    assert found.by_grid == {(code, "a"): 1, (code, "b"): 1}
    assert (found.outside, found.without_place) == (1, 1)


def test_no_events_and_unknown_households() -> None:
    made = a_gridmap(found=Found(by_grid={}), measure="rate")
    assert made.n == 0
    assert made.edges == []
    assert [label for _, label in made.legend] == ["0"]
    assert made.unknown.sum() == 2
    assert "No incidents in this period." in words.notes(made, "en")


def test_a_category_that_never_occurs_is_zero_where_nothing_is_hidden() -> None:
    made = a_gridmap(measure="count", category=("tourism",))
    assert (made.counts == 0).all()


def test_what_was_changed_is_said() -> None:
    asked = (datetime(2026, 4, 1, tzinfo=SHANGHAI), datetime(2026, 4, 2, tzinfo=SHANGHAI))
    found = some_counts()
    carried = Found(by_grid=found.by_grid, units=found.units, carried=23)
    made = a_gridmap(shared=True, found=carried, about={"asked": asked})
    told = " ".join(words.notes(made, "en"))
    assert "The period asked for (2026-04-01 up to 2026-04-02) was changed" in told
    assert "in force at its end: at least 20 incidents." in told
    assert "至少20件按坐标归入" in " ".join(words.notes(made, "zh"))
    team = " ".join(words.notes(a_gridmap(found=carried), "en"))
    assert "in force at its end: 23 incidents." in team


def test_wrong_requests_are_refused_all_at_once() -> None:
    moment = datetime(2026, 4, 1, tzinfo=SHANGHAI)
    with pytest.raises(BadInput) as caught:
        a_gridmap(measure="mood", about={"start": moment, "end": moment})
    assert {each.field for each in caught.value.problems} == {"measure", "end"}
    none = np.empty(0)
    nothing = Grids(codes=[], names=[], units=[], shapes=none.astype(object), households=none)
    with pytest.raises(BadInput, match="no grids to map"):
        a_gridmap(grids=nothing)


def test_an_island_keeps_its_rate_and_the_map_says_so() -> None:
    grids = some_grids()
    shapes = grids.shapes.copy()
    shapes[0] = shapely.affinity.translate(shapes[0], xoff=-1)
    made = a_gridmap(measure="local", grids=dataclasses.replace(grids, shapes=shapes))
    assert made.n_alone == 1
    assert made.values[0] == a_gridmap(measure="rate").values[0]
    assert "1 grid." in " ".join(words.notes(made, "en"))
    assert a_gridmap(measure="local").n_alone == 0
