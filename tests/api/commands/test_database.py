"""``wangge db``, ``people``, ``plan`` and ``import`` on a database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import geopandas as gpd
import pytest
import sqlalchemy as sa

from data import schema
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

GRIDS = [factories.grid_code(place) for place in range(4)]


class TestDb:
    """The database itself."""

    def test_status(self, wangge: Run, county: factories.County) -> None:
        told = wangge("db", "status", "--json").document
        assert told["current"] is True
        assert told["rows"]["grid_shapes"] == 4
        assert told["embedded"] is None
        done = wangge("db", "status")
        assert (done.code, done.err) == (0, "")
        assert "grid_shapes" in done.out

    def test_status_of_an_empty_one_changes_nothing(self, wangge: Run, here: Database) -> None:
        with here.transaction() as session:
            session.execute(sa.text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        told = wangge("db", "status", "--json").document
        assert (told["current"], told["schema"], told["rows"]) == (False, None, {})
        assert "wangge db upgrade" in wangge("db", "status").out
        assert schema.status(here).current is None
        assert "migrated from nothing" in wangge("db", "upgrade").out
        assert "nothing to do" in wangge("db", "upgrade").out
        assert schema.status(here).is_current

    def test_newer_database_is_refused(self, wangge: Run, here: Database) -> None:
        with here.transaction() as session:
            session.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
        done = wangge("people", "unassigned")
        assert done.code == 1
        assert "0999" in done.err

    def test_backup_and_restore(
        self, wangge: Run, here: Database, county: factories.County, tmp_path: Path
    ) -> None:
        file = tmp_path / "b.tar"
        assert "checked" in wangge("db", "backup", file).out
        again = wangge("db", "backup", file)
        assert again.code == 1
        assert "not overwritten" in again.err
        with here.transaction() as session:
            session.execute(sa.text("DELETE FROM leaves; DELETE FROM assignments"))
        assert len(wangge("people", "unassigned", "--json").document) == 4
        done = wangge("db", "restore", file, "--yes")
        assert done.code == 0, done.err
        assert wangge("people", "unassigned", "--json").document == []
        (tmp_path / "foreign").write_text("x")
        refused = wangge("db", "restore", tmp_path / "foreign", "--yes")
        assert refused.code == 1
        assert "this is a text file, no backup of wangge's" in refused.err

    def test_status_in_a_pipe_cuts_nothing(
        self, wangge: Run, here: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = here.url.render_as_string(hide_password=True)
        assert len(address) > 60
        monkeypatch.setenv("COLUMNS", "40")
        lines = wangge("db", "status").out.splitlines()
        (line,) = [each for each in lines if each.startswith("database ")]
        assert line.split()[1:] == [address]

    def test_check(self, wangge: Run, here: Database, county: factories.County) -> None:
        done = wangge("db", "check")
        assert (done.code, "BROKEN" in done.out) == (0, False)
        with here.transaction() as session:
            session.execute(sa.text("DELETE FROM admin_units WHERE level = 9"))
        done = wangge("db", "check", "--json")
        assert done.code == 1
        (broken,) = [each for each in done.document if each["breaches"]]
        assert broken["invariant"] == "every unit's parent is known"
        done = wangge("db", "check")
        assert done.code == 1
        assert "BROKEN" in done.out
        assert "Import the parent" in done.out

    def test_psql(self, county: factories.County) -> None:
        del county
        command = [sys.executable, "-m", "api.cli", "db", "psql", "--"]

        def psql(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*command, *arguments], capture_output=True, text=True, check=False
            )

        done = psql("-XAtc", "SELECT count(*) FROM grids")
        assert (done.returncode, done.stdout.strip()) == (0, "4")
        assert psql("-XAtc", "SELECT 1 / 0").returncode == 1


class TestPeople:
    """Who answers for which grid."""

    def test_assign_who_and_leave(self, wangge: Run, county: factories.County) -> None:
        del county
        grid = GRIDS[0]
        done = wangge("people", "assign", "李二", grid, "--new", "--role", "deputy")
        assert done.code == 0, done.err
        told = wangge("people", "who", grid, "--json").document
        assert [(each["name"], each["reason"]) for each in told] == [
            ("网格员1", "primary_worker"),
            ("李二", "deputy"),
        ]
        done = wangge(
            "people", "leave", "网格员1", "2030-07-01", "2030-07-08", "--deputy", "李二",
            "--county", factories.COUNTY,
        )  # fmt: skip
        assert done.code == 0, done.err
        for at, name in (
            ("2030-06-30T23:59:59", "网格员1"), ("2030-07-01", "李二"), ("2030-07-08", "网格员1"),
        ):  # fmt: skip
            told = wangge("people", "who", grid, "--at", at, "--json").document
            assert told[0]["name"] == name
        assert "stands in during a leave" in wangge("people", "who", grid, "--at", "2030-07-02").out

    def test_relieved_before_another_is_put_in_charge(
        self, wangge: Run, county: factories.County
    ) -> None:
        del county
        assert wangge("people", "relieve", "网格员1", GRIDS[0], "--at", "2030-01-01").code == 0
        done = wangge("people", "assign", "网格员2", GRIDS[0], "--since", "2030-01-01")
        assert done.code == 0, done.err
        for at, name in (("2029-12-31", "网格员1"), ("2030-01-01", "网格员2")):
            told = wangge("people", "who", GRIDS[0], "--at", at, "--json").document
            assert [each["name"] for each in told] == [name]
        refused = wangge("people", "relieve", "网格员1", GRIDS[0], "--at", "2030-01-01")
        assert refused.code == 1
        assert f"网格员1 does not answer for grid {GRIDS[0]}" in refused.err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("assign", "谁", GRIDS[0]), "no persons"),
            (("assign", "网格员1", "990121101001999"), "no grid"),
            (("assign", "网格员1", GRIDS[1]), "has a worker in charge"),
            (("assign", "网格员1", GRIDS[1], "--role", "boss"), "grid_head"),
            (("assign", "网格员1", GRIDS[1], "--since", "2030-01-02", "--until", "2030-01-01"),
             "ends before it begins"),
            (("leave", "网格员1", "2030-01-02", "2030-01-01", "--county", "990121"),
             "ends before it begins"),
            (("who", GRIDS[0], "--at", "soon"), "is no time"),
        ],
    )  # fmt: skip
    def test_refused(
        self, wangge: Run, county: factories.County, arguments: tuple[str, ...], words: str
    ) -> None:
        del county
        done = wangge("people", *arguments)
        assert (done.code, done.out) == (1, "")
        assert words in done.err


class TestPlan:
    """Editions on the database."""

    def test_list_publish_rollback_export(
        self, wangge: Run, here: Database, county: factories.County, tmp_path: Path
    ) -> None:
        with here.transaction() as session:
            draft = factories.service.save_draft(
                session, factories.COUNTY, factories.squares(), title="第二版", author="t"
            ).id
        listed = wangge("plan", "list", "--json").document
        assert [(each["edition"], each["status"]) for each in listed] == [
            (draft, "draft"),
            (county.edition, "active"),
        ]
        told = wangge("plan", "publish", draft, "--json").document
        assert (told["edition"], told["grids"], told["kept"]) == (draft, 4, 4)
        assert told["replaced"] == [county.edition]
        refused = wangge("plan", "publish", draft)
        assert refused.code == 1
        assert "not a draft" in refused.err
        again = wangge("plan", "publish", draft)
        assert (again.code, again.out) == (1, "")
        listed = wangge("plan", "list").out
        assert re.search(rf"{draft} .* active .* \d\d:\d\d:\d\d\+00:00 .* 第二版", listed)
        told = wangge("plan", "rollback", draft, "--note", "错了", "--json").document
        assert told["replaced"] == [draft]
        for name in ("g.gpkg", "g.geojson", "g.parquet"):
            done = wangge("plan", "export", county.edition, "--out", tmp_path / name)
            assert done.code == 0, done.err
            read = gpd.read_parquet if name.endswith("parquet") else gpd.read_file
            assert sorted(read(tmp_path / name)["code"]) == GRIDS
        assert wangge("plan", "export", 99, "--out", tmp_path / "x.gpkg").code == 1
        assert wangge("plan", "export", draft, "--out", tmp_path / "x.xyz").code == 1
        assert sorted(each.name for each in tmp_path.iterdir()) == [
            "g.geojson", "g.gpkg", "g.parquet",
        ]  # fmt: skip

    def test_edition_before_the_first_is_refused(
        self, wangge: Run, here: Database, county: factories.County
    ) -> None:
        with here.transaction() as session:
            draft = factories.service.save_draft(
                session, factories.COUNTY, factories.squares(), title="t", author="t"
            ).id
        done = wangge("plan", "publish", draft, "--effective", "2025-01-01")
        assert done.code == 1
        assert "an edition is in force since 2026-01-01" in done.err


class TestImport:
    """Files in: dry unless told."""

    def test_dry_run_and_commit(
        self, wangge: Run, here: Database, county: factories.County, tmp_path: Path
    ) -> None:
        lon, lat = factories.middle(0)
        file = tmp_path / "incidents.csv"
        file.write_text(
            "id,category,time,lon,lat\n"
            f"1,邻里,2026-03-01 10:00,{lon},{lat}\n2,邻里,2026-03-02 11:00,,\n",
            encoding="utf-8",
        )

        def count() -> int:
            with here.transaction() as session:
                return int(session.scalar(sa.text("SELECT count(*) FROM incidents")) or 0)

        words = ("import", "incidents", file, "--county", factories.COUNTY)
        done = wangge(*words)
        assert done.code == 0, done.err
        assert "Nothing was written" in done.out
        assert count() == 0
        done = wangge(*words, "--commit", "--json")
        assert done.code == 0, done.err
        json.loads(done.out)
        assert count() == 2
        assert wangge(*words, "--commit").code == 0
        assert count() == 2

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("pigeons", "x.csv"), "pigeons"),
            (("units", "not-there.gpkg"), "not-there.gpkg"),
            (("units", "x.csv", "--map", "households"), "households=units"),
        ],
    )
    def test_refused(
        self, wangge: Run, here: Database, arguments: tuple[str, ...], words: str
    ) -> None:
        done = wangge("import", *arguments)
        assert done.code in {1, 2}
        assert words in done.err
