"""``wangge audit``: from the entries of the command line to a proof that stands without it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second place for anchors; the first, and the key, are in a folder of the test's own."""
    monkeypatch.setenv("WANGGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANGGE_ANCHOR_DIR", str(tmp_path / "far"))
    return tmp_path / "far"


def test_from_an_entry_to_its_proof(
    here: Database,
    county: factories.County,
    wangge: Callable[..., Done],
    far: Path,
    tmp_path: Path,
) -> None:
    told = wangge("people", "who", factories.grid_code(0))
    assert "网格员1" in told.out
    listed = wangge("audit", "list", "--kind", "person", "--json").document["entries"]
    (entry,) = [each for each in listed if each["action"] == "read"]
    assert entry["origin"].startswith("os:")
    assert entry["detail"]["grid"] == county.grids[factories.grid_code(0)]
    assert entry["fields"] == "name,role"
    assert "网格员1" not in wangge("audit", "list", "--limit", 1000).out

    assert wangge("audit", "proof", entry["id"]).code == 1
    assert wangge("audit", "anchor").code == 0
    assert "WANGGE" not in next(far.glob("*.jsonl")).read_text()
    proof = tmp_path / "proof.json"
    proof.write_text(wangge("audit", "proof", entry["id"]).out)
    key = tmp_path / "data" / "keys" / "audit.key.pub"
    proven = wangge("audit", "proof", "--check", proof, "--key", key)
    assert proven.document["entry"]["id"] == entry["id"]
    proof.write_text(proof.read_text().replace('"siblings": [', '"siblings": ["00",'))
    assert "proves nothing" in wangge("audit", "proof", "--check", proof, "--key", key).err

    assert wangge("audit", "verify").code == 0
    report = wangge("audit", "verify", "--anchors", far, "--key", key, "--json").document
    assert report["whole"]
    assert report["rows"] > 5

    with here.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            sa.text("UPDATE audit_log SET actor = 'zhao' WHERE id = :id"), {"id": entry["id"]}
        )
    broken = wangge("audit", "verify", "--anchors", far)
    assert broken.code == 1
    assert f"(id {entry['id']})" in broken.out
    assert "not whole" in broken.out


def test_pages_and_filters(
    here: Database, county: factories.County, wangge: Callable[..., Done], far: Path
) -> None:
    first = wangge("audit", "list", "--action", "person.", "--limit", 3, "--json").document
    assert [each["action"] for each in first["entries"]] == [
        "person.assign", "person.add", "person.assign",
    ]  # fmt: skip
    after = wangge(
        "audit", "list", "--action", "person.", "--limit", 100, "--before", first["next"], "--json"
    ).document
    assert len(after["entries"]) == 5
    assert after["next"] is None
    nobody = wangge("audit", "list", "--actor", "no-such", "--json").document
    assert nobody["entries"] == []
    since = wangge("audit", "list", "--since", "2100-01-01", "--json").document
    assert since["entries"] == []


def test_what_is_done_with_the_whole_database_is_entered(
    here: Database,
    county: factories.County,
    wangge: Callable[..., Done],
    far: Path,
    tmp_path: Path,
) -> None:
    assert wangge("db", "backup", tmp_path / "b.tar").code == 0
    assert wangge("db", "psql", "--", "-c", "SELECT 1").code == 0
    assert wangge("audit", "anchor").code == 0
    restored = wangge("db", "restore", tmp_path / "b.tar", "--yes")
    assert restored.code == 0
    assert "--after-restore" in restored.out
    listed = wangge("audit", "list", "--action", "database.", "--json").document["entries"]
    assert [each["action"] for each in listed] == ["database.restore", "database.backup"]
    # What was anchored since the backup is missing now, and is owned up to.
    assert wangge("audit", "verify").code == 1
    assert "older copy" in wangge("audit", "anchor").err
    assert wangge("audit", "anchor", "--after-restore", "disk failure in the rack").code == 0
    whole = wangge("audit", "verify")
    assert whole.code == 0
    assert "disk failure in the rack" in whole.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "--anchors", "/no/such/folder"), "no such folder"),
        (("verify", "--key", "/no/such/key"), "no such file"),
        (("proof",), "one of the two"),
        (("proof", "999999"), "no entry 999999"),
        (("unusual", "--from", "2026-02-01", "--to", "2026-01-01"), "ends before"),
        (("list", "--since", "yesterday"), "is no time"),
        (("anchor", "--after-restore", "x"), "no reason"),
    ],
)
def test_what_is_refused(
    here: Database,
    wangge: Callable[..., Done],
    far: Path,
    arguments: tuple[Any, ...],
    words: str,
) -> None:
    done = wangge("audit", *arguments)
    assert done.code == 1
    assert words in done.err


def test_unusual(here: Database, wangge: Callable[..., Done], far: Path) -> None:
    assert "nothing unusual" in wangge("audit", "unusual").out
    entry = {
        "actor": "wang", "action": "read", "object_kind": "person", "object_id": "", "count": 400,
    }  # fmt: skip
    with here.transaction() as session:
        session.execute(
            sa.text("SELECT wangge_audit_chain(CAST(:e AS jsonb), '2026-05-10T04:00:00Z')"),
            {"e": json.dumps([entry])},
        )
    asked = ("audit", "unusual", "--from", "2026-05-01", "--to", "2026-06-01")
    (one,) = wangge(*asked, "--json").document
    assert (one["rule"], one["actor"], one["objects"]) == ("mass", "wang", 400)
    shown = wangge(*asked).out
    assert "一小时内" in shown
    assert "within an hour" in shown
