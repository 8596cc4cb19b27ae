"""The grid nearest to a place outside all of them, against a look at every one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from shapely import box

from boundaries import editions
from grids import service
from grids.incidents.responsibility import NEAREST_WITHIN_M, nearest_grid
from tests import conftest, factories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from gis.cluster import Cluster
    from gis.database import Database

    Box = tuple[float, float, float, float]

GEOD = Geod(ellps="WGS84")
AT = factories.SINCE


def in_force(session: Session, boxes: Sequence[Box]) -> list[str]:
    """Put grids of these bounds in force, wherever they lie; their codes, in that order."""
    codes = [f"{factories.VILLAGES[0]}{number:03d}" for number in range(1, len(boxes) + 1)]
    grids = gpd.GeoDataFrame(
        {
            "code": codes, "unit": factories.VILLAGES[0], "households": 300, "buildings": 20,
            "target": 300,
        },
        geometry=[box(*each) for each in boxes], crs=4326,
    )  # fmt: skip
    draft = service.save_draft(session, factories.COUNTY, grids, title="t", author="a")
    editions.activate(session, draft, approver="a", at=AT)
    return codes


@pytest.fixture(scope="module")
def scattered(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """400 grids between 42 and 50 N in heaps, from 100 m to 30 km wide, some of them long."""
    random = np.random.default_rng(11)
    heaps = random.uniform((110, 42), (124, 50), (12, 2))
    spread = random.choice([0.02, 0.3, 1.5], 400)[:, None]
    middle = heaps[random.integers(0, 12, 400)] + random.normal(0, 1, (400, 2)) * spread
    half = 10 ** random.uniform(-3, -0.9, (400, 2))
    middle[:, 1] = middle[:, 1].clip(42, 50)
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            in_force(session, np.hstack([middle - half, middle + half]).tolist())
        yield database


@given(lon=st.floats(104, 130), lat=st.floats(42, 50))
def test_as_a_look_at_every_grid_says(scattered: Database, lon: float, lat: float) -> None:
    with scattered.transaction() as session:
        found = nearest_grid(session, lon, lat, AT)
        # Every grid's outline, a vertex each 100 m at the most, and no index.
        true_m = session.scalar(
            sa.text(
                "SELECT min(ST_Distance(ST_Segmentize(geom, 0.001)::geography, "
                "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)::geography)) FROM grid_shapes"
            ),
            {"lon": lon, "lat": lat},
        )
    if true_m > NEAREST_WITHIN_M:
        assert found is None
    else:
        assert found is not None
        assert found.distance_m == pytest.approx(true_m, abs=0.03)


@pytest.mark.parametrize(
    ("south_deg", "east_deg"),
    [(1.0, 1.3), (5.5, 6.5)],
    ids=["a hundred kilometres", "the nearest by degrees is beyond the limit"],
)
def test_more_grids_that_are_nearer_in_degrees_only(
    session: Session, south_deg: float, east_deg: float
) -> None:
    lon, lat = 117.0, 49.0
    south = [
        (lon + 0.01 * number, lat - south_deg - 0.01, lon + 0.01 * number + 0.01, lat - south_deg)
        for number in range(-20, 20)
    ]
    east = (lon + east_deg, lat - 0.01, lon + east_deg + 0.01, lat + 0.01)
    codes = in_force(session, [*south, east])
    found = nearest_grid(session, lon, lat, AT)
    assert found is not None
    assert found.code == codes[-1]
    assert found.distance_m == pytest.approx(GEOD.inv(lon, lat, lon + east_deg, lat)[2], rel=1e-3)
    assert found.unit is None, "no unit is in the database"


def test_of_two_equally_far_the_lowest_code(session: Session) -> None:
    factories.county(session)
    # South of the corner that two villages share, where the nearest point of both is the corner.
    found = nearest_grid(session, factories.WEST + 2 * factories.STEP, factories.SOUTH - 0.01, AT)
    assert found is not None
    assert found.code == factories.grid_code(1)
    assert found.unit is not None
    assert (found.unit.name, found.unit.name_en) == ("示范村1", "Demo Village 1")


def test_beyond_the_limit_and_before_every_edition(session: Session) -> None:
    factories.county(session)
    assert nearest_grid(session, factories.WEST - 7, 45.0, AT) is None
    assert nearest_grid(session, factories.WEST - 0.1, 45.0, AT - timedelta(seconds=1)) is None
