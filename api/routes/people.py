"""People who answer for grids: found, and their phones shown for a reason."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from api.auth import Access, needs
from api.dependencies import KeyringIn
from gis import audit
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


class SearchIn(BaseModel):
    """Who is looked for, by one of the three."""

    name: str | None = Field(None, min_length=1, max_length=100, description="Part of the name")
    phone: str | None = Field(None, max_length=40, description="The whole number")
    id_number: str | None = Field(None, max_length=40, description="The whole number")
    limit: int = Field(100, ge=1, description="At most 1000; more is cut to that")
    cursor: str | None = Field(None, max_length=500, description="`next` of the page before")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [each for each in (self.name, self.phone, self.id_number) if each is not None]
        if len(given) != 1:
            raise ValueError("give one of name, phone and id_number")
        return self


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
    limit: Annotated[int, Query(ge=1, description="At most 1000; more is cut to that")] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> PeoplePage:
    """Nobody is shown who answers for nothing in the caller's area. Logged."""
    found = service.page(access.session, limit=min(limit, MAX_PAGE), cursor=cursor)
    return _page(access, *found, shown="phone_last4")


@router.post("/search", summary="People by name, phone or id number")
def search(
    body: SearchIn, access: Annotated[Access, needs("people.read")], keyring: KeyringIn
) -> PeoplePage:
    """As the list, of those alone who fit. Asked in the body: addresses are written down by others.

    Changes nothing. Logged.
    """
    if body.name is not None:
        found = service.page(
            access.session, part=body.name, limit=min(body.limit, MAX_PAGE), cursor=body.cursor
        )
        return _page(access, *found, shown="phone_last4")
    field, value = personal.FIELDS[0], body.phone
    if value is None:
        field, value = personal.FIELDS[1], body.id_number
    people = personal.find(access.session, field, str(value), keyring=keyring)
    # Whoever is found by a phone is known to have it.
    return _page(access, people, None, shown=field)


def _page(access: Access, people: list[Person], following: str | None, *, shown: str) -> PeoplePage:
    audit.read(
        access.session,
        object_kind="person",
        action="search",
        fields=("name", shown),
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
