"""A drawn town of two villages under work: streets, a river with one bridge, uneven buildings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa
from shapely import LineString, Point
from sqlalchemy.orm import Session

from gis.database import execute
from grids import planning
from grids.models import Cell, GridShape
from grids.plans import changes, opening
from grids.plans.models import PlanRow
from tests import conftest, factories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster
    from gis.database import Database

# Of the drawn part of factories' county: two villages side by side.
BLOCKS, STEP_DEG = 7, factories.STEP * 2 / 7


@dataclass(frozen=True)
class Table:
    """A plan on the table of a test, whose changes are gone when it ends."""

    session: Session
    edition: int

    @property
    def plan(self) -> PlanRow:
        """As it is now."""
        return changes.plan_for_change(self.session, self.edition)

    def grids(self) -> dict[int, GridShape]:
        """Shapes by id."""
        rows = self.session.scalars(
            sa.select(GridShape)
            .where(GridShape.edition_id == self.edition)
            .order_by(GridShape.code)
            .execution_options(populate_existing=True)
        )
        return {row.grid_id: row for row in rows}

    def cells(self) -> dict[int, Cell]:
        """Cells by id."""
        rows = self.session.scalars(
            sa.select(Cell)
            .where(Cell.edition_id == self.edition)
            .order_by(Cell.cell_id)
            .execution_options(populate_existing=True)
        )
        return {row.cell_id: row for row in rows}

    def state(self) -> tuple[object, ...]:
        """Every byte that a move may change, and the figures of the whole."""
        plan = self.plan
        rows = execute(
            self.session,
            "SELECT string_agg(t::text, '|' ORDER BY grid_id) FROM grid_shapes AS t "
            "WHERE edition_id = :e UNION ALL "
            "SELECT string_agg(t::text, '|' ORDER BY cell_id) FROM cells AS t "
            "WHERE edition_id = :e",
            e=self.edition,
        ).scalars().all()  # fmt: skip
        figures = (
            plan.grids, plan.households, plan.unassigned, plan.within_tolerance,
            plan.deviation_sum, plan.compactness_sum,
        )  # fmt: skip
        return (*rows, figures)


def town(session: Session) -> None:
    """Two villages of 49 blocks each, and what stands and runs in them."""
    factories.units(session)
    dice = np.random.default_rng(11)
    for number in range(2 * BLOCKS * BLOCKS):
        column, row = number % (2 * BLOCKS), number // (2 * BLOCKS)
        west = factories.WEST + column * STEP_DEG
        south = factories.SOUTH + row * (factories.NORTH - factories.SOUTH) / BLOCKS
        for east, north in ((0.3, 0.3), (0.7, 0.35), (0.5, 0.75)):
            lon = west + east * STEP_DEG
            lat = south + north * (factories.NORTH - factories.SOUTH) / BLOCKS
            execute(
                session,
                "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source,"
                " external_id) VALUES ('990121', :unit, :n, ST_SetSRID(ST_MakePoint(:x, :y), 4326),"
                " 't', :id)",
                unit=factories.VILLAGES[column // BLOCKS], n=int(dice.integers(4, 22)),
                x=lon, y=lat, id=f"{number}-{east}",
            )  # fmt: skip
    east = factories.WEST + 4 * factories.STEP
    lines = [("river", LineString([(factories.WEST, 45.0101), (east, 45.0101)]))]
    for column in range(1, 2 * BLOCKS):
        x = factories.WEST + column * STEP_DEG
        lines.append(("street", LineString([(x, factories.SOUTH), (x, factories.NORTH)])))
    shapes = [*lines, ("bridge", Point(factories.WEST + 1.5 * STEP_DEG, 45.0101)),
              ("bridge", Point(east - 2.5 * STEP_DEG, 45.0101))]  # fmt: skip
    for number, (kind, shape) in enumerate(shapes):
        execute(
            session,
            "INSERT INTO barriers (county_code, kind, geom, source, external_id) VALUES "
            "('990121', :kind, ST_GeomFromText(:wkt, 4326), 't', :id)",
            kind=kind, wkt=shape.wkt, id=str(number),
        )  # fmt: skip


@pytest.fixture(scope="module")
def drawn(test_cluster: Cluster, template: str) -> Iterator[tuple[Database, int]]:
    """A database with the town, its grids drawn, and the plan open."""
    for database in conftest.fresh(test_cluster, template):
        with database.transaction(timeout_s=0) as session:
            town(session)
            _, edition = planning.draw_draft(session, factories.COUNTY, author="wang", target=300)
            opening.open_draft(session, edition.id, author="wang")
            number = edition.id
        yield database, number


@pytest.fixture
def table(drawn: tuple[Database, int]) -> Iterator[Table]:
    """The plan, as it was drawn."""
    database, edition = drawn
    with database.engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield Table(session, edition)
        outer.rollback()
