"""A search as steps that ask the gazetteer, run for one text or, in the same rounds, for many.

A search is written once, as a generator that yields a `Query` and is sent its rows. `many` goes on
with all searches until each of them waits, and asks what they wait for together: as many rounds as
the longest of them, however many texts there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from grids.addresses import repository, together

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

T = TypeVar("T")


class Query(NamedTuple):
    """A question to the gazetteer: a function of `grids.addresses.repository`, its arguments."""

    name: str
    values: tuple[Any, ...]


Steps = Generator[Query, Any, T]
Asking = Callable[..., Any]

ALONE: Final[dict[str, Asking]] = {
    each.__name__: each
    for each in (
        repository.aliases, repository.banners_like, repository.in_estates, repository.like_keys,
        repository.meetings, repository.names, repository.on_streets, repository.street_lines,
        repository.units, repository.units_named,
    )
}  # fmt: skip
TOGETHER: Final[dict[str, Asking]] = {
    each.__name__: each
    for each in (
        together.aliases, together.in_estates, together.like_keys, together.names,
        together.on_streets, together.units_named,
    )
}  # fmt: skip


def one(session: Session, steps: Steps[T]) -> T:
    """The end of one search."""
    return many(session, [steps])[0]


def many(session: Session, searches: Sequence[Steps[T]]) -> list[T]:
    """The ends of many searches, in their order; each comes to what it would by itself."""
    ends: dict[int, T] = {}
    sent: dict[int, Any] = dict.fromkeys(range(len(searches)))
    while sent:
        waiting: dict[Query, list[int]] = defaultdict(list)
        for number, rows in sent.items():
            try:
                waiting[searches[number].send(rows)].append(number)
            except StopIteration as end:
                ends[number] = end.value
        sent = {
            number: rows
            for query, rows in _answers(session, list(waiting)).items()
            for number in waiting[query]
        }
    return [ends[number] for number in range(len(searches))]


def _answers(session: Session, queries: Sequence[Query]) -> dict[Query, Any]:
    by_name: dict[str, list[Query]] = defaultdict(list)
    for each in queries:
        by_name[each.name].append(each)
    answers: dict[Query, Any] = {}
    for name, those in by_name.items():
        if len(those) > 1 and name in TOGETHER:
            rows = TOGETHER[name](session, [each.values for each in those])
            answers |= dict(zip(those, rows, strict=True))
        else:
            answers |= {each: ALONE[name](session, *each.values) for each in those}
    return answers
