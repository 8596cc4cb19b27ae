"""Editions for a later day, taken back before it: what goes on, and what stays written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from boundaries import editions
from boundaries.errors import EditionNotFound
from gis import audit
from gis.database import execute
from grids import service
from grids.errors import WithdrawalRefused
from grids.incidents.responsibility import answer
from grids.locating import store
from grids.plans import changeover, opening
from grids.withdrawal import withdraw
from tests import factories
from tests.grids.test_editions import draft

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

DAY = timedelta(days=1)


def later(session: Session, days: int) -> int:
    """An edition that is to be in force in so many days."""
    number = draft(session, factories.squares(households=310))
    then = datetime.now(UTC) + days * DAY
    service.publish(session, number, approver="b", effective=then)
    return number


def test_the_one_before_goes_on(session: Session, tmp_path: Path) -> None:
    county = factories.county(session)
    number = later(session, 30)
    lon, lat = factories.middle(1)
    in_a_year = datetime.now(UTC) + 365 * DAY
    assert answer(session, lon, lat, at=in_a_year).edition.id == number  # type: ignore[union-attr]
    done = withdraw(session, number, actor="c", note="not before the harvest")
    assert [old.id for old in done.going_on] == [county.edition]
    assert done.effective > datetime.now(UTC) + 29 * DAY
    assert answer(session, lon, lat, at=in_a_year).edition.id == county.edition  # type: ignore[union-attr]
    assert editions.get(session, county.edition).status == "active"
    session.refresh(done.edition)
    assert (done.edition.status, done.edition.approver) == ("withdrawn", "b")
    assert done.edition.withdrawn_note == "not before the harvest"
    compiled = store.editions(session, tmp_path)
    assert [(each.edition.id, each.edition.until) for each in compiled] == [
        (county.edition, float("inf"))
    ]
    assert number not in changeover.change_over(session, author="t")
    audit.flush(session)
    log = "SELECT actor, detail ->> 'going_on' FROM audit_log WHERE action = 'edition.withdraw'"
    assert [tuple(row) for row in execute(session, log)] == [("c", f"[{county.edition}]")]


def test_another_can_be_published_instead(session: Session) -> None:
    county = factories.county(session)
    withdraw(session, later(session, 30), actor="c")
    again = service.publish(
        session, draft(session), approver="b", effective=datetime.now(UTC) + 10 * DAY
    )
    assert [old.id for old in again.replaced] == [county.edition]


def test_the_first_edition_of_an_area(session: Session) -> None:
    factories.units(session)
    assert withdraw(session, later(session, 3), actor="c").going_on == []
    lon, lat = factories.middle(1)
    assert answer(session, lon, lat, at=datetime.now(UTC) + 4 * DAY).reason == "no_edition"


def test_those_in_a_row_go_back_from_the_last(session: Session) -> None:
    factories.county(session)
    first = later(session, 10)
    second = later(session, 20)
    with pytest.raises(WithdrawalRefused, match=f"edition {second} is to take the place"):
        withdraw(session, first, actor="c")
    assert [old.id for old in withdraw(session, second, actor="c").going_on] == [first]
    withdraw(session, first, actor="c")


def test_what_is_not_still_to_come_is_refused(session: Session) -> None:
    county = factories.county(session)
    with pytest.raises(WithdrawalRefused, match="rollback"):
        withdraw(session, county.edition, actor="c")
    with pytest.raises(WithdrawalRefused, match="is a draft"):
        withdraw(session, draft(session), actor="c")
    number = later(session, 1)
    withdraw(session, number, actor="c")
    with pytest.raises(WithdrawalRefused, match="was withdrawn by c"):
        withdraw(session, number, actor="d")
    with pytest.raises(EditionNotFound):
        withdraw(session, 10**9, actor="c")


@pytest.mark.parametrize(
    "statement",
    [
        # Not without somebody's name, not what holds already, and what was withdrawn stays so.
        "UPDATE editions SET status = 'withdrawn', valid = 'empty' WHERE id = :later",
        (
            "UPDATE editions SET status = 'withdrawn', valid = 'empty', withdrawn_at = now(), "
            "withdrawn_by = 'x' WHERE id = :now"
        ),
        "UPDATE editions SET withdrawn_by = 'x' WHERE id = :gone",
        "UPDATE editions SET status = 'active', valid = '[2020-01-01,)' WHERE id = :old",
    ],
)
def test_the_database_refuses(session: Session, statement: str) -> None:
    old = factories.county(session).edition
    now = service.publish(session, draft(session), approver="b").edition.id
    gone = later(session, 5)
    withdraw(session, gone, actor="c")
    ids = {"old": old, "now": now, "gone": gone, "later": later(session, 5)}
    named = {name: number for name, number in ids.items() if f":{name}" in statement}
    with pytest.raises(sa.exc.DBAPIError), session.begin_nested():
        execute(session, statement, **named)


def test_a_withdrawn_plan_is_worked_on_in_a_branch(session: Session) -> None:
    factories.county(session)
    number = later(session, 5)
    withdraw(session, number, actor="c")
    with pytest.raises(Exception, match="withdrawn: make a branch"):
        opening.open_draft(session, number, author="c")
