"""``wangge duty``: heads, leaders, departments and the emergency roster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

VILLAGE = factories.VILLAGES[0]


@pytest.mark.usefixtures("county")
def test_who_else_answers(wangge: Run) -> None:
    def duty(*words: str, code: int = 0) -> Done:
        done = wangge("duty", *words)
        assert done.code == code, done.err
        return done

    assert "no departments yet" in duty("departments").out
    assert "department" in duty("department", "文旅局", "990121", "--matter", "tourism").out
    (listed,) = duty("departments", "--json").document
    assert (listed["leads"], listed["joins"]) == (["tourism"], [])
    number = str(listed["number"])
    duty("link", "网格员1", VILLAGE)
    duty("link", "网格员2", VILLAGE[:9], "--role", "leader", "--level", "2")
    duty("link", "网格员3", number, "--role", "officer")
    lon, lat = factories.middle(0)
    where = ("locate", str(lon), str(lat), "--category", "tourism", "--explain")
    told = wangge(*where).out
    assert "leader linked to this unit" in told
    assert "文旅局 leads this matter" in told
    assert "normal roster" in told
    found = wangge(*where, "--json").document
    assert [each["reason"]["code"] for each in found["responsible"]] == [
        "primary_worker", "leader", "officer",
    ]  # fmt: skip
    duty("matters", number, "--joint", "tourism", "--matter", "labour")
    assert "joins in this matter" in wangge(*where).out
    assert "everything is normal" in duty("show").out
    duty("emergency", "990121", "--reason", "flood warning")
    assert "flood warning" in duty("show").out
    assert "emergency roster" in wangge(*where).out
    duty("normal", "990121")
    assert "everything is normal" in duty("show").out


@pytest.mark.usefixtures("county")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("link", "网格员1", VILLAGE, "--role", "king"), "unknown role"),
        (("link", "网格员1", "7", "--role", "officer"), "no department 7"),
        (("link", "网格员1", VILLAGE, "--role", "leader"), "level is None"),
        (("link", "nobody at all", VILLAGE), "no person"),
        (("department", "x", "990199"), "no unit 990199"),
        (("department", "x", "990121", "--matter", "xyz"), "no category"),
        (("matters", "7"), "no department 7"),
        (("emergency", "990199", "--reason", "x"), "no unit 990199"),
        (("emergency", "990121", "--reason", " "), "no reason"),
        (("normal", "990121"), "not in emergency"),
    ],
)
def test_what_is_wrong_is_said(wangge: Run, words: tuple[str, ...], says: str) -> None:
    done = wangge("duty", *words)
    assert done.code == 1
    assert says in done.err
