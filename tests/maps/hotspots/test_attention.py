"""The attention list, and its back-test beside what anyone could do by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput
from maps.hotspots import (
    BackTest,
    Method,
    Neighbours,
    Part,
    Verdict,
    attention,
    backtest,
    texts,
)
from maps.hotspots.attention import interval
from maps.hotspots.backtest import METHODS, events_caught
from tests.maps.hotspots.places import lattice

TOWN = lattice(20, 20)


def steady_town(seed: int, weeks: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Households and counts of 400 grids whose risk never changes, uneven between grids."""
    generator = np.random.default_rng(seed)
    homes = np.round(generator.gamma(4, 75, 400)) + 20
    rate = 0.3 * homes / 300 * generator.gamma(1.0, 1.0, 400)
    return homes, generator.poisson(rate[:, None], (400, weeks))


def flaring_town(seed: int, weeks: int = 60) -> np.ndarray:
    """400 grids of equal risk, in which 9 at a time have ten times as much for six weeks."""
    generator = np.random.default_rng(seed)
    rate = np.full((400, weeks), 0.1)
    for week in range(0, weeks, 2):
        row, column = generator.integers(1, 19, 2)
        for north in (-1, 0, 1):
            at = (row + north) * 20 + column
            rate[at - 1 : at + 2, week : week + 6] = 1.0
    return generator.poisson(rate)


def test_parts_add_up_and_the_map_total_is_right() -> None:
    homes, counts = steady_town(1)
    made = attention(counts, TOWN, households=homes)
    assert made.expected.sum() == pytest.approx(counts.mean(axis=1).sum(), rel=0.1)
    for why in made.reasons:
        assert sum(why.shares.values()) == pytest.approx(1)
        assert min(why.shares.values()) >= 0
        assert why.low <= why.expected <= why.high
    assert len(made.reasons) == 20  # 5 % of 400 grids of one size
    assert [why.row for why in made.reasons] == made.order[:20].tolist()
    few = attention(counts, TOWN, households=homes, most=3)
    assert [why.row for why in few.reasons] == made.order[:3].tolist()
    with pytest.raises(BadInput, match="0 grids"):
        attention(counts, TOWN, most=0)
    assert (made.season, made.without_households, made.weeks_learnt) == (1, 0, 56)


def test_where_risk_is_steady_history_carries_the_list() -> None:
    homes, counts = steady_town(2)
    made = attention(counts, TOWN, households=homes)
    assert made.weights[Part.STEADY] > 0.8
    assert all(why.key is Part.STEADY for why in made.reasons)


def test_a_flare_up_comes_to_the_head_of_the_list_and_says_so() -> None:
    counts = flaring_town(3)
    # Another begins in a corner of which nothing was known, two weeks before the end.
    counts[[21, 22, 23, 41, 42, 43, 61, 62, 63], -2:] += 2
    made = attention(counts, TOWN)
    first = made.reasons[0]
    assert 42 in [why.row for why in made.reasons[:4]]
    assert first.key in {Part.RECENT, Part.FLARE}
    assert first.last_weeks >= 4 > first.usual
    assert made.without_households == 400


def test_intervals_are_those_of_the_counts() -> None:
    low, high = interval(np.array([0.0, 4.0]), 0.0, 0.9)
    assert (low.tolist(), high.tolist()) == ([0, 1], [0, 8])
    wide = interval(np.array([0.0, 4.0]), 1.0, 0.9)
    assert wide[1][1] > 8
    made = backtest(steady_town(4)[1], TOWN, weeks=20)
    assert 0.9 <= made.within <= 0.995
    assert made.expected.sum() == pytest.approx(made.events.sum(), rel=0.1)


def test_grids_with_unknown_or_no_households_are_forecast_per_grid() -> None:
    homes, counts = steady_town(5)
    homes[:40] = np.nan
    homes[40:60] = 0
    made = attention(counts, TOWN, households=homes, share=1.0)
    assert np.isfinite(made.expected).all()
    assert made.without_households == 60
    told = {why.row: why.households for why in made.reasons}
    assert {told[row] for row in range(60) if row in told} == {None}
    assert any(homes is not None for homes in told.values())


