"""Problems as a person reads them."""

from __future__ import annotations

from gis.errors import Problem, listed


def test_one_line_for_rows_that_differ_in_nothing_else() -> None:
    lacks = [Problem("it lacks", "Give it.", "a.csv", row, "id") for row in range(1, 8)]
    other = Problem("it lacks", "Give it.", "b.csv", 3, "id")
    whole = Problem("has no rows", source="c.csv")
    assert listed([lacks[0], other, *lacks[1:], whole]) == [
        "a.csv, rows 1, 2, 3, 4, 5 and 2 more, field id: it lacks. Give it.",
        "b.csv, row 3, field id: it lacks. Give it.",
        "c.csv: has no rows",
    ]
    assert listed(lacks[:2]) == ["a.csv, rows 1, 2, field id: it lacks. Give it."]
    assert listed([]) == []
