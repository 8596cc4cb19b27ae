"""Rows of the marked place that stand in many columns: of plans, signs, and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

# Kind of row, table, columns besides those of the plan, values.
ROWS: Final = (
    (
        "plan",
        "plans",
        """tolerance, grids, households, unassigned, within_tolerance, deviation_sum,
        compactness_sum, moves, head, version, created_by""",
        "0.1, 1, 1, 0, 1, 0, 0, 1, 1, 1, :mark",
    ),
    (
        "plan move",
        "plan_moves",
        "seq, parent, author, kind, detail, cells, grids_before, grids_after, before, after",
        "1, 0, :mark, 'move', '{}', '{}', '{}', '{}', '{}', '{}'",
    ),
    ("plan step", "plan_steps", "version, author, kind, grids", "1, :mark, 'submit', '{}'"),
    ("plan comment", "plan_comments", "author, words", "'test', :mark"),
    ("save point", "plan_save_points", "author, seq, name", "'test', 1, :mark"),
    (
        "plan lock",
        "plan_locks",
        "author, grid_id",
        ":mark, (SELECT min(grid_id) FROM grid_shapes WHERE edition_id = :edition)",
    ),
)


def plan_rows(
    session: Session, edition: int, county: str, add: Callable[[str, str], str]
) -> object:
    """Make them, each with a mark that ``add`` gives for its kind and table; id of the comment."""
    for kind, table, columns, values in ROWS:
        session.execute(
            sa.text(
                f"INSERT INTO {table} (edition_id, county_code, area_code, {columns}) "
                f"VALUES (:edition, :county, :county, {values})"
            ),
            {"edition": edition, "county": county, "mark": add(kind, table)},
        )
    return session.scalar(
        sa.text("SELECT id FROM plan_comments WHERE edition_id = :edition"), {"edition": edition}
    )


def lineage_rows(session: Session, county: str, draft: int, add: Callable[[str], str]) -> object:
    """What the grids in force come from, each with a mark that ``add`` gives; their edition."""
    edition = session.scalar(
        sa.text("SELECT id FROM editions WHERE area_code = :county AND status = 'active'"),
        {"county": county},
    )
    for grid, code, unit in session.execute(
        sa.text("SELECT grid_id, code, unit_code FROM grid_shapes WHERE edition_id = :edition"),
        {"edition": edition},
    ).all():
        session.execute(
            sa.text(
                "INSERT INTO grid_lineage (edition_id, before_id, predecessor, successor, "
                "county_code, unit_code, predecessor_code, successor_code, households, buildings, "
                "area_m2) VALUES (:edition, :draft, :grid, :grid, :county, :unit, :mark, 'x', 1, 1"
                ", 1)"
            ),
            {"edition": edition, "draft": draft, "grid": grid, "county": county, "unit": unit,
             "mark": add(code)},
        )  # fmt: skip
    return edition


def duty_rows(session: Session, county: str, add: Callable[[str, str], str]) -> object:
    """A department with a matter, and an emergency that is over, marked; the department's id."""
    values = {"county": county, "name": add("department", "departments")}
    session.execute(
        sa.text(
            "INSERT INTO departments (county_code, area_code, name, source, external_id) "
            "VALUES (:county, :county, :name, 'test', :name)"
        ),
        values,
    )
    session.execute(
        sa.text(
            "INSERT INTO department_matters (department_id, category, county_code, area_code, "
            "author) SELECT id, 'tourism', county_code, area_code, :mark FROM departments "
            "WHERE name = :name"
        ),
        {"name": values["name"], "mark": add("matter", "department_matters")},
    )
    session.execute(
        sa.text(
            "INSERT INTO duty_modes (county_code, area_code, valid, reason, author) VALUES "
            "(:county, :county, '[2020-01-01, 2020-01-02)', :mark, 'test')"
        ),
        {"county": county, "mark": add("duty mode", "duty_modes")},
    )
    return session.scalar(
        sa.text("SELECT id FROM departments WHERE name = :name"), {"name": values["name"]}
    )


def sign_row(session: Session, village: str, code: str, at: tuple[float, float], name: str) -> None:
    """A sign in a village, of whichever account of residents comes first."""
    session.execute(
        sa.text(
            "INSERT INTO signs (code, account_id, county_code, area_code, place_name, geom, "
            "created_by) SELECT :code, id, :county, :area, :name, "
            "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 'test' FROM accounts "
            "WHERE role = 'resident' ORDER BY login LIMIT 1"
        ),
        {"code": code, "county": village[:6], "area": village, "name": name,
         "lon": at[0], "lat": at[1]},
    )  # fmt: skip


# Kind of row, table, columns besides those of the area, values.
ADDRESSES: Final = (
    ("place", "places", "kind, name, source, external_id, geom", "'other', :mark, 't', :area, :at"),
    (
        "house number",
        "addresses",
        "label, street, street_key, number, source, external_id, geom",
        ":mark, 'street', :area || ' street', 7, 't', :area, :at",
    ),
    (
        "address name",
        "address_names",
        "kind, key, name, geom",
        "'street', :area || ' street', :mark, :at",
    ),
    (
        "address alias",
        "address_aliases",
        "key, text, label, author, geom",
        "'k' || :area, 'k' || :area, :mark, 'test', :at",
    ),
    ("address review", "address_reviews", "text, candidates, author", ":mark, '[]', 'test'"),
)


def address_rows(
    session: Session, area: str, at: tuple[float, float], add: Callable[[str, str], str]
) -> object:
    """A row of each table of addresses, named and keyed by its area; the number of the review."""
    for kind, table, columns, values in ADDRESSES:
        place = "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)"
        session.execute(
            sa.text(
                f"INSERT INTO {table} (county_code, area_code, {columns}) "
                f"VALUES (:county, :area, {values.replace(':at', place)})"
            ),
            {"county": area[:6], "area": area, "mark": add(kind, table), "lon": at[0],
             "lat": at[1]},
        )  # fmt: skip
    return session.scalar(
        sa.text("SELECT max(id) FROM address_reviews WHERE area_code = :area"), {"area": area}
    )
