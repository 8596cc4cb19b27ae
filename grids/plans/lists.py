"""A list of cells and their grids, back from a spreadsheet: what it asks for, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gis.errors import BadInput, Problem
from grids.models import Cell, GridShape

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.orm import Session

COLUMNS: Final = ("cell_id", "grid")
"""Of the file that ``wangge plan export --cells`` writes."""
TOLD_APART: Final = ("unit", "households")
"""Columns of that file by which a list of another plan, whose cells are others, is noticed."""
SHOWN: Final = 1000


def read_list(
    session: Session, edition_id: int, table: pd.DataFrame, source: str
) -> dict[int, int | None]:
    """Grid of each cell of a list.

    Parameters
    ----------
    table
        ``cell_id`` and ``grid``, the code of a grid of the plan; empty for none. Its index is the
        number of each row. ``unit`` and ``households``, where they are there, must be the cell's.
    source
        Name of the file.

    Returns
    -------
    dict
        Grid's id by cell, None for no grid.

    Raises
    ------
    BadInput
        Every row whose cell or grid the plan does not have, whose cell is there before, or is
        another in this plan.
    """
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        remedy = f"Take the file of: wangge plan export {edition_id} --cells cells.csv"
        raise BadInput(
            [Problem(f"there is no column {name}", remedy, source, None, name) for name in lacking]
        )
    grids = {
        row.code: row.grid_id
        for row in session.execute(
            sa.select(GridShape.code, GridShape.grid_id).where(GridShape.edition_id == edition_id)
        )
    }
    cells = {
        row.cell_id: (row.unit_code, str(row.households))
        for row in session.execute(
            sa.select(Cell.cell_id, Cell.unit_code, Cell.households).where(
                Cell.edition_id == edition_id
            )
        )
    }
    beside = [name for name in TOLD_APART if name in table.columns]
    found: dict[int, int | None] = {}
    problems: list[Problem] = []
    for place, (row, cell, grid) in enumerate(
        zip(table.index, table["cell_id"], table["grid"], strict=True)
    ):
        number = _whole(cell)
        code = _text(grid)
        if number is None or number not in cells:
            reason, remedy = f"plan {edition_id} has no cell {_text(cell) or '(none)'}", ""
            problems.append(Problem(reason, remedy, source, int(row), "cell_id"))
        elif number in found:
            reason, remedy = f"cell {number} is there before", "Leave one row of it"
            problems.append(Problem(reason, remedy, source, int(row), "cell_id"))
        else:
            known = dict(zip(TOLD_APART, cells[number], strict=True))
            problems += [
                Problem(
                    f"cell {number} has {name} {known[name]} in plan {edition_id}, not {told}",
                    "The list is of another plan, or older than its buildings: export it anew",
                    source,
                    int(row),
                    name,
                )
                for name in beside
                if (told := _text(table[name].iloc[place])) not in {"", known[name]}
            ]
        if code and code not in grids:
            problems.append(_unknown(edition_id, code, source, int(row)))
        elif number is not None:
            found[number] = grids[code] if code else None
    if problems:
        raise BadInput(problems[:SHOWN])
    return found


def _unknown(edition_id: int, code: str, source: str, row: int) -> Problem:
    remedy = f"See: wangge plan grids {edition_id}"
    if "E+" in code.upper():
        # What a spreadsheet makes of fifteen figures: the last ones are lost.
        remedy = "A spreadsheet made a number of the code: format the column as text before saving"
    return Problem(f"plan {edition_id} has no grid {code}", remedy, source, row, "grid")


def _text(value: object) -> str:
    """A cell of a table as text; codes that were read as numbers are whole again."""
    number = _whole(value) if not isinstance(value, str) else None
    text = str(value if number is None else number).strip()
    return "" if value is None or text.lower() in {"nan", "<na>"} else text


def _whole(value: object) -> int | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