def test_without_events_nothing_is_expected_and_one_event_is_not_a_flood() -> None:
    nothing = np.zeros((400, 20))
    made = attention(nothing, TOWN)
    assert not made.expected.any()
    assert made.reasons == ()
    nothing[42, -1] = 1
    made = attention(nothing, TOWN)
    assert made.expected.sum() == pytest.approx(1 / 20)
    assert made.reasons == ()
    tested = backtest(np.zeros((400, 20)), TOWN, weeks=4)
    assert np.isnan(tested.pai).all()
    assert np.isnan(tested.pei).all()
    assert texts.verdict(tested, "zh") == ["回测期间没有事件，无从比较。"]


def test_all_events_in_one_grid_without_neighbours() -> None:
    counts = np.zeros((5, 30))
    counts[3] = 7
    made = attention(counts, Neighbours(5))
    assert made.order[0] == 3
    assert made.expected[3] == pytest.approx(7, rel=0.1)
    assert made.expected[[0, 1, 2, 4]].max() < 0.5
    assert attention(np.zeros((0, 12)), Neighbours(0)).reasons == ()


def test_the_list_fills_its_share_of_the_area_with_the_densest_grids() -> None:
    counts = np.full((4, 20), 1)
    counts[0] = 4
    made = attention(counts, Neighbours(4), area_m2=[100, 1, 1, 98], share=0.01)
    assert sorted(made.order[:2].tolist()) == [1, 2]
    assert [why.row for why in made.reasons] == made.order[:2].tolist()


def test_a_week_is_forecast_from_the_weeks_before_it_only() -> None:
    counts = flaring_town(6)
    other = counts.copy()
    other[:, -1] = np.random.default_rng(7).poisson(5, 400)
    one, two = backtest(counts, TOWN, weeks=6), backtest(other, TOWN, weeks=6)
    assert (one.expected == two.expected).all()
    assert (one.caught[:, :, :-1] == two.caught[:, :, :-1]).all()
    last = attention(counts[:, :-1], TOWN).expected.sum()
    assert backtest(counts, TOWN, weeks=1).expected[0] == pytest.approx(last, rel=1e-12)


@pytest.mark.parametrize("seed", [11, 12])
def test_flare_ups_are_caught_better_than_by_the_naive_count(seed: int) -> None:
    made = backtest(flaring_town(seed, 90), TOWN, weeks=30)
    assert made.pai[0, 1] > 1.3 * made.pai[METHODS.index(Method.NAIVE), 1]
    assert made.verdict(Method.NAIVE, 1) is Verdict.BETTER
    assert "attention list is better" in texts.verdict(made, "en")[2]


@pytest.mark.parametrize(
    ("caught", "headline"),
    [
        ([[8.0, 9], [4, 5], [4, 6]], "beat the naive count at 5% of the area"),
        ([[4.0, 5], [4, 5], [2, 3]], "no better than the naive count"),
        ([[4.0, 5], [4, 5], [8, 9]], "the count of the last four weeks beat the attention list"),
        ([[2.0, 3], [8, 9], [8, 9]], "the naive count of all history beat the attention list"),
        ([[0.0, 0], [0, 0], [0, 0]], "no events"),
    ],
)
def test_the_headline_says_what_to_go_by(caught: list[list[float]], headline: str) -> None:
    events = np.full(2, 10.0 if np.any(caught) else 0.0)
    made = BackTest(
        np.arange(2), np.array([0.05]), events, np.array(caught)[:, None], events[None], events, 0.9
    )
    assert headline in texts.headline(made, "en")
    assert texts.is_beaten(made) == ("beat the attention list" in headline)


def test_it_says_so_when_the_naive_count_is_better() -> None:
    caught = np.array([[[2, 3, 2, 4.0]], [[4, 5, 5, 6.0]], [[2, 3, 2, 5.0]]])
    ten = np.full(4, 10.0)
    made = BackTest(np.arange(4), np.array([0.05]), ten, caught, ten[None], ten, 0.95)
    assert made.pai[:, 0] == pytest.approx([5.5, 10, 6])
    assert made.verdict(Method.LAST_WEEKS, 0) is Verdict.LEVEL
    assert made.verdict(Method.NAIVE, 0) is Verdict.WORSE
    said = texts.verdict(made, "en")[0]
    assert said.endswith("the naive count of all history is better. Use that.")
    assert "请直接使用历史总数排序" in texts.verdict(made, "zh")[0]


def test_what_differs_in_a_last_digit_is_level() -> None:
    one = np.full((1, 4), 3.99)
    caught = np.stack([one - 4e-16, one, one])
    ten = np.full(4, 10.0)
    made = BackTest(np.arange(4), np.array([0.05]), ten, caught, ten[None], ten, 0.95)
    assert (caught[0] != caught[1]).all()
    assert made.verdict(Method.NAIVE, 0) is Verdict.LEVEL


