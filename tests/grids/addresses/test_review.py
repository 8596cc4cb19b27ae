"""What no search is sure of waits for a person, and what that one says is remembered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gis.errors import BadInput
from grids.addresses import aliases, review
from grids.addresses.errors import AliasEnded, AliasNotFound, ReviewDecided, ReviewNotFound
from grids.addresses.review import Choice
from grids.addresses.search import search, understand
from tests import factories
from tests.grids.addresses import town

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

TEXT = "人名路11号老裴家"


@pytest.fixture
def place(session: Session) -> Session:
    town.build(session)
    return session


def kept(session: Session, text: str = TEXT) -> int:
    found = search(session, text)
    assert not (found and found[0].is_confident)
    return review.enqueue(
        session, text, found, county_code=factories.COUNTY, actor="caller"
    ).id  # fmt: skip


def test_a_choice_is_remembered(place: Session) -> None:
    number = kept(place)
    waiting = review.waiting(place).rows
    assert [(each.id, each.text) for each in waiting] == [(number, TEXT)]
    assert waiting[0].area_code == town.WEST_VILLAGE
    labels = [each["label"] for each in waiting[0].candidates]
    chosen = labels.index("示范旗示范镇人民路11号")
    done = review.decide(place, number, Choice(candidate=chosen), actor="clerk")
    assert (done.outcome, done.label, done.decided_by) == ("candidate", labels[chosen], "clerk")
    assert review.waiting(place).rows == []
    # However it is spaced and signed.
    for text in (TEXT, "人名路 11号，老裴家", "人名路１１号老裴家"):
        (found, *_) = search(place, text)
        assert (found.method, found.label) == ("exact", labels[chosen])
        assert found.is_confident


@pytest.mark.parametrize(
    ("said", "text"), [("人民路12-3号", "人民路123号"), ("人民路-5号", "人民路5号")]
)
def test_a_sign_before_a_figure_is_another_text(place: Session, said: str, text: str) -> None:
    place_of = Choice(lon=117.03, lat=45.005)
    first, *others = (
        review.enqueue(place, each, [], county_code=factories.COUNTY, actor="caller")
        for each in (said, text, f"{said} ")
    )
    done = review.decide(place, first.id, place_of, actor="clerk")
    assert [each.id for each in review.same(place, done)] == [others[1].id]
    assert search(place, said.replace("-", "－"))[0].method == "exact"
    assert search(place, text)[0].method != "exact"
    # What is said of the other ends nothing of it.
    review.decide(place, others[0].id, Choice(lon=117.05, lat=45.005), actor="chief")
    assert [search(place, each)[0].lon for each in (said, text)] == [117.03, 117.05]
    assert [each.ended_by for each in aliases.listed(place, with_ended=True).rows] == [None, None]


def test_a_unit_s_name_with_a_sign_before_a_figure(place: Session) -> None:
    aliases.say_unit(place, "老5-1村", town.EAST_VILLAGE, actor="clerk")
    aliases.say_unit(place, "老51村", town.WEST_VILLAGE, actor="clerk")
    assert understand(place, "老5-1村人民路2号").codes == (town.EAST_VILLAGE,)
    assert understand(place, "老51村人民路2号").codes == (town.WEST_VILLAGE,)


def test_another_place_and_nowhere(place: Session) -> None:
    number = kept(place)
    done = review.decide(place, number, Choice(lon=117.03, lat=45.005), actor="clerk")
    assert (done.outcome, done.label) == ("elsewhere", TEXT)
    assert search(place, TEXT)[0].lon == 117.03
    # The next to say so overrules.
    again = review.enqueue(place, TEXT, [], county_code=factories.COUNTY, actor="caller")
    choice = Choice(lon=117.05, lat=45.005, label="老裴家")
    review.decide(place, again.id, choice, actor="other")
    assert [(each.lon, each.label) for each in search(place, TEXT)] == [(117.05, "老裴家")]
    lost = review.enqueue(place, "天上人间", [], county_code=factories.COUNTY, actor="caller")
    assert lost.area_code == factories.COUNTY
    assert review.decide(place, lost.id, Choice(), actor="clerk").outcome == "nowhere"
    assert search(place, "天上人间") == []


def test_what_cannot_be_decided(place: Session) -> None:
    number = kept(place)
    for choice, words in (
        (Choice(candidate=99), "there is no candidate 99"),
        (Choice(candidate=-1), "there is no candidate -1"),
        (Choice(candidate=0, lon=117.0, lat=45.0), "a candidate and a position"),
        (Choice(lon=117.0), "half a position"),
        (Choice(lon=math.nan, lat=95.0), "nan is no lon.*\n.*95.0 is no lat"),
    ):
        with pytest.raises(BadInput, match=words):
            review.decide(place, number, choice, actor="clerk")
    assert [each.id for each in review.waiting(place).rows] == [number]
    with pytest.raises(ReviewNotFound, match="999999"):
        review.decide(place, 999_999, Choice(), actor="clerk")
    review.decide(place, number, Choice(), actor="clerk")
    with pytest.raises(ReviewDecided, match="by clerk"):
        review.decide(place, number, Choice(), actor="other")


def test_a_candidate_is_carried_to_a_list_that_has_it_elsewhere(place: Session) -> None:
    first, second = kept(place), kept(place)
    other = review.one(place, second)
    other.candidates = other.candidates[::-1]
    last = len(other.candidates) - 1
    assert last > 0
    done = review.decide(place, first, Choice(candidate=0), actor="clerk")
    assert [each.id for each in review.same(place, done)] == [second]
    assert review.carried(Choice(candidate=0), done, other) == Choice(candidate=last)
    chosen = done.candidates[0]
    other.candidates = []
    assert review.carried(Choice(candidate=0), done, other) == Choice(
        lon=chosen["lon"], lat=chosen["lat"], label=chosen["label"]
    )


def test_nothing_cannot_be_asked(session: Session) -> None:
    with pytest.raises(BadInput, match="empty"):
        review.enqueue(session, " ？ ", [], county_code=factories.COUNTY, actor="caller")


def test_a_unit_has_another_name(place: Session) -> None:
    assert understand(place, "老二村人民路2号").codes == ()
    aliases.say_unit(place, "老二村", town.EAST_VILLAGE, actor="clerk")
    assert understand(place, "老二村人民路2号").codes == (town.EAST_VILLAGE,)
    aliases.say_unit(place, "老二村", town.WEST_VILLAGE, actor="clerk")
    assert understand(place, "老二村人民路2号").codes == (town.WEST_VILLAGE,)
    with pytest.raises(BadInput, match=r"the name is empty.*\n.*no unit 99 of a county"):
        aliases.say_unit(place, "?", "99", actor="clerk")


def test_what_was_said_is_listed_and_ended(place: Session) -> None:
    for lon, actor in ((117.03, "clerk"), (117.05, "chief")):
        again = review.enqueue(place, TEXT, [], county_code=factories.COUNTY, actor="caller")
        review.decide(place, again.id, Choice(lon=lon, lat=45.005), actor=actor)
    aliases.say_unit(place, "老镇", factories.TOWNSHIP, actor="clerk")
    held = aliases.listed(place)
    assert [(each.text, each.author) for each in held.rows] == [(TEXT, "chief"), ("老镇", "clerk")]
    first, *rest = aliases.listed(place, with_ended=True).rows
    # What was overruled stays, with both names.
    assert (first.author, first.ended_by, len(rest)) == ("clerk", "chief", 2)
    for each in held.rows:
        done = aliases.end(place, each.id, actor="admin")
        assert (done.ended_by, done.author) == ("admin", each.author)
        with pytest.raises(AliasEnded, match="ended by admin"):
            aliases.end(place, each.id, actor="other")
    assert search(place, TEXT)[0].method != "exact"
    assert understand(place, "老镇人民路3号").codes == ()
    with pytest.raises(AliasNotFound):
        aliases.end(place, 2**40, actor="admin")
    page = aliases.listed(place, limit=1, with_ended=True)
    assert page.next is not None
    assert len(aliases.listed(place, after=page.next, with_ended=True).rows) == 2


def test_what_has_ended_stays_as_it_was(place: Session) -> None:
    aliases.say_unit(place, "老镇", factories.TOWNSHIP, actor="clerk")
    (said,) = aliases.listed(place).rows
    aliases.end(place, said.id, actor="admin")
    with pytest.raises(sa.exc.IntegrityError, match="has ended already"), place.begin_nested():
        place.execute(sa.text("UPDATE address_aliases SET ended_at = NULL, ended_by = NULL"))
    place.execute(sa.text("SET LOCAL ROLE wangge_app"))
    for column in ("text", "author", "geom", "at"):
        with pytest.raises(sa.exc.ProgrammingError, match="permission"), place.begin_nested():
            place.execute(sa.text(f"UPDATE address_aliases SET {column} = NULL"))
