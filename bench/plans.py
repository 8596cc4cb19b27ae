"""How long a live edit of a plan takes: ``python -m bench.plans``.

Plans of 400 and of 4,000 grids, each of 36 cells of about eight households; through the
application but for the network, with an API key, row-level security, history and audit log. Median
and 95th percentile of a move of one cell, a split and a merge, each taken back in between: by the
clock, and in CPU time of this process and of the database's together, which other work on the
machine hardly changes. Then the comparison of a plan with its branch, which differs by some moves:
what `GET .../comparison` asks, the letters, and the ground that changes hands.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from api.app import create_app
from api.settings import ServerSettings
from data import schema
from gis import hardening
from gis.database import Database
from gis.settings import DatabaseSettings
from grids.plans import changes, comparison, kinds, opening
from tests import factories
from tests.access.conftest import Asker

SIZES = (20, 63)  # grids on a side: 400 and 3,969
CELLS = 6  # on a side of a grid
STEP = 0.0005
ROUNDS = 60
COMPARISONS = 5

FILL = """
INSERT INTO editions (area_code, title, author) VALUES ('990121', 'bench', 'bench');
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT x, y, (y / :cells) * :side + x / :cells AS grid, y * :side * :cells + x AS cell,
    117 + x * :step AS west, 45 + y * :step AS south,
    117 + (x + 1) * :step AS east, 45 + (y + 1) * :step AS north
FROM generate_series(0, :side * :cells - 1) AS x, generate_series(0, :side * :cells - 1) AS y;
CREATE TEMP TABLE ids ON COMMIT DROP AS
WITH fresh AS (
    INSERT INTO grids (county_code) SELECT '990121' FROM generate_series(1, :side * :side)
    RETURNING id
) SELECT id, row_number() OVER (ORDER BY id) - 1 AS grid FROM fresh;
INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, unit_code, area_type, households,
    buildings, target, compactness, area_m2, geom)
SELECT (SELECT max(id) FROM editions), i.id, '990121', '990121101001' || lpad(m.grid::text, 5, '0'),
    '990121101001', 'urban', sum(5 + (m.cell * 7919) % 7), 36, 290, 0.78, 1,
    ST_MakeEnvelope(min(west), min(south), max(east), max(north), 4326)
FROM made AS m JOIN ids AS i USING (grid) GROUP BY i.id, m.grid;
INSERT INTO cells (edition_id, cell_id, county_code, grid_id, unit_code, block, households,
    building_ids, neighbours, doors, geom)
SELECT (SELECT max(id) FROM editions), m.cell, '990121', i.id, '990121101001', m.grid,
    5 + (m.cell * 7919) % 7, ARRAY[m.cell], n.near, n.near,
    ST_MakeEnvelope(west, south, east, north, 4326)