@pytest.mark.parametrize("seed", [21, 22, 23, 24])
def test_a_town_that_changes_its_ways_is_called_for_the_naive_count(seed: int) -> None:
    # In the weeks learnt from, what begins goes on for six weeks; in those judged it is over at
    # once and leaves only the grids that are always busy. Who follows the last weeks is misled.
    generator = np.random.default_rng(seed)
    counts = np.zeros((400, 108), dtype=np.int64)
    always = generator.choice(400, 20, replace=False)
    counts[always] = generator.poisson(2.0, (20, 108))
    for week in range(0, 54, 2):
        counts[generator.choice(400, 10, replace=False), week : week + 6] += 3
    for week in range(60, 108):
        counts[generator.choice(400, 20, replace=False), week] += 8
    made = backtest(counts, TOWN, weeks=48, refit_weeks=48)
    assert made.verdict(Method.NAIVE, 1) is Verdict.WORSE
    said = texts.verdict(made, "en")[2]
    assert said.endswith("the naive count of all history is better. Use that.")


def test_few_weeks_do_not_tell_the_ways_apart() -> None:
    made = backtest(steady_town(9)[1], TOWN, weeks=1)
    assert made.verdict(Method.NAIVE, 1) is Verdict.LEVEL


def test_pai_and_pei_by_hand() -> None:
    score, events = np.array([3.0, 2.0, 1.0, 0.0]), np.array([5.0, 0.0, 10.0, 5.0])
    assert events_caught(score, events, np.ones(4), 0.25) == 5
    assert events_caught(score, events, np.ones(4), 0.75) == 15
    assert events_caught(np.ones(4), events, np.ones(4), 0.5) == 10  # all tied: chance
    assert events_caught(score, events, np.ones(4), 0.125) == 2.5  # half a grid
    assert events_caught(events, events, np.ones(4), 0.25) == 10


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=30
    ),
    st.floats(0.01, 1),
)
def test_nothing_catches_more_than_foresight(
    rows: list[tuple[int, int, int]], share: float
) -> None:
    score, events, area = np.array(rows, dtype=np.float64).T
    caught = events_caught(score, events, area, share)
    assert caught <= events_caught(events, events, area, share) + 1e-9
    assert caught <= events.sum() + 1e-9
    assert events_caught(score, events, area, 1.0) == pytest.approx(events.sum())


def test_reasons_in_words() -> None:
    homes, counts = steady_town(10)
    why = attention(counts, TOWN, households=homes).reasons[0]
    english, chinese = texts.reason(why, "en"), texts.reason(why, "zh")
    for said in (english, chinese):
        for number in (why.last_weeks, f"{why.expected:.1f}", why.high, f"{why.households:,.0f}"):
            assert str(number) in said
    assert english.startswith("Events are many here over the long run: ")
    assert chinese.startswith("长期以来事件偏多：")


def test_every_mistake_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        attention(
            np.full((400, 6), -0.5),
            TOWN,
            households=np.full(400, -1),
            area_m2=np.zeros(400),
            share=0,
            confidence=1,
        )
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"counts", "households", "area_m2", "share", "confidence"}
    assert "12 or more: nothing can be learnt from less" in str(caught.value)
    with pytest.raises(BadInput) as caught:
        backtest(np.zeros((400, 20)), TOWN, weeks=9, shares=(0, 2), refit_weeks=0)
    fields_too = [problem.field for problem in caught.value.problems]
    assert fields_too == ["shares", "shares", "refit_weeks", "weeks"]
    with pytest.raises(BadInput, match="counts"):
        attention(np.zeros(400), TOWN)


def test_two_years_give_a_season_and_less_does_not() -> None:
    generator = np.random.default_rng(13)
    weeks = np.arange(156)
    wave = np.exp(0.6 * np.sin(2 * np.pi * weeks / (365.2425 / 7)))
    counts = generator.poisson(0.5 * wave, (400, 156))
    for end in (117, 143):  # a peak and a trough are ahead
        made = attention(counts[:, :end], TOWN)
        assert made.season == pytest.approx(wave[end], rel=0.1)
        assert made.expected.sum() == pytest.approx(200 * wave[end], rel=0.15)
    assert attention(counts[:, :103], TOWN).season == 1
    level = attention(generator.poisson(0.5, (400, 120)), TOWN)
    assert level.season == pytest.approx(1, abs=0.05)
