"""The density of the database's incidents along streets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from gis.errors import BadInput, Problem
from grids.incidents import repository
from grids.models import Barrier
from maps.network.density import Kernel, NetworkDensity, along
from maps.service import named_categories, reported_period

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def incident_density(
    session: Session,
    wanted: repository.Filter,
    lines: GeoDataFrame | None = None,
    *,
    bandwidth_m: float = 300.0,
    kernel: Kernel = "quartic",
    lixel_m: float | None = None,
    timezone: str = "Asia/Shanghai",
    title: str = "",
) -> NetworkDensity:
    """Make the density of incidents along streets, for the case team only.

    Parameters
    ----------
    lines
        Streets with a CRS; those of the database, kinds ``street`` and ``arterial``, when left out.

    Raises
    ------
    BadInput
        No incident or no street is known, or what ``along`` refuses.
    """
    names = named_categories(session, wanted.categories)
    start, end = reported_period(session, wanted)
    lon, lat, without = repository.places(
        session,
        repository.Filter(start=start, end=end, categories=wanted.categories, scope=wanted.scope),
    )
    nowhere = [float("nan")] * without
    return along(
        [*lon, *nowhere],
        [*lat, *nowhere],
        streets(session) if lines is None else lines,
        start=start,
        end=end,
        bandwidth_m=bandwidth_m,
        kernel=kernel,
        lixel_m=lixel_m,
        timezone=timezone,
        title=title,
        category="、".join(names[code].name_zh for code in wanted.categories),
        category_en=", ".join(names[code].name_en for code in wanted.categories),
    )


def streets(session: Session) -> GeoDataFrame:
    """Streets and arterials among the barriers, WGS 84.

    Raises
    ------
    BadInput
        There are none.
    """
    shapes = session.scalars(
        sa.select(sa.func.ST_AsBinary(Barrier.geom))
        .where(Barrier.kind.in_(("street", "arterial")))
        .order_by(Barrier.id)
    ).all()
    if not shapes:
        raise BadInput(
            Problem(
                "the database has no streets",
                "Import some with 'wangge import barriers', or give a file: --along streets.gpkg",
                field="--along",
            )
        )
    return gpd.GeoDataFrame(geometry=gpd.GeoSeries.from_wkb([bytes(s) for s in shapes], crs=4326))
