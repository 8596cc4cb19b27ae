"""Phones and id numbers: checked, kept encrypted, found by exact value, shown for a reason."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.orm import undefer

from gis import audit
from gis.errors import BadInput, Problem
from grids.errors import PersonNotFound
from grids.people.models import Person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gis.secrets import Keyring

Field = Literal["phone", "id_number"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
SHORTEST_REASON: Final = 8

# GB 11643: weights of the first 17 digits, and the check character for each remainder by 11.
WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS: Final = "10X98765432"


def normal_phone(text: str) -> str:
    """A phone number as digits, without the country's 86.

    Raises
    ------
    BadInput
        It is no phone number.
    """
    digits = re.sub(r"[\s()（）.\-－—]", "", text)
    digits = re.sub(r"^(\+|00)86", "", digits)
    if not re.fullmatch(r"\d{5,15}", digits):
        raise BadInput(
            Problem("this is no phone number", "Write its 5 to 15 digits", field="phone")
        )
    return digits


def normal_id_number(text: str) -> str:
    """A resident id number of 18 characters whose check character is right.

    Raises
    ------
    BadInput
        It is none; the message never repeats it.
    """
    number = re.sub(r"\s", "", text).upper()
    is_right = re.fullmatch(r"\d{17}[\dX]", number) is not None and (
        CHECKS[sum(w * int(d) for w, d in zip(WEIGHTS, number, strict=False)) % 11] == number[-1]
    )
    if not is_right:
        raise BadInput(
            Problem(
                "this is no id number: 18 characters with a check character that fits are wanted",
                "Compare it with the card",
                field="id_number",
            )
        )
    return number


NORMAL: Final = {"phone": normal_phone, "id_number": normal_id_number}


def sealed(keyring: Keyring, field: Field, text: str, *, context: str) -> dict[str, Any]:
    """What is stored of a value: encrypted, a keyed hash to find it by, and its last characters.

    Parameters
    ----------
    context
        Place of the value, such as ``persons.phone:<id>``: it can be read nowhere else.
    """
    value = NORMAL[field](text)
    return {
        field: keyring.encrypt(value.encode(), context=context),
        f"{field}_hash": keyring.search_hash(value, kind=field),
        f"{field}_last4": value[-4:],
    }


def keep(
    session: Session, person: Person, field: Field, text: str, *, keyring: Keyring, actor: str
) -> None:
    """Keep a person's phone or id number; what was kept before is replaced."""
    values = sealed(keyring, field, text, context=f"persons.{field}:{person.id}")
    session.execute(sa.update(Person).where(Person.id == person.id).values(**values))
    audit.record(
        session,
        actor=actor,
        action="person.keep",
        object_kind="person",
        object_id=person.id,
        county_code=person.county_code,
        fields=(field,),
    )


def find(session: Session, field: Field, text: str, *, keyring: Keyring) -> list[Person]:
    """Persons within the caller's sight who have exactly this phone or id number."""
    digests = keyring.search_hashes(NORMAL[field](text), kind=field)
    statement = sa.select(Person).where(getattr(Person, f"{field}_hash").in_(digests))
    return list(session.scalars(statement.order_by(Person.id)))


def check_reason(reason: str) -> str:
    """The reason for a reveal, which an auditor will read.

    Raises
    ------
    BadInput
        It says nothing.
    """
    text = " ".join(reason.split())
    if len(text) < SHORTEST_REASON:
        raise BadInput(
            Problem(
                "the reason is too short to be understood later",
                f"Say in {SHORTEST_REASON} characters or more what it is needed for",
                field="reason",
            )
        )
    return text


def reveal(
    session: Session,
    person_id: uuid.UUID,
    field: Field,
    *,
    reason: str,
    keyring: Keyring,
    actor: str,
) -> str | None:
    """A person's phone or id number in plain text; None when none is kept. Logged with its reason.

    Raises
    ------
    BadInput
        The reason says nothing.
    PersonNotFound
        There is no such person within the caller's sight.
    """
    why = check_reason(reason)
    person = session.get(Person, person_id, options=[undefer(getattr(Person, field))])
    if person is None:
        raise PersonNotFound(f"there is no person {person_id}")
    value: bytes | None = getattr(person, field)
    audit.record(
        session,
        actor=actor,
        action="person.reveal",
        object_kind="person",
        object_id=person.id,
        county_code=person.county_code,
        fields=(field,),
        purpose=why,
        found=value is not None,
    )
    if value is None:
        return None
    return keyring.decrypt(value, context=f"persons.{field}:{person.id}").decode()
