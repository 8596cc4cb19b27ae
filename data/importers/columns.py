"""Which column of a file is which field: told by the user, else guessed from its name."""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NEVER_REASON: Final = "not kept: passwords, certificates and stream addresses are never imported"
SEALED: Final = frozenset({"phone", "id_number"})
"""Fields that are kept encrypted."""
PERSONAL_REASON: Final = "not kept: phones and id numbers are kept of workers only, encrypted"


@cache
def names() -> dict[str, Any]:
    """All the guesses, as `columns.toml` has them."""
    text = files("data.importers").joinpath("columns.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def plain(name: str) -> str:
    """A name without case, width, spaces and signs: ``Street Code`` and ``street_code`` alike."""
    return re.sub(r"[\s_\-.:/()（）【】\[\]]+", "", unicodedata.normalize("NFKC", name)).lower()


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields found.

    Attributes
    ----------
    columns
        Field to the column of the file.
    constants
        Field to the text that every row gets.
    refused
        Column to the reason for which its content is not taken.
    ignored
        Columns that stand for no field.
    """

    columns: dict[str, str]
    constants: dict[str, str]
    refused: dict[str, str]
    ignored: list[str]


def parse_map(items: Iterable[str], *, option: str = "--map") -> dict[str, str]:
    """``field=column`` arguments of an option as a mapping.

    To `resolve` a column that begins with an equals sign (``field==text``) is a text for every row.

    Raises
    ------
    BadInput
        An argument without an equals sign, or a field named twice.
    """
    mapping: dict[str, str] = {}
    problems = []
    for item in items:
        field, _, value = (part.strip() for part in item.partition("="))
        if not field or not value:
            reason = f"{option} {item!r} is not field=value"
            problems.append(Problem(reason, "Write it as households=units.", field=option))
        elif field in mapping:
            problems.append(Problem(f"{option} names the field {field!r} twice", field=option))
        else:
            mapping[field] = value
    if problems:
        raise BadInput(problems)
    return mapping


def resolve(
    kind: str,
    fields: Sequence[str],
    present: Sequence[str],
    told: Mapping[str, str] | None,
    *,
    file: str,
) -> Fields:
    """Find the column of every field.

    Parameters
    ----------
    fields
        Canonical fields of the kind.
    present
        Columns of the file.
    told
        The user's own mapping; it wins over every guess. ``{"category": "=crime"}`` is a constant.

    Raises
    ------
    BadInput
        The user's mapping names an unknown field or a column that is not there.
    """
    told = dict(told or {})
    problems = []
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    for field, column in told.items():
        if field not in fields:
            problems.append(
                Problem(
                    f"{kind} have no field {field!r}",
                    nearest_text(field, fields, "The fields are"),
                    file,
                    None,
                    field,
                )
            )
        elif column.startswith("=") and column not in present:
            constants[field] = column[1:]
        elif column not in present:
            problems.append(
                Problem(
                    f"there is no column {column!r} for the field {field!r}",
                    nearest_text(column, present, "The columns are"),
                    file,
                    None,
                    field,
                )
            )
        else:
            columns[field] = column
    if problems:
        raise BadInput(problems)
    # Of those whose phones are kept, encrypted, they are no reason to refuse the column.
    kept = {plain(guess) for field in fields if field in SEALED for guess in _in_order(kind, field)}
    refused = {
        c: why
        for c in present
        if (why := refusal(c)) and c not in columns.values() and plain(c) not in kept
    }
    free = {
        plain(c): c for c in reversed(present) if c not in columns.values() and c not in refused
    }
    for field in fields:
        if field in columns or field in constants:
            continue
        for guess in _in_order(kind, field):
            hit = free.get(plain(guess))
            if hit is not None and hit not in columns.values():
                columns[field] = hit
                break
    used = set(columns.values())
    ignored = [c for c in present if c not in used and c not in refused]
    return Fields(columns, constants, refused, ignored)


def _in_order(kind: str, field: str) -> list[str]:
    known = guesses(kind, field)
    return known if field in known else [field, *known]


def guesses(kind: str, field: str) -> list[str]:
    """Names under which files carry this field, the likeliest first."""
    if kind == "units" and (what := field.partition("_"))[2].isdigit():
        levels: list[str] = names()["units_levels"][what[2]][what[0]]
        return levels
    known: list[str] = names().get(kind, {}).get(field) or names()["all"].get(field, [])
    return known


def refusal(column: str) -> str | None:
    """Why a column of this name is never taken; None when it may be."""
    name = plain(column)
    refused = names()["refused"]
    if name in {plain(n) for n in refused["secret"]}:
        return NEVER_REASON
    if name in {plain(n) for n in refused["personal"]}:
        return PERSONAL_REASON
    return None


def nearest_text(wanted: str, present: Sequence[str], otherwise: str) -> str:
    """``The nearest names are ...``, or all names when none is near."""
    if not present:
        return "The file has no columns."
    by_plain = {plain(c): c for c in reversed(present)}
    # Of two Chinese characters one is near enough, of seven letters three and a half are not.
    cutoff = 0.5 if len(plain(wanted)) <= 3 else 0.6
    near = [
        by_plain[n]
        for n in difflib.get_close_matches(plain(wanted), list(by_plain), 3, cutoff=cutoff)
    ]
    if near:
        return f"The nearest names are: {', '.join(near)}."
    shown = ", ".join(list(present)[:30])
    return f"{otherwise}: {shown}{', ...' if len(present) > 30 else ''}."


def missing(kind: str, field: str, present: Sequence[str], *, file: str) -> Problem:
    """The problem of a required column that was not found, with the nearest names there are."""
    candidates = [field, *guesses(kind, field)]
    # A single letter is near every name of two.
    by_plain = {plain(c): c for c in reversed(present) if len(c) > 1 or not c.isascii()}
    near: list[str] = []
    for candidate in candidates:
        for hit in difflib.get_close_matches(plain(candidate), list(by_plain), 2, cutoff=0.6):
            if by_plain[hit] not in near:
                near.append(by_plain[hit])
    if near:
        hint = f"The nearest names are: {', '.join(near[:5])}."
    else:
        hint = nearest_text(field, present, "The columns are")
    return Problem(
        f"there is no column for the field {field!r}",
        f"{hint} Say --map {field}=COLUMN.",
        file,
        None,
        field,
    )
