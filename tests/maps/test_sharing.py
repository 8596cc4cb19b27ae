"""The fixed questions that shared maps answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gis.errors import BadInput
from maps import sharing

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
ZONE = "Asia/Shanghai"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00+08:00")


def test_quarters_follow_one_another_without_gap_or_overlap() -> None:
    day, end = date(2019, 12, 30), sharing.quarter_of(date(2019, 12, 30), ZONE).start
    weeks = []
    while day < date(2028, 1, 1):
        found = sharing.quarter_of(day, ZONE)
        assert found.start == end
        assert (found.start.weekday(), found.start.hour) == (0, 0)
        assert sharing.quarter_of(found.end.date() - timedelta(days=1), ZONE) == found
        weeks.append((found.end - found.start).days // 7)
        day, end = found.end.date(), found.end
    # 2020 and 2026 have 53 weeks.
    assert set(weeks) == {13, 14}
    assert weeks.count(14) == 2


def test_a_day_becomes_the_quarter_around_it() -> None:
    found = sharing.quarter(at("2026-05-06"), at("2026-05-07"), timezone=ZONE, now=NOW)
    assert (found.start, found.end) == (at("2026-03-30"), at("2026-06-29"))
    assert found.words("en") == "2026, ISO weeks 14 to 26"
    assert found.words("zh") == "2026年第14—26周（整周，ISO 8601）"


@pytest.mark.parametrize(
    ("start", "end", "first"),
    [
        ("2026-04-01", "2026-07-01", "2026-03-30"),  # touches the next one by two days
        ("2026-01-01", "2026-07-01", "2026-03-30"),
        ("2025-12-29", "2026-06-29", "2026-03-30"),  # two whole ones: the last
        ("2026-06-20", "2026-07-20", "2026-06-29"),
    ],
)
def test_the_quarter_that_is_covered_most_is_shared(start: str, end: str, first: str) -> None:
    found = sharing.quarter(at(start), at(end), timezone=ZONE, now=NOW)
    assert found.start == at(first)


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), ("2026-01-01", None), ("2026-08-01", "2027-06-01")]
)
def test_an_open_period_becomes_the_last_quarter_that_is_over(
    start: str | None, end: str | None
) -> None:
    found = sharing.quarter(
        at(start) if start else None, at(end) if end else None, timezone=ZONE, now=NOW
    )
    assert (found.start, found.end) == (at("2026-06-29"), at("2026-09-28"))


def test_weeks_begin_in_the_zone_of_the_installation() -> None:
    start, end = datetime(2026, 6, 28, 17, tzinfo=UTC), datetime(2026, 6, 28, 18, tzinfo=UTC)
    assert sharing.quarter(start, end, timezone=ZONE, now=NOW).number == 3
    assert sharing.quarter(start, end, timezone="UTC", now=NOW).number == 2


def test_what_is_not_over_is_not_shared_and_its_day_is_told() -> None:
    with pytest.raises(BadInput, match="can be shared from 2027-01-04") as caught:
        sharing.quarter(at("2026-11-02"), at("2026-11-09"), timezone=ZONE, now=NOW)
    assert caught.value.problems[0].field == "start"


def test_the_ends_of_the_calendar_have_no_quarters() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(BadInput) as caught:
        sharing.quarter(first, last, timezone=ZONE, now=NOW)
    assert [each.field for each in caught.value.problems] == ["start", "end"]


def test_a_period_that_is_not_over_is_said_so() -> None:
    made, day = at("2026-07-02") + timedelta(hours=9), timedelta(days=1)
    told = {
        (start, end): sharing.words_of_future(made + start * day, made + end * day, made, "en")
        for start, end in ((-30, 0), (-30, 1), (-30, 2), (1, 31))
    }
    assert told[-30, 0] == told[-30, 1] == ""  # "up to today" ends at midnight
    assert "not over" in told[-30, 2]
    assert "not begun" in told[1, 31]


def test_categories() -> None:
    assert sharing.one_category(()) == ()
    assert sharing.one_category(("housing", "housing")) == ("housing",)
    with pytest.raises(BadInput, match="one category or of all, not of 2"):
        sharing.one_category(("housing", "contract"))
    sharing.no_category(())
    with pytest.raises(BadInput, match="share a grid map of it"):
        sharing.no_category(("housing",))


def test_bandwidths_are_few_and_none_is_small() -> None:
    assert [sharing.bandwidth_m(each) for each in (50, 300, 301, 5000)] == [300, 300, 600, 9600]
