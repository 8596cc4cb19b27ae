"""Code, name and norm of a grid that a move makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gis.database import execute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from grids.plans.members import Row
    from grids.plans.models import PlanRow


def first_row(
    session: Session, plan: PlanRow, unit: str, parent: Row | None, taken: Sequence[str]
) -> Row:
    """The first row of a new grid: code, unit and norm.

    Parameters
    ----------
    parent
        Row of the grid that it is a part of; None: of none.
    taken
        Codes that the same move has given already.
    """
    norm = parent or _norm_of(session, plan, unit)
    code = _next_code(session, plan, unit, taken)
    return {
        "code": code,
        "unit_code": unit,
        "name": _name_like(norm["name"], int(code[len(unit) :])),
        "area_type": norm["area_type"],
        "target": norm["target"],
    }


def _norm_of(session: Session, plan: PlanRow, unit: str) -> Row:
    """Norm of a unit's grids, for a new one that is a part of none."""
    row = execute(
        session,
        "SELECT name, area_type, target FROM grid_shapes WHERE edition_id = :edition "
        "ORDER BY (unit_code = :unit) DESC, code LIMIT 1",
        edition=plan.edition_id, unit=unit,
    ).mappings().first()  # fmt: skip
    return dict(row) if row else {"name": "", "area_type": "urban", "target": 300}


def _next_code(session: Session, plan: PlanRow, unit: str, taken: Sequence[str]) -> str:
    """The number after the highest of a unit's longest codes, in as many digits."""
    last = execute(
        session,
        "SELECT code FROM grid_shapes WHERE edition_id = :edition AND unit_code = :unit "
        "ORDER BY length(code) DESC, code DESC LIMIT 1",
        edition=plan.edition_id, unit=unit,
    ).scalar_one_or_none()  # fmt: skip
    codes = [code for code in (last, *taken) if code is not None and code.startswith(unit)]
    highest = max(codes, key=lambda code: (len(code), code), default=f"{unit}000")
    digits = len(highest) - len(unit)
    return f"{unit}{int(highest[len(unit) :]) + 1:0{digits}d}"


def _name_like(name: str, serial: int) -> str:
    """The name of a neighbour with another number: 河东社区第3网格 -> 河东社区第12网格."""
    head, figures, tail = _around_last_number(name)
    return f"{head}{serial}{tail}" if figures else name


def _around_last_number(text: str) -> tuple[str, str, str]:
    end = len(text)
    while end and not text[end - 1].isdecimal():
        end -= 1
    start = end
    while start and text[start - 1].isdecimal():
        start -= 1
    return text[:start], text[start:end], text[end:]
