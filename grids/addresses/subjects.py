"""What an address speaks of, in the form in which it is kept and looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from grids.addresses import han

if TYPE_CHECKING:
    from grids.addresses.parts import Address

VILLAGE: Final = 12
"""Digits of the code of a village or community."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Names and numbers of one address.

    Attributes
    ----------
    street, street_key
        The street, or what stands for one: a lane, a village or a group of its houses.
    estate, estate_key
        The estate, or a place with buildings of its own, such as a school.
    number, tail
        House number and what follows it.
    building, unit
        Within the estate, or at the house number.
    """

    street: str | None = None
    street_key: str | None = None
    number: int | None = None
    tail: str = ""
    estate: str | None = None
    estate_key: str | None = None
    building: str | None = None
    unit: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it can be kept: by some name."""
        return self.street_key is not None or self.estate_key is not None


def subject_of(address: Address) -> Subject:
    """What an address speaks of.

    In the countryside a house number counts within the village or its group: they stand for the
    street.
    """
    street, estate = address.part("street"), address.part("estate") or address.part("place")
    number = address.part("number")
    name = street.text if street else None
    name_key = street.value if street else None
    if lane := address.part("lane"):
        name, name_key = f"{name or ''}{lane.text}", f"{name_key or ''}{lane.value}弄"
    if name is None and (address.part("group") or (number and estate is None)):
        name, name_key = _of_village(address)
    return Subject(
        street=name,
        street_key=name_key,
        number=address.number,
        tail=number.tail if number else "",
        estate=estate.text if estate else None,
        estate_key=estate.value if estate else None,
        building=address.value("building"),
        unit=address.value("unit"),
    )


def _of_village(address: Address) -> tuple[str | None, str | None]:
    villages = [
        each
        for each in address.divisions
        if any(len(code) == VILLAGE for code in each.codes)
        or VILLAGE in han.DIVISIONS.get(han.division_word(each.value), ())
    ]
    group = address.part("group")
    name = villages[-1].value if villages else ""
    bare = name.removesuffix(han.division_word(name)) or name
    if group:
        return f"{name}{group.text}", f"{bare}{group.value}组"
    return (name, bare) if name else (None, None)
