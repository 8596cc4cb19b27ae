"""Vector tiles of shapes that were computed, not stored: the classes of densities."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.database import execute
from maps.tiles import BUFFER, EXTENT, MERCATOR_HALF_M, check_address

if TYPE_CHECKING:
    import geopandas as gpd
    from sqlalchemy.orm import Session

_SPARE: Final = 2.0
"""Buffers that shapes are cut at beforehand, well outside of where PostGIS cuts them exactly."""

_SQL: Final = """
WITH shapes AS (
    SELECT
        ST_AsMVTGeom(
            ST_GeomFromWKB(given.wkb, 3857),
            Box2D(ST_MakeEnvelope(:west, :south, :east, :north, 3857)),
            :extent, :buffer, true
        ) AS geom,
        CAST(given.properties AS jsonb) AS properties
    FROM unnest(CAST(:wkb AS bytea[]), CAST(:properties AS text[])) AS given (wkb, properties)
)
SELECT ST_AsMVT(shapes, :name, :extent, 'geom') FROM shapes WHERE geom IS NOT NULL
"""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Shapes in Web Mercator, taken apart so that a tile finds its own quickly.

    Attributes
    ----------
    properties
        JSON of each feature, in the order that they are drawn.
    parts, of
        Simple shapes in EPSG:3857, and the feature that each belongs to.
    """

    properties: tuple[str, ...]
    parts: npt.NDArray[np.object_]
    of: npt.NDArray[np.int64]
    tree: shapely.STRtree


def drawn(frame: gpd.GeoDataFrame, fields: tuple[str, ...]) -> Drawn:
    """Make the shapes of a layer ready to be cut into tiles.

    Parameters
    ----------
    frame
        Any CRS; rows are features, of which each may have several parts.
    fields
        Columns that the features carry. What is missing or not finite is left out of a feature.
    """
    there = frame if frame.empty else frame.to_crs(3857)
    parts, of = shapely.get_parts(np.asarray(there.geometry.array), return_index=True)
    rows = zip(*(there[name] for name in fields), strict=True)
    return Drawn(
        tuple(json.dumps(_said(dict(zip(fields, row, strict=True)))) for row in rows),
        parts,
        of.astype(np.int64),
        shapely.STRtree(parts),
    )


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """Plain values of a feature; without NaN, which JSON has not and which says nothing."""
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
    }
    return {
        name: value
        for name, value in plain.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def tile(session: Session, name: str, shapes: Drawn, address: tuple[int, int, int]) -> bytes:
    """One vector tile, uncompressed; empty bytes where there is nothing.

    Borders are those of the shapes themselves, rounded to 1/4096 of the tile's side and nothing
    else: none is smoothed or thinned out for a zoom, so that the picture is one at every zoom.

    Parameters
    ----------
    name
        Of the one layer in the tile.
    address
        Zoom, column and row in the Web Mercator quad, y counted from the north.

    Raises
    ------
    BadInput
        The address is outside the pyramid.
    """
    check_address(*address)
    z, x, y = address
    side = 2 * MERCATOR_HALF_M / 2**z
    west, north = x * side - MERCATOR_HALF_M, MERCATOR_HALF_M - y * side
    box = (west, north - side, west + side, north)
    margin = side * BUFFER / EXTENT
    found = np.sort(shapes.tree.query(shapely.box(*_wider(box, margin))))
    if not found.size:
        return b""
    cut = shapely.clip_by_rect(shapes.parts[found], *_wider(box, _SPARE * margin))
    kept = ~shapely.is_empty(cut)
    features, first = np.unique(shapes.of[found][kept], return_index=True)
    groups = np.split(cut[kept], first[1:])
    if not features.size:
        return b""
    answer = execute(
        session,
        _SQL,
        west=box[0],
        south=box[1],
        east=box[2],
        north=box[3],
        extent=EXTENT,
        buffer=BUFFER,
        name=name,
        wkb=[shapely.to_wkb(_together(group)) for group in groups],
        properties=[shapes.properties[each] for each in features],
    ).one()
    return bytes(answer[0] or b"")


def _wider(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _together(parts: npt.NDArray[np.object_]) -> shapely.Geometry:
    """Return parts of one feature as one shape; cutting may have left some in pieces."""
    simple = shapely.get_parts(parts)
    # Where a side only touches the box, cutting leaves a line of a polygon or a point of a line.
    dimension = shapely.get_dimensions(simple)
    simple = simple[dimension == dimension.max()]
    make = shapely.multipolygons if dimension.max() == 2 else shapely.multilinestrings
    return make(simple)
