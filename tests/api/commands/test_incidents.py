"""``wangge incidents relocate``: a dry run, its table, and what it writes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from shapely import box

from gis.database import execute
from grids import service
from grids.incidents import service as incidents
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


@pytest.fixture
def _moved(here: Database, county: factories.County) -> None:
    """An incident that a second edition, whose first two grids are one, gives to another grid."""
    with here.transaction() as session:
        lon, lat = factories.middle(1)
        report = incidents.Report(
            id=factories.uuid_of(1), category="neighbour", source="t", x=lon, y=lat
        )
        incidents.record(session, report, actor="t")
        grids = factories.squares().drop(index=1)
        grids.loc[0, "geometry"] = box(117, factories.SOUTH, 117.04, factories.NORTH)
        kept = {code: county.grids[code] for code in grids["code"]}
        second = service.save_draft(
            session, factories.COUNTY, grids, title="second", author="t", identities=kept
        )
        service.publish(session, second.id, approver="a")


@pytest.mark.usefixtures("_moved")
def test_relocate(wangge: Run, here: Database, tmp_path: Path) -> None:
    relocate = ("incidents", "relocate", "--data-dir", tmp_path, "--actor", "li")
    table = tmp_path / "moved.csv"
    done = wangge(*relocate, "--csv", table)
    assert done.code == 0, done.err
    assert "1 incident by edition" in done.out
    assert "0 stay, 1 lies in another grid, 0 in none, 0 without a place" in done.out
    assert "Nothing was changed" in done.out
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {
                "from_grid": factories.grid_code(1), "to_grid": factories.grid_code(0),
                "incidents": "1", "open": "1",
            }
        ]  # fmt: skip
    done = wangge(*relocate, "--scheduler", "local:none")
    assert done.code == 1
    assert "'local:none' names no number of processes" in done.err
    done = wangge(*relocate, "--scheduler", "local:1", "--json")
    assert (done.document["looked_at"], done.document["moved"]) == (1, 1)
    done = wangge(*relocate, "--commit")
    assert done.code == 1
    assert "events need a reason" in done.err
    done = wangge(*relocate, "--commit", "--reason", "并格", "--json")
    assert (done.document["events"], done.document["committed"]) == (1, True)
    assert "0 events were written" in wangge(*relocate, "--commit", "--reason", "并格").out
    with here.transaction() as session:
        rows = execute(
            session, "SELECT actor, note FROM incident_events WHERE kind = 'reassigned'"
        ).all()
    assert [tuple(row) for row in rows] == [("li", "并格")]
