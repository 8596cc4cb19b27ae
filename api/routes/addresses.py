"""Addresses: texts to places and back, and those that a person has to decide."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from api.auth import Access, needs
from api.schemas.addresses import (
    AliasesOut,
    AliasOut,
    ChoiceIn,
    DecidedOut,
    ReverseOut,
    ReviewMapOut,
    ReviewOut,
    ReviewsOut,
    SearchIn,
    SearchOut,
)
from gis import audit
from grids.addresses import aliases, review, search
from grids.addresses.candidates import NEAR_M
from grids.addresses.reverse import HOUSE_M, reverse
from grids.incidents import placing

router = APIRouter(prefix="/api/v1/addresses", tags=["addresses"])
MAX_ID = 2**63 - 1
NOT_THERE: dict[str, Any] = {"description": "There is no such review in the caller's area"}


@router.post("/search", summary="Places that an address may mean")
def find(body: SearchIn, access: Annotated[Access, needs("grids.read")]) -> SearchOut:
    """Asked in the body: the addresses of requests are written down by others.

    Take the first candidate where `confident` is true; else show the candidates to a person.
    Only what lies in the caller's area is found. Changes nothing; entered in the audit log where
    the answer is what a person once said of this very text.
    """
    address = search.understand(access.session, body.text)
    near = None if body.near is None else (body.near.lon, body.near.lat)
    within_m = NEAR_M if body.near is None else body.near.within_m
    found = search.found(access.session, address, near=near, limit=body.limit, within_m=within_m)
    said = Counter(each.area_code for each in found if each.method == "exact")
    if said:
        audit.read(
            access.session, object_kind="address", action="search", fields=("label", "place"),
            counts=said,
        )  # fmt: skip
    return SearchOut.of(address, found)


@router.get("/reverse", summary="The address of a point")
def name(
    access: Annotated[Access, needs("grids.read")],
    lon: Annotated[float, Query(ge=-180, le=180, description="WGS 84 degrees", examples=[117.01])],
    lat: Annotated[float, Query(ge=-90, le=90, description="WGS 84 degrees", examples=[45.01])],
    within_m: Annotated[
        float, Query(ge=1, le=1000, description="How far the house may be, metres")
    ] = HOUSE_M,
) -> ReverseOut:
    """The nearest house number within reach, else the street, else the units."""
    return ReverseOut.of(reverse(access.session, lon, lat, within_m=within_m))


@router.get("/aliases", summary="What people said that addresses mean")
def said(
    access: Annotated[Access, needs("incidents.step")],
    limit: Annotated[int, Query(ge=1, le=aliases.MAX_PAGE)] = 100,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before")] = 0,
    *,
    with_ended: Annotated[bool, Query(description="Also what holds no longer")] = False,
) -> AliasesOut:
    """Of the caller's area, the oldest first: a place for a whole text, or a unit for a name.

    Logged.
    """
    page = aliases.listed(access.session, limit=limit, after=after, with_ended=with_ended)
    return AliasesOut(items=[AliasOut.of(each) for each in page.rows], next=page.next)


@router.delete(
    "/aliases/{alias_id}",
    summary="End what was said of an address",
    responses={
        404: {"description": "There is no such alias in the caller's area"},
        409: {"description": "It held no longer already"},
    },
)
def end(
    alias_id: Annotated[int, Path(ge=1, le=MAX_ID)],
    access: Annotated[Access, needs("incidents.step")],
) -> AliasOut:
    """Its text is searched for as if nobody had said it; who said it, and who ended it, stays.

    Logged.
    """
    return AliasOut.of(aliases.end(access.session, alias_id, actor=access.actor))


@router.get("/reviews", summary="Addresses that wait for a person")
def waiting(
    access: Annotated[Access, needs("incidents.step")],
    limit: Annotated[
        int, Query(ge=0, le=review.MAX_PAGE, description="0: only how many there are")
    ] = 100,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before")] = 0,
) -> ReviewsOut:
    """Of the caller's area, the oldest first, each with its candidates. Logged."""
    page = review.waiting(access.session, limit=limit, after=after)
    return ReviewsOut(
        items=[ReviewOut.of(each) for each in page.rows], count=page.count, next=page.next
    )


@router.get(
    "/reviews/{review_id}",
    summary="One address with its candidates on the map",
    responses={404: NOT_THERE},
)
def show(
    review_id: Annotated[int, Path(ge=1, le=MAX_ID)],
    access: Annotated[Access, needs("incidents.step")],
) -> ReviewMapOut:
    """The candidates as GeoJSON; decided ones are shown, too. Logged."""
    row = review.one(access.session, review_id)
    return ReviewMapOut.of(row, same_waiting=len(review.same(access.session, row)))


@router.post(
    "/reviews/{review_id}",
    summary="Decide an address",
    responses={
        403: {"description": "The place lies outside the area of the account"},
        404: {"description": "There is no such review in the caller's area, or its incident is "
                             "not the caller's to move on"},
        409: {"description": "It was decided before"},
    },
)  # fmt: skip
def decide(
    review_id: Annotated[int, Path(ge=1, le=MAX_ID)],
    body: ChoiceIn,
    access: Annotated[Access, needs("incidents.step")],
) -> DecidedOut:
    """A candidate, another place, or (an empty choice) nowhere.

    An incident that asked gets the place by an event, with the grid and the worker of its report
    time. The same text is found there from now on. Others that wait with the same text in the same
    area are counted, and decided alike where `apply_to_same` says so: the same words of two people
    need not mean one place. Each is logged.
    """
    session, actor, scope = access.session, access.actor, access.caller.scope
    done = placing.decide(session, review_id, body.choice, actor=actor, scope=scope)
    settled = 0
    if body.apply_to_same:
        settled = placing.decide_same(session, done, body.choice, actor=actor, scope=scope)
    told = ReviewOut.of(done).model_dump()
    return DecidedOut(**told, same_settled=settled, same_waiting=len(review.same(session, done)))
