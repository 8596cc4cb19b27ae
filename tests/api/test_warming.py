"""What a server compiles at its start is all that its requests would else have compiled."""

from __future__ import annotations

import subprocess
import sys
import threading
from threading import Event
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from api import warming

if TYPE_CHECKING:
    from gis.database import Database

# In a process of its own: here other tests have compiled already.
REQUESTS = """
import sys
from datetime import UTC, datetime
from threading import Event
import geopandas as gpd
import numpy as np
import shapely
from api import warming
from gis.crs import to_wgs84
from gis.locator import Locator
from gis.locator.warming import urgent

def signatures():
    return {
        (each.py_func.__module__, each.py_func.__qualname__, str(signature))
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in ("gis", "grids", "maps")
        for each in vars(module).values()
        if hasattr(each, "py_func") and hasattr(each, "signatures")
        for signature in each.signatures
    }

def ask(lon, lat):
    path = __PATH__
    made = Locator.build([shapely.box(x, 44, x + 1, 45) for x in range(110, 120)], range(10))
    made.save(path)
    kept = Locator.open(path)
    for each in (made, kept):
        assert each.locate_one(lon, lat) == 6
        each.border_distance(lon, lat)
        each.border_distance_m(lon, lat, 6)
        each.share(lon, lat, 80.0)
    return kept

assert warming.make(urgent(), Event())
before = signatures()
locator = ask(116.6, 44.9)
to_wgs84(116.6, 44.9, "gcj02")
to_wgs84(116.6, 44.9, "bd09")
new = signatures() - before
assert not new, ("urgent", new)

warming.warm(Event())
before = signatures()
lon, lat, accuracy = np.array([116.6, 3.0]), np.array([44.9, 3.0]), np.array([30.0, 30.0])
where = locator.locate(lon, lat)
assert where.tolist() == [6, -1]
locator.nearest(3.0, 3.0)
locator.border_distances_m(lon[:1], lat[:1], where[:1])
locator.own_shares(lon[:1], lat[:1], accuracy[:1], where[:1])
locator.nearest_among(lon[1:], lat[1:], np.ones(10, dtype=bool))
locator.share_among(lon, lat, accuracy, np.ones(10, dtype=bool))

from grids.plans import halving
from grids.redistricting import draw
from grids.redistricting.search import divide
from grids.redistricting.rules import Effort, Prices
from maps.hotspots import (
    attention, backtest, emerging, hot_grids, knox, neighbours_of, scan,
)
from maps.network import density as network
from maps.smoothing import density

column, row = (each.ravel() for each in np.mgrid[0:30, 0:20])
houses = gpd.GeoDataFrame(
    {"id": np.arange(len(row)), "households": 1 + (7 * column + 3 * row) % 11},
    geometry=shapely.box(50*column + 5, 50*row + 5, 50*column + 30, 50*row + 30), crs=32650,
)
area = gpd.GeoDataFrame({"code": ["1"]}, geometry=[shapely.box(0, 0, 1500, 1000)], crs=32650)
plan = draw(area, houses, None, target=300, effort="quick")
draw(area, houses, None, target=250, before=plan, effort="quick")
density(np.random.default_rng(1).uniform(0, 1000, (500, 2)), (0, 0, 1000, 1000), (50, 50), 60.0)
density(np.random.default_rng(1).uniform(0, 1000, (500000, 2)), (0, 0, 1000, 1000), (50, 50), 60.0)
line = gpd.GeoSeries([shapely.LineString([(116.6, 44.9), (116.62, 44.91)])], crs=4326)
network.along(np.array([116.61]), np.array([44.905]), line,
              start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 2, 1, tzinfo=UTC))
side = np.arange(40)
squares = shapely.box(side % 8, side // 8, side % 8 + 1, side // 8 + 1)
rng = np.random.default_rng(1)
middles, counts = rng.uniform(0, 9000, (40, 2)), rng.poisson(3, (40, 16))
around = neighbours_of(squares)
hot_grids(counts.sum(axis=1), around)
for weekly in (False, True):
    scan(middles, counts if weekly else counts.sum(axis=1), exposure=np.full(40, 300.0),
         ending="last" if weekly else "any", simulations=99)
emerging(counts, around)
knox(rng.uniform(0, 900, (50, 2)), rng.uniform(0, 99, 50), simulations=19)
attention(counts, around)
backtest(counts, around, weeks=2)
new = signatures() - before
assert not new, ("later", new)
"""


def test_requests_find_everything_compiled(tmp_path: object) -> None:
    script = REQUESTS.replace("__PATH__", f"__import__('pathlib').Path({str(tmp_path)!r}) / 'l'")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_server_that_is_stopped_makes_no_further_call() -> None:
    stopping, made = Event(), []

    def call() -> None:
        made.append(1)
        stopping.set()

    assert not warming.make([call, call], stopping)
    assert made == [1]


def test_a_stop_does_not_wait_for_the_compiler() -> None:
    stopping, compiled = Event(), Event()

    def compile_() -> None:
        stopping.set()
        compiled.wait()  # for ever, unless it is let go below

    assert not warming.make_aside(lambda: [compile_], stopping)
    compiled.set()
    assert warming.make_aside(lambda: [compiled.is_set], Event())


def test_what_could_not_be_compiled_is_not_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def fail() -> None:
        raise OSError

    assert not warming.make_aside(lambda: [fail], Event())
    assert len(told) == 1


def test_heavy_requests_may_compute_between_their_statements(database: Database) -> None:
    shown = []
    for heavy in (False, True):
        with database.service_transaction(heavy=heavy) as session:
            shown.append(session.scalar(sa.text("SHOW idle_in_transaction_session_timeout")))
    assert shown == ["1min", "5min"]
