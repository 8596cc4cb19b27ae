"""``wangge import``: what it says, on a database of the test's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from data import importers, schema
from data.importers import columns
from gis.errors import BadInput

if TYPE_CHECKING:
    from gis.database import Database
    from tests.data.importers.conftest import Commands, Writer


def test_a_dry_run_where_no_county_is_known_says_what_to_do_first(
    wangge: Commands, csv: Writer
) -> None:
    path = csv("b.csv", "id,lon,lat,户数\na,110.1,40.1,3\n")
    code, said = wangge("import", "buildings", path)
    assert code == 1
    assert "which county do these buildings belong to?" in said
    assert "it has none yet: import units first" in said
    assert "Say --county CODE" in said
    code, said = wangge("import", "buildings", path, "--county", "990001")
    assert code == 0
    assert "1 building stands in no village or community that is known" in said
    assert "Nothing was written. Add --commit to write it." in said


def test_a_dry_run_on_an_empty_database_says_the_same_and_makes_no_table(
    wangge: Commands, csv: Writer, database: Database
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    code, said = wangge("import", "workers", csv("w.csv", "工号,姓名\n1,甲\n"))
    assert code == 1
    assert "it has none yet: import units first" in said
    path = csv("u.csv", "code,name\n15,内蒙古\n")
    code, said = wangge("import", "units", path)
    assert code == 0
    assert "records: 1 new, 0 changed, 0 unchanged" in said
    with database.engine.connect() as connection:
        made = connection.exec_driver_sql(
            "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace), "
            "(SELECT count(*) FROM pg_extension WHERE extname = 'postgis'), "
            "(SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
        ).one()
    assert tuple(made) == (0, 0, 0)
    # What is written makes them.
    assert wangge("import", "units", path, "--commit")[0] == 0
    assert schema.status(database).is_current


def test_a_dry_run_makes_no_embedded_database(
    wangge: Commands, csv: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANGGE_DATABASE_URL")
    folder = tmp_path / "not" / "there"
    path = csv("b.csv", "id,lon,lat,户数\na,110.1,40.1,3\n")
    code, said = wangge("import", "buildings", path, "--data-dir", folder)
    assert code == 0
    assert "there is no database yet: only the file was checked" in said
    assert "1 read, 1 kept, 0 rejected" in said
    assert not folder.parent.exists()


def test_without_a_database_nothing_is_asked_of_one(wangge: Commands, csv: Writer) -> None:
    path = csv("b.csv", "id,lon,lat,户数\na,110.1,40.1,3\n")
    code, said = wangge("import", "buildings", path, "--no-database")
    assert code == 0
    assert "1 read, 1 kept, 0 rejected" in said
    assert "records:" not in said
    assert "Say --crs" in said


def test_rejected_rows_are_written_where_told(
    wangge: Commands, csv: Writer, tmp_path: Path
) -> None:
    path = csv("u.csv", "code,name\n15,内蒙古\n1x,错\n")
    back = tmp_path / "back.csv"
    code, said = wangge("import", "units", path, "--rejected", back, "--commit")
    assert code == 0
    assert f"1 rejected row is in {back}." in said
    assert list(pd.read_csv(back, dtype=str)["name"]) == ["错"]
    # A name that cannot be written is refused before anything is, and not after the commit.
    other = csv("v.csv", "code,name\n1501,呼和浩特\n")
    code, said = wangge("import", "units", other, "--rejected", tmp_path / "a.pdf", "--commit")
    assert code == 1
    assert "cannot be written as '.pdf'" in said
    assert "1 new" in wangge("import", "units", other)[1]


def test_pairs_of_an_option() -> None:
    told = columns.parse_map(["households = units", "kind==road"])
    assert told == {"households": "units", "kind": "=road"}
    with pytest.raises(BadInput) as refused:
        columns.parse_map(["a", "=b", "c=", "d=1", "d=2"], option="--default")
    assert [p.reason for p in refused.value.problems] == [
        "--default 'a' is not field=value",
        "--default '=b' is not field=value",
        "--default 'c=' is not field=value",
        "--default names the field 'd' twice",
    ]


def test_an_import_does_not_load_the_compiler() -> None:
    # It takes as long to load as everything else that an import needs, and few need it.
    code = "import sys, data.importers.run; print({'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(importers.__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
