"""Whether a scope ever sticks to a pooled connection: ``python -m bench.pool``.

Sixteen accounts ask 100,000 times over four connections, with errors, timeouts, cancelled
statements, lost clients and requests of nobody between. The figures to reach: 0 rows of somebody
else's, 0 rows without a scope.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from data import schema
from gis import hardening
from gis.database import Database
from gis.secrets import Keyring
from gis.settings import DatabaseSettings
from tests.access import storm
from tests.access.rows import build

REQUESTS = 100_000


def main() -> None:
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=folder) as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        settings = DatabaseSettings(data_dir=Path(name) / "cluster", durable=False)
        with Database.open(settings) as database:
            schema.upgrade(database)
            hardening.apply(database)
            with database.transaction() as session:
                place = build(session, Keyring.open(settings.secrets_path))
            started = time.perf_counter()
            found = storm.blow(database, place, REQUESTS)
            print(f"{sum(found.done.values()):,} requests in {time.perf_counter() - started:.0f} s")
            for kind, number in found.done.most_common():
                print(f"  {kind:8} {number:7,}")
            print(f"rows of somebody else's: {found.crossed}, rows without a scope: "
                  f"{found.unscoped}, rows not shown: {found.missing}")  # fmt: skip


if __name__ == "__main__":
    main()
