"""The density of the database's incidents along streets."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.orm import Session

from boundaries.access import EVERYWHERE
from gis.crs import transformer
from gis.errors import BadInput, Problem
from grids.incidents import repository
from grids.models import Barrier
from maps.network.density import Kernel, NetworkDensity, along, usual_lixel_m
from maps.network.lixels import Network, network_of
from maps.service import (
    SOURCE,
    MapCache,
    area_of,
    named_categories,
    place_name,
    reported_period,
    units_drawn,
    whole_units,
)

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

STREETS: Final = ("street", "arterial")
"""Kinds of barriers that incidents happen along."""
_NETWORKS: Final = MapCache(size=4)
"""Networks by their streets themselves, so that none is ever of other streets, or of others' eyes;
densities on one share its lines."""


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
    nowhere = np.full(without, np.nan)
    units = units_drawn(session, whole_units(wanted.scope), end)
    made = along(
        np.concatenate([lon, nowhere]),
        np.concatenate([lat, nowhere]),
        _network(session, lixel_m or usual_lixel_m(bandwidth_m)) if lines is None else lines,
        start=start,
        end=end,
        bandwidth_m=bandwidth_m,
        kernel=kernel,
        lixel_m=lixel_m,
        timezone=timezone,
        title=title,
        source=SOURCE,
        category="、".join(names[code].name_zh for code in wanted.categories),
        category_en=", ".join(names[code].name_en for code in wanted.categories),
        place=place_name(units, "zh") if lines is None else "",
        place_en=place_name(units, "en") if lines is None else "",
    )
    if wanted.scope == EVERYWHERE or not units:
        return made
    # Streets around the caller's area are known, the incidents on them are not: not drawn as empty.
    return _within(made, area_of(units).union_all())


def _within(density: NetworkDensity, area: BaseGeometry) -> NetworkDensity:
    """Keep the pieces of street whose middle lies in an area, WGS 84."""
    to_degrees = transformer(density.crs, "EPSG:4326")
    middles = shapely.get_coordinates(
        shapely.line_interpolate_point(density.lines.shapes(), 0.5, normalized=True)
    )
    shapely.prepare(area)
    kept = shapely.intersects_xy(area, *to_degrees.transform(*middles.T))
    if not kept.any():
        raise BadInput(
            Problem("the area has no streets", "Ask for a density per km2", field="along")
        )
    return replace(
        density,
        lines=density.lines.chosen(kept),
        length_m=density.length_m[kept],
        values=density.values[kept],
        mass=density.mass[kept],
    )


def _network(session: Session, lixel_m: float) -> Network:
    """The streets that the caller sees, joined and cut: anew only if they are others than before.

    Raises
    ------
    BadInput
        There are none, or what ``network_of`` refuses.
    """
    shapes = _shapes(session)
    digest = hashlib.sha256()
    for shape in shapes:
        digest.update(shape)
    return _NETWORKS.get(
        (digest.digest(), lixel_m),
        lambda: network_of(gpd.GeoSeries.from_wkb(shapes, crs=4326), lixel_m),
    )


def _shapes(session: Session) -> list[bytes]:
    """Streets and arterials among the barriers, WGS 84, as WKB.

    Raises
    ------
    BadInput
        There are none.
    """
    shapes = session.scalars(
        sa.select(sa.func.ST_AsBinary(Barrier.geom))
        .where(Barrier.kind.in_(STREETS))
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
    return [bytes(shape) for shape in shapes]