FROM made AS m JOIN ids AS i USING (grid) CROSS JOIN LATERAL (
    SELECT array_agg((m.y + d.dy) * :side * :cells + m.x + d.dx) AS near
    FROM (VALUES (-1, 0), (1, 0), (0, -1), (0, 1)) AS d (dx, dy)
    WHERE m.x + d.dx BETWEEN 0 AND :side * :cells - 1
        AND m.y + d.dy BETWEEN 0 AND :side * :cells - 1
) AS n
"""


def fill(database: Database, side: int) -> tuple[int, str]:
    """A plan of side x side square grids; its number, and the key of a planner."""
    with database.transaction(timeout_s=0) as session:
        factories.units(session)
        for statement in FILL.split(";\n"):
            session.execute(sa.text(statement), {"side": side, "cells": CELLS, "step": STEP})
        edition = int(session.scalar(sa.text("SELECT max(id) FROM editions")) or 0)
        opening.open_draft(session, edition, author="bench")
        key = factories.key(session, factories.account(session, "planner", "990121"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    return edition, key


BUILDINGS = """
INSERT INTO buildings (county_code, unit_code, households_resident, geom, source, external_id)
SELECT county_code, unit_code, households, ST_Centroid(geom), 'bench', cell_id::text
FROM cells WHERE edition_id = :edition
"""


def grids_of_cells(session: Session, edition: int) -> dict[int, int]:
    """The grid that each cell of a plan lies in."""
    statement = sa.text("SELECT cell_id, grid_id FROM cells WHERE edition_id = :edition")
    rows = session.execute(statement, {"edition": edition})
    return {row.cell_id: row.grid_id for row in rows}


class Clocks:
    """The clock on the wall, and the time this process and those of the database were at work."""

    def __init__(self, database: Database) -> None:
        assert database.cluster is not None
        self.server = (database.cluster.pgdata / "postmaster.pid").read_text().split()[0]

    def now(self) -> tuple[float, float]:
        """Seconds of both."""
        task = Path(f"/proc/{self.server}/task/{self.server}/children")
        spent_ns = 0
        for process in task.read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):
                spent_ns += int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
        return time.perf_counter(), time.process_time() + spent_ns / 1e9


def compared(database: Database, edition: int, side: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds by both clocks of each part of comparing a plan with a branch of other borders."""
    width = side * CELLS
    with database.transaction(timeout_s=0) as session:
        session.execute(sa.text(BUILDINGS), {"edition": edition})
        plan = opening.branch(session, edition, title="other", author="bench")
        other = plan.edition_id
        grid = grids_of_cells(session, other)
        for row in range(0, side, max(1, side // 20)):
            for column in range(0, side - 1, max(1, side // 5)):
                cell = (row * CELLS + 2) * width + column * CELLS + CELLS - 1
                change = kinds.move(session, plan, [cell], grid[cell + 1])
                changes.carry_out(session, plan, change, author="bench", version=plan.version)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    taken: dict[str, list[tuple[float, float]]] = {}
    clocks = Clocks(database)
    now = datetime.now(UTC)
    with database.transaction(timeout_s=0) as session:
        for turn in range(COMPARISONS + 1):
            marks = [clocks.now()]
            found = comparison.compare(session, edition, other, at=now)
            marks.append(clocks.now())
            letters = comparison.letters(session, found, at=now)
            marks.append(clocks.now())
            ground = comparison.difference(session, found)
            marks.append(clocks.now())
            assert len(letters) == found.buildings_moved
            assert ground
            names = ("comparison", "letters", "changed ground")
            for name, (wall, cpu) in zip(names, np.diff(marks, axis=0).tolist(), strict=True):
                if turn:  # the first loads what a process loads once
                    taken.setdefault(name, []).append((wall, cpu))
    return taken


class Planner:
    """Asks as a planner does, and keeps the time."""

    def __init__(self, database: Database, edition: int, key: str) -> None:
        self.ask = Asker(create_app(ServerSettings(), database), {"planner": key})
        self.path = f"/api/v1/plans/{edition}"
        self.version = 0
        self.taken: dict[str, list[tuple[float, float]]] = {}
        """Seconds by the clock, and of CPU, of each step."""
        self.clocks = Clocks(database)

    async def do(self, what: str, path: str, **body: object) -> None:
        """Take a step and keep how long it took.

        All steps are taken in one loop, as a server does: its threads, and what they hold, stay.
        """
        headers = (
            (b"authorization", f"Bearer {self.ask.tokens['planner']}".encode()),
            (b"content-type", b"application/json"),
        )
        asked = json.dumps({**body, "version": self.version}).encode()
        started = self.clocks.now()
        answer = await self.ask._ask("POST", self.path + path, "", asked, headers)  # noqa: SLF001
        ended = self.clocks.now()
        self.taken.setdefault(what, []).append((ended[0] - started[0], ended[1] - started[1]))
        assert answer.status in {200, 201}, answer.body
        self.version = json.loads(answer.body)["version"]


async def measure(
    database: Database, side: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each kind of step on a plan of side x side grids."""
    edition, key = fill(database, side)
    planner = Planner(database, edition, key)
    dice = np.random.default_rng(1)
    with database.transaction() as session:
        ids = grids_of_cells(session, edition)
    width = side * CELLS
    for turn in range(rounds + 3):
        if turn == 3:  # the first ones load what a process loads once
            planner.taken.clear()
        # A cell in the middle of its grid's right side, and the grid to the right of it.
        column, row = (int(dice.integers(0, side - 1)), int(dice.integers(0, side)))
        cell = (row * CELLS + 2) * width + column * CELLS + CELLS - 1
        mine, right = ids[cell], ids[cell + 1]
        await planner.do("move", "/moves", kind="move", cells=[cell], to=right)
        await planner.do("undo of a move", "/undo")
        await planner.do("split", "/moves", kind="split", grid=mine, parts=2)
        await planner.do("undo of a split", "/undo")
        await planner.do("merge", "/moves", kind="merge", grids=[mine, right])
        await planner.do("undo of a merge", "/undo")
    return planner.taken | compared(database, edition, side)


def main(rounds: int = ROUNDS) -> None:
    """Measure both sizes and print them side by side."""
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else None
    found: dict[int, dict[str, list[tuple[float, float]]]] = {}
    for side in SIZES:
        with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=folder) as name:
            Path(name).chmod(0o755)  # root runs PostgreSQL as another account
            settings = DatabaseSettings(data_dir=Path(name) / "cluster", durable=False)
            with Database.open(settings) as database:
                schema.upgrade(database)
                hardening.apply(database)
                found[side] = asyncio.run(measure(database, side, rounds))
    for clock, name in enumerate(("ms", "CPU ms")):
        print(f"{name + ', p50 / p95':18}" + "".join(f"{side * side:>14,} grids" for side in SIZES))
        for what in found[SIZES[0]]:
            cells = (
                " / ".join(
                    f"{1000 * np.percentile([each[clock] for each in found[side][what]], p):.1f}"
                    for p in (50, 95)
                )
                for side in SIZES
            )
            print(f"{what:18}" + "".join(f"{each:>20}" for each in cells))


if __name__ == "__main__":
    main()
