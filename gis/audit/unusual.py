"""Uses of personal data that are worth a question: at night, in masses, outside, again and again.

Each rule is a query and a threshold of ``unusual.toml``. The same log, period and thresholds give
the same findings, and each says what was counted and which entries to look at.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from gis.audit.entries import own_area, read
from gis.database import execute
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.orm import Session

READING: Final = ("read", "search", "export", "reveal")
"""Ways of reading: an action, or the last word of one (``person.reveal``)."""
RULES: Final = ("night", "mass", "outside", "reveal")
"""In the order of the report; a query and a table of thresholds each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One use that reached a threshold.

    Attributes
    ----------
    entries, objects
        How many entries of the log, and how many objects they speak of.
    first_id, last_id
        The entries it begins and ends with.
    why
        In Chinese and in English.
    """

    rule: str
    actor: str
    role: str | None
    object_kind: str | None
    object_id: str | None
    entries: int
    objects: int
    first: datetime
    last: datetime
    first_id: int
    last_id: int
    why: dict[str, str]


def thresholds(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """The thresholds of a file, or those that come along.

    Raises
    ------
    BadInput
        Names the rule, and what it lacks or has too much.
    """
    own = _own()
    if path is None:
        return own
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(Problem(f"it is no TOML: {error}", source=str(path))) from None
    problems = [
        Problem(
            f"[{rule}] has not the keys {', '.join(own[rule])}",
            "Copy the file that comes along and change its numbers",
            source=str(path),
        )
        for rule in RULES
        if not isinstance(given.get(rule), dict)
        or {name: type(value) for name, value in given[rule].items()}
        != {name: type(value) for name, value in own[rule].items()}
    ]
    if problems:
        raise BadInput(problems)
    return given


@cache
def _own() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("gis.audit").joinpath("unusual.toml").read_text(encoding="utf-8"))


def unusual(
    session: Session,
    start: datetime,
    end: datetime,
    *,
    zone: str,
    limits: dict[str, dict[str, Any]] | None = None,
) -> list[Finding]:
    """Every finding in [start, end), rule by rule, each in order of time.

    Parameters
    ----------
    zone
        IANA zone whose nights and days are meant.
    """
    limits = limits or _own()
    found: list[Finding] = []
    for rule in RULES:
        values = {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in limits[rule].items()
        }
        query = files("gis.audit").joinpath(f"sql/{rule}.sql").read_text(encoding="utf-8")
        rows = execute(
            session, query, start=start, end=end, zone=zone, reading=list(READING), **values
        )
        found += [
            Finding(rule=rule, **row, why=_why(rule, row, limits[rule])) for row in rows.mappings()
        ]
    read(
        session,
        object_kind="audit",
        fields=("actor", "action"),
        counts={own_area(session): len(found)},
        action="search",
        start=start,
        end=end,
    )
    return found


def _why(rule: str, row: Any, limit: dict[str, Any]) -> dict[str, str]:
    entries, objects, kind = row["entries"], row["objects"], row["object_kind"]
    if rule == "night":
        hours = f"{limit['from_hour']}:00-{limit['to_hour']}:00"
        return {
            "zh": f"夜间({hours})查阅个人信息 {entries} 次(阈值 {limit['entries']} 次)",
            "en": f"read personal data {entries} times at night ({hours}; "
            f"threshold {limit['entries']})",
        }
    if rule == "mass":
        most, many = limit["objects"].get(kind, "-"), limit["entries"].get(kind, "-")
        return {
            "zh": f"一小时内查阅 {kind} {objects} 条、{entries} 次(阈值 {most} 条或 {many} 次)",
            "en": f"read {objects} of kind {kind} in {entries} requests within an hour "
            f"(threshold {most} objects or {many} requests)",
        }
    if rule == "outside":
        return {
            "zh": f"一天内查阅或变更本辖区以外的 {kind} {objects} 条(阈值 {limit['objects']} 条)",
            "en": f"saw or changed {objects} of kind {kind} outside the own area in a day "
            f"(threshold {limit['objects']})",
        }
    return {
        "zh": f"{limit['days']} 天内对同一对象显示敏感信息 {entries} 次(阈值 {limit['times']} 次)",
        "en": f"revealed one and the same {kind} {entries} times within {limit['days']} days "
        f"(threshold {limit['times']})",
    }
