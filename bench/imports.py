"""CPU of importing real files, client and database apart: ``python -m bench.imports``.

Needs the real data sets (``WANGGE_REAL_DATA``, or ``shared/data`` beside the repository). Each
file is imported into a database in memory, then again, when nothing may change. CPU of the client
is that of this process and of the child that runs GDAL; that of the database is its backends'
(``/proc``). The figure to reach: the 85,936 incidents of Houston in under 20 s.
"""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data import schema
from data.importers.run import run_import
from gis.database import Database
from gis.settings import DatabaseSettings

REPOSITORY = Path(__file__).parent.parent
DATA = Path(os.environ.get("WANGGE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("units", "cn_division_codes/villages.csv.gz", {}),
    ("units", "cn_boundaries/counties_amap_wgs84.geojson.gz", {}),
    ("incidents", "incidents_houston/crime_2010.parquet",
     {"county": "482010", "mapping": {"category": "=crime"}, "timezone": "UTC"}),
    ("buildings", "osm_san_francisco/san_francisco.osm.pbf", {"county": "060750"}),
    ("barriers", "osm_san_francisco/san_francisco.osm.pbf", {"county": "060750"}),
    ("buildings", "town_cambridge/cambridge.gpkg",
     {"county": "250170", "layer": "parcels_units_fy2014",
      "mapping": {"id": "ML", "households": "units"}}),
    ("tracks", "patrol_tracks_mara/patrol_fixes_2024.parquet", {"county": "990002"}),
]  # fmt: skip


_TICKS: dict[int, int] = {}


def client_s() -> float:
    """CPU seconds of this process and of the children that have ended."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, both))


def server_s(database: Database) -> float:
    """CPU seconds of the backends that have served this database, also of those that left."""
    with database.engine.connect() as connection:
        pids = connection.scalars(
            sa.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        ).all()
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        _TICKS[pid] = int(fields[11]) + int(fields[12])
    return sum(_TICKS.values()) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else None
    print(f"{'kind':10} {'file':30} {'rows':>7} {'':>6} {'client s':>9} {'database s':>10}")
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=folder) as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        settings = DatabaseSettings(data_dir=Path(name) / "cluster", durable=False)
        with Database.open(settings) as database:
            schema.upgrade(database)
            for kind, file, told in CASES:
                for word in ("first", "again"):
                    client, server = client_s(), server_s(database)
                    report = run_import(
                        kind, DATA / file, database=database, commit=True, actor="bench", **told
                    )
                    used = client_s() - client, server_s(database) - server
                    print(
                        f"{kind:10} {Path(file).name[:30]:30} {report.read:7} {word:>6} "
                        f"{used[0]:9.2f} {used[1]:10.2f}"
                    )


if __name__ == "__main__":
    main()
