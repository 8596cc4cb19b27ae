"""What the audit log costs: ``python -m bench.audit``.

A cluster with real fsync in a folder of a real disk (``--folder``, /var/tmp). Writes: transactions
that change one row and enter it, by 1 to 64 writers of ``pgbench``, beside the change alone.
Verification: entries a second of a log of several streams with anchors. Reads: requests through the
application with the entry, with an entry that waits for the disk, and with none.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from api.app import create_app
from api.settings import ServerSettings
from data import schema
from gis import audit
from gis.audit import anchors, keys, verify
from gis.cluster import find_bin
from gis.database import Database
from gis.settings import DatabaseSettings
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Using `httpx`")
    from fastapi.testclient import TestClient

ENTRY = (
    '[{"actor": "wang", "action": "incident.step", "object_kind": "incident", "object_id": '
    '"6c1c1a52-5a0e-5b43-9f4e-0d5f8c0f7a11", "county_code": "990121", "role": "township", '
    '"scope": "990121101", "origin": "10.0.0.7", "fields": "state", "count": 1, '
    '"session_id": "6c1c1a52-5a0e-5b43-9f4e-0d5f8c0f7a11", "detail": {"to_state": "accepted"}}]'
)
CHANGE = "INSERT INTO grids (county_code) VALUES ('990121');\n"
APPEND = f"SELECT wangge_audit_append('{ENTRY}');\n"


def writes(database: Database, seconds: int) -> None:
    """Transactions a second, each a change and its entry, beside the change alone."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    print(
        f"\n{'writers':>8} {'change alone /s':>16} {'with entry /s':>14} {'mean ms':>8}"
        f" {'streams':>8}"
    )
    for writers in (1, 4, 16, 32, 64):
        rates = {}
        for name, script in (("alone", CHANGE), ("entry", CHANGE + APPEND)):
            rates[name] = _pgbench(url, script, writers, seconds)
        with database.engine.connect() as connection:
            streams = connection.scalar(sa.text("SELECT count(*) FROM audit_heads"))
        rate = rates["entry"]
        print(
            f"{writers:8} {rates['alone']:16,.0f} {rate:14,.0f} {writers / rate * 1e3:8.1f} "
            f"{streams:8}"
        )


def _pgbench(url: str, script: str, writers: int, seconds: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(f"BEGIN;\n{script}COMMIT;\n")
        file.flush()
        done = subprocess.run(
            [
                str(find_bin() / "pgbench"), "-n", "-M", "prepared", "-f", file.name,
                "-c", str(writers), "-j", str(min(writers, 2)), "-T", str(seconds), url,
            ],
            check=True, capture_output=True, text=True,
            env={**os.environ, "PGOPTIONS": "-c wangge.lo=0 -c wangge.hi=: -c wangge.rights=*"},
        )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found.group(1))


def verification(database: Database, folder: Path, rows: int) -> None:
    """Entries a second of ``verify``, of a log in several streams that was anchored as it grew."""
    places = anchors.Places(folder / "keys" / "audit.key", [folder / "anchors"])
    print(f"\nmaking {rows:,} entries", flush=True)
    # Server-side and many at once: how they got there is not what is measured.
    many = (
        "SELECT wangge_audit_append((SELECT jsonb_agg(e || jsonb_build_object('county_code', "
        "'9901' || (21 + n %% 5), 'object_id', gen_random_uuid(), 'count', n)) "
        f"FROM jsonb_array_elements('{ENTRY}') AS e, generate_series(1, %(n)s) AS n))"
    ).replace("%%", "%")
    for _ in range(rows // 20_000):
        with database.transaction(timeout_s=0) as session:
            session.execute(sa.text(many.replace("%(n)s", "20000")))
        anchors.anchor(database, places)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE audit_log"))
        size = connection.scalar(sa.text("SELECT pg_total_relation_size('audit_log')"))
        count = connection.scalar(sa.text("SELECT count(*) FROM audit_log"))
    print(f"{count:,} entries, {int(size or 0) / count:.0f} bytes each with indexes")
    print(f"{'entries':>10} {'streams':>8} {'anchors':>8} {'s':>6} {'entries/s':>10}")
    for _ in range(3):
        report = verify.verify(
            database, folders=places.folders, keys=keys.public_keys([places.key])
        )
        assert not report.breaches, report.breaches[:3]
        print(
            f"{report.rows:10,} {report.streams:8} {report.anchored:8} "
            f"{report.seconds:6.1f} {report.rows / report.seconds:10,.0f}"
        )


def reads(database: Database, rounds: int) -> None:
    """Milliseconds of a request, with and without its entry, in turns: both meet the same."""
    with database.transaction() as session:
        factories.county(session)
        secret = _caller(session)
    client = TestClient(
        create_app(ServerSettings(), database), headers={"Authorization": f"Bearer {secret}"}
    )
    number = str(uuid.uuid4())
    lon, lat = factories.middle(1)
    made = client.post(
        "/api/v1/incidents", json={"id": number, "category": "other", "lon": lon, "lat": lat}
    )
    assert made.status_code == 201, made.text
    usual = audit.entries.flush

    def durable(session: sa.orm.Session) -> None:
        kept = session.info.get(audit.entries.ENTRIES)
        if kept:
            session.info[audit.entries.ENTRIES] = [(entry, True) for entry, _ in kept]
        usual(session)

    def none(session: sa.orm.Session) -> None:
        session.info.pop(audit.entries.ENTRIES, None)

    ways: dict[str, Callable[[Any], None]] = {"none": none, "entry": usual, "durable": durable}
    print(f"\n{'request':28} {'way':8} {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7}")
    for name, path in (
        ("one incident", f"/api/v1/incidents/{number}"),
        ("locate", f"/api/v1/locate?lon={lon}&lat={lat}"),
        ("tile of incidents", "/tiles/incidents/10/844/368"),
        ("list of incidents", "/api/v1/incidents"),
    ):
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(rounds):
            for way, flush in ways.items():
                audit.entries.flush = flush  # type: ignore[assignment]
                began = time.perf_counter()
                answer = client.get(path)
                times[way].append((time.perf_counter() - began) * 1e3)
                assert answer.status_code in {200, 204}, answer.text
            if turn == 20:  # everything is warm
                times = {way: [] for way in ways}
        for way, taken in times.items():
            cut = statistics.quantiles(taken, n=100)
            print(f"{name:28} {way:8} {cut[49]:7.2f} {cut[94]:7.2f} {cut[98]:7.2f}")
    audit.entries.flush = usual


def _caller(session: sa.orm.Session) -> str:
    session.execute(
        sa.text("INSERT INTO roles (key, name_zh, name_en, place) VALUES ('all', '全', 'all', 99)")
    )
    session.execute(sa.text("INSERT INTO role_rights SELECT 'all', key FROM rights"))
    return factories.key(session, factories.account(session, "all", login="bench"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--seconds", type=int, default=10, help="of each measure of writes")
    parser.add_argument("--rows", type=int, default=500_000, help="of the log that is verified")
    parser.add_argument("--rounds", type=int, default=500, help="requests of each kind")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=chosen.folder) as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        settings = DatabaseSettings(data_dir=Path(name) / "cluster", statement_timeout_s=3600)
        with Database.open(settings) as database:
            schema.upgrade(database)
            reads(database, chosen.rounds)
            writes(database, chosen.seconds)
            verification(database, Path(name), chosen.rows)


if __name__ == "__main__":
    main()
