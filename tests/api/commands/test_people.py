"""``wangge people tracks`` and ``looks``: what a person who asks at the office is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gis.secrets import Keyring
from grids.people import personal
from grids.people.models import Person
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.database import Database
    from tests.api.commands.conftest import Done

WHO = ("网格员1", "--county", factories.COUNTY)
OTHER = ("网格员2", "--county", factories.COUNTY)


@pytest.fixture
def walked(here: Database, county: factories.County) -> None:
    """An hour of the first worker's, with two fixes."""
    with here.transaction() as session:
        session.execute(sa.text("SELECT wangge_track_partition('2026-02-03')"))
        session.execute(
            sa.text(
                "INSERT INTO patrols (county_code, started_at, ended_at, state, source,"
                " external_id, person_id) VALUES ('990121', '2026-02-03T00:00Z', "
                "'2026-02-03T01:00Z', 'done', 's', '1', :person)"
            ),
            {"person": county.workers[factories.grid_code(0)]},
        )
        session.execute(
            sa.text(
                "INSERT INTO track_fixes (patrol_id, fixed_at, county_code, accuracy_m, geom) "
                "SELECT id, started_at + n * interval '5 minutes', county_code, 4, "
                "'SRID=4326;POINT(117.01 45.01)' FROM patrols, generate_series(0, 1) AS n"
            )
        )


@pytest.mark.usefixtures("walked")
def test_tracks_and_that_somebody_looked(wangge: Callable[..., Done]) -> None:
    assert wangge("people", "looks", *WHO, "--json").document == {"looks": [], "next": None}
    told = wangge("people", "tracks", *WHO)
    assert "2026-02-03 00:00" in told.out
    page = wangge("people", "tracks", *WHO, "--json").document
    (feature,) = page["features"]
    assert feature["geometry"]["coordinates"] == [[117.01, 45.01]] * 2
    assert feature["properties"]["accuracy_m"] == [4.0, 4.0]
    later = wangge("people", "tracks", *WHO, "--from", "2026-03-01", "--json").document
    assert later["features"] == []
    assert wangge("people", "tracks", *OTHER, "--json").document["features"] == []
    looks = wangge("people", "looks", *WHO, "--json").document["looks"]
    assert [(each["role"], each["object_kind"]) for each in looks] == [("owner", "patrol")] * 2
    assert wangge("people", "looks", *OTHER, "--json").document["looks"] == []
    assert wangge("people", "looks", "张三", "--county", factories.COUNTY).code == 1


def test_looks_by_pages(
    wangge: Callable[..., Done], here: Database, county: factories.County
) -> None:
    keyring = Keyring.open(here.settings.secrets_path)
    person = county.workers[factories.grid_code(0)]
    with here.transaction() as session:
        who = session.get_one(Person, person)
        personal.keep(session, who, "phone", "13800138000", keyring=keyring, actor="t")
    for number in range(3):
        with here.transaction() as session:
            personal.reveal(
                session, person, "phone", reason=f"call back {number}", keyring=keyring, actor="li"
            )
    told = wangge("people", "looks", *WHO, "--limit", 2)
    assert "call back 2" in told.out
    assert "call back 0" not in told.out
    first = wangge("people", "looks", *WHO, "--limit", 2, "--json").document
    rest = wangge("people", "looks", *WHO, "--before", first["next"], "--json").document
    assert [each["purpose"] for each in first["looks"] + rest["looks"]] == [
        "call back 2", "call back 1", "call back 0",
    ]  # fmt: skip
    assert {each["name"] for each in first["looks"]} == {"li"}
    assert rest["next"] is None
