"""Every column has a class, and what asks for the classes gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from gis import classes
from gis.classes import ColumnClass

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_every_column_has_a_class_and_every_class_a_column(session: Session) -> None:
    assert classes.unclassed(session) == []


def test_new_column_and_dropped_column_are_noticed(session: Session) -> None:
    session.execute(sa.text("ALTER TABLE persons ADD COLUMN shoe_size integer"))
    session.execute(sa.text("ALTER TABLE incidents DROP COLUMN address"))
    assert classes.unclassed(session) == ["incidents.address", "persons.shoe_size"]


def test_what_leaves_without_further_right(session: Session) -> None:
    open_ = classes.columns_within(session, "incidents")
    assert {"text", "address", "geom"}.isdisjoint(open_)
    assert {"id", "category", "state"} <= set(open_)
    assert classes.columns_within(session, "persons", {ColumnClass.PERSONAL}) == [
        "external_id",
        "name",
    ]
    assert classes.classes_of(session, "no_such_table") == {}


def test_what_proves_who_somebody_is_or_is_encrypted_is_never_open(session: Session) -> None:
    closed = {ColumnClass.CREDENTIAL, ColumnClass.SENSITIVE}
    rows = session.execute(
        sa.text(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND (data_type = 'bytea' "
            "OR column_name ~ '(password_hash|totp|recovery|token)')"
        )
    ).all()
    assert len(rows) > 10
    wrong = {
        (table, column)
        for table, column in rows
        if classes.classes_of(session, table)[column] not in closed
        and column not in {"totp_confirmed_at"}
        # What the log of audit proves itself by is no secret.
        and not table.startswith("audit_")
    }
    assert wrong == set()
