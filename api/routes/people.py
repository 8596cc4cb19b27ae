"""People who answer for grids: found, and their phones shown for a reason."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.auth import Access, needs
from api.dependencies import KeyringIn
from gis import audit
from gis.errors import BadInput, Problem
from grids.people import personal, service
from grids.people.models import Person

router = APIRouter(prefix="/api/v1/people", tags=["people"])
MAX_PAGE = 1000


class PersonOut(BaseModel):
    """A person; of the phone its last digits only."""

    id: uuid.UUID
    name: str
    employment: Literal["full", "part"]
    county_code: str
    phone_last4: str | None = Field(description="Reveal the rest with a reason")
    has_id_number: bool

    @classmethod
    def of(cls, person: Person) -> PersonOut:
        """From the row."""
        return cls.model_validate(
            {
                "id": person.id,
                "name": person.name,
                "employment": person.employment,
                "county_code": person.county_code,
                "phone_last4": person.phone_last4,
                "has_id_number": person.id_number_last4 is not None,
            }
        )


class PeoplePage(BaseModel):
    """Some people by name; ``next`` asks for those after them."""

    items: list[PersonOut]
    next: str | None


class RevealIn(BaseModel):
    """What is wanted, and why; an auditor reads the reason, and so does the person."""

    field: Literal["phone", "id_number"]
    reason: str = Field(min_length=1, max_length=500, examples=["call back on order 20260630-1"])


class RevealOut(BaseModel):
    """The value; null where none is kept."""

    value: str | None


@router.get("", summary="People within one's area, by name")
def index(
    access: Annotated[Access, needs("people.read")],
    keyring: KeyringIn,
    q: Annotated[str | None, Query(max_length=100, description="Part of the name")] = None,
    phone: Annotated[
        str | None, Query(max_length=40, description="The whole number: it is kept encrypted")
    ] = None,
    limit: Annotated[int, Query(ge=1, description="At most 1000; more is cut to that")] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> PeoplePage:
    """Nobody is shown who answers for nothing in the caller's area. Logged."""
    if phone is not None:
        if q is not None:
            raise BadInput(Problem("q and phone are both given", "Give one of them", field="phone"))
        people, following = personal.find(access.session, "phone", phone, keyring=keyring), None
    else:
        people, following = service.page(
            access.session, part=q, limit=min(limit, MAX_PAGE), cursor=cursor
        )
    # Whoever is found by a phone is known to have it.
    audit.read(
        access.session,
        object_kind="person",
        action="search",
        fields=("name", "phone_last4" if phone is None else "phone"),
        seen=[(each.id, each.county_code) for each in people],
    )
    return PeoplePage(items=[PersonOut.of(each) for each in people], next=following)


@router.post("/{person_id}/reveal", summary="A phone or id number, for a reason")
def reveal(
    person_id: uuid.UUID,
    body: RevealIn,
    access: Annotated[Access, needs("people.reveal")],
    keyring: KeyringIn,
    response: Response,
) -> RevealOut:
    """Logged with who asked and why. Answers are never cached."""
    response.headers["Cache-Control"] = "no-store"
    value = personal.reveal(
        access.session,
        person_id,
        body.field,
        reason=body.reason,
        keyring=keyring,
        actor=access.actor,
    )
    return RevealOut(value=value)
