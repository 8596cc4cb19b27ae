"""The heat map: a density of incidents with its unit, bandwidth, period and place.

Never a picture of unknown meaning: values are events per km^2 per 30 days, or per 1,000 households
per 30 days, on a raster in metres. ``maps.print_map``, ``maps.folium_map`` and ``maps.raster`` draw
and write it; ``maps.heatmap_text`` words it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from gis.crs import metric_crs
from gis.errors import BadInput, Problem
from maps import tolerance
from maps.bandwidth import PLACE_M, USUAL_M, Bandwidth, from_events
from maps.bulk import bulk_box
from maps.heatmap_checks import (
    Area,
    Households,
    Per,
    area_polygon,
    check_bandwidth_fits,
    check_request,
    coordinates,
)
from maps.smoothing import MAX_CELLS, Bbox, Floats, Mask, density, too_many_cells

__all__ = ["Heatmap", "build", "density"]

DAYS_PER_PERIOD = 30
"""Densities are given per 30 days, however long the period."""

MIN_EVENTS = 5
"""k of the disclosure rule (design 7.4): where a map is shared, one of fewer events is left blank,
and so is every rate that fewer lie under the kernel of."""

MIN_HOUSEHOLDS_UNDER_KERNEL = 20
"""Households within the kernel's effective area (4 pi bandwidth^2) below which no rate is given."""

CELLS_PER_BANDWIDTH = 6
MIN_CELL_M = 10.0
"""Side of a cell when none is given: a sixth of the bandwidth, but never less than this."""

_MARGIN_BANDWIDTHS = 3
_MASK_CELLS = 1000  # Along the longer side: fine enough to find a bandwidth by.
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """A density on a raster, with everything its legend has to say.

    Attributes
    ----------
    values
        Shape (ny, nx), float64, row 0 south, at cell centres: events per km^2 per 30 days, or per
        1,000 households per 30 days. NaN where nothing is said: outside the area, `no_data` and
        `hidden`.
    no_data, hidden
        Same shape: where in the area there is no value because too few households live there for a
        rate, and where there is one that a shared map must not show (fewer than 5 events; the
        whole area if `suppressed`).
    bbox_m
        West, south, east, north outer edges of the raster in `crs`, metres.
    crs
        Local metric CRS (easting, northing).
    bulk_m
        Box like `bbox_m` around most of the events; None if it would be nearly the whole, or tell
        where few events were.
    cell_m, bandwidth_m
        Side of a cell and standard deviation of the Gaussian kernel, metres.
    chosen
        How the bandwidth was found from the events; None if it was given.
    mean, score
        For a rate, the area's own (all its events by all its households, in the unit of `values`),
        and where a place differs from it: a normal score of shape (ny, nx), beyond 1.96 or -1.96
        by more than chance at 5 % (`maps.tolerance`), NaN as in `values`. None for a density per
        km^2 and where there is nothing to compare.
    start, end
        Period, aware; `end` is the first moment that no longer belongs to it.
    timezone
        IANA name of the zone in which dates are shown.
    n
        Events on the map; None if `suppressed`.
    n_outside, n_without_place
        Events left out: outside the area, or with no coordinates.
    per
        What the density is relative to.
    shared
        Whether the map leaves the case team, so that small counts are hidden.
    suppressed
        True if it is shared and there were 1 to 4 events.
    area
        The polygons events can happen in, WGS 84; None if no area was given.
    title, category, place, source
        Names to be printed; empty ones are left out.
    category_en, place_en
        The same in English, for a map in that language; empty: as above.
    made_on
        When it was computed, aware.
    """

    values: Floats
    no_data: Mask
    hidden: Mask
    bbox_m: Bbox
    bulk_m: Bbox | None
    crs: CRS
    cell_m: float
    bandwidth_m: float
    chosen: Bandwidth | None
    mean: float | None
    score: Floats | None
    start: datetime
    end: datetime
    timezone: str
    n: int | None
    n_outside: int
    n_without_place: int
    per: Per
    shared: bool
    suppressed: bool
    area: BaseGeometry | None
    title: str
    category: str
    place: str
    source: str
    category_en: str
    place_en: str
    made_on: datetime

    @property
    def days(self) -> float:
        """Length of the period in days."""
        return (self.end - self.start).total_seconds() / _DAY_S

    @property
    def maximum(self) -> float:
        """Highest value; 0 when no cell has one."""
        return float(np.nanmax(self.values)) if np.isfinite(self.values).any() else 0.0

    @property
    def bounds(self) -> Bbox:
        """West, south, east, north of the raster in WGS 84 degrees."""
        return self._degrees(self.bbox_m)

    @property
    def bulk_bounds(self) -> Bbox | None:
        """`bulk_m` in WGS 84 degrees."""
        return None if self.bulk_m is None else self._degrees(self.bulk_m)

    def _degrees(self, box: Bbox) -> Bbox:
        to_wgs84 = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        west, south, east, north = to_wgs84.transform_bounds(*box, densify_pts=21)
        return west, south, east, north


def build(
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    *,
    start: datetime,
    end: datetime,
    area: Area = None,
    bandwidth_m: float | Literal["auto"] = USUAL_M,
    cell_m: float | None = None,
    per: Per = "km2",
    households: Households | None = None,
    timezone: str = "Asia/Shanghai",
    case_team: bool = False,
    title: str = "",
    category: str = "",
    place: str = "",
    source: str = "",
    category_en: str = "",
    place_en: str = "",
    made_on: datetime | None = None,
) -> Heatmap:
    """Make the heat map of events that happened from `start` up to, not including, `end`.

    Parameters
    ----------
    lon, lat
        Events, WGS 84 degrees. NaN means "without a place": counted, not drawn. The caller selects
        those of the period and category; no events give a density of zero, which needs an `area`.
    start, end
        Aware times.
    area
        Where events can happen: polygons in WGS 84, or with a CRS of their own. Their union is the
        mask of the edge correction; events outside are counted and left out. Without an area the
        map reaches 3 bandwidths around the events and edges are not corrected.
    bandwidth_m, cell_m
        In metres; the bandwidth must not be smaller than the cell, which is a sixth of it but at
        least 10 m when left out. ``"auto"`` finds it from the events, by `maps.bandwidth`.
    per
        ``"km2"``, or ``"households"``: the density divided by that of `households`, smoothed with
        the same bandwidth, where at least 20 households lie under the kernel.
    households
        Longitudes, latitudes and household counts of buildings or the like.
    timezone
        IANA zone of the dates shown.
    case_team
        True only for readers who may see single cases. Otherwise a map of 1 to 4 events is left
        blank, a rate is hidden where fewer than 5 events lie near, and the map says so.
    title, category, place, source
        Printed as they are.
    category_en, place_en
        Printed instead on a map in English.
    made_on
        Aware; now if left out.

    Raises
    ------
    BadInput
        Everything that is wrong with the request, at once.
    """
    lons, lats = coordinates(lon, lat, "lon", "lat")
    made = made_on or datetime.now(UTC)
    check_request(
        start=start,
        end=end,
        made_on=made,
        timezone=timezone,
        bandwidth_m=USUAL_M if bandwidth_m == "auto" else bandwidth_m,
        cell_m=cell_m,
        per=per,
        households=households,
    )
    polygon = area_polygon(area)

    placed = np.isfinite(lons) & np.isfinite(lats)
    lons, lats = lons[placed], lats[placed]
    n_without_place = int(placed.size - lons.size)
    if polygon is not None:
        shapely.prepare(polygon)
        inside = shapely.intersects_xy(polygon, lons, lats)
        n_outside = int(inside.size - inside.sum())
        lons, lats = lons[inside], lats[inside]
        extent: Bbox = polygon.bounds
    elif lons.size:
        n_outside = 0
        extent = (float(lons.min()), float(lats.min()), float(lons.max()), float(lats.max()))
    else:
        raise BadInput("no events and no area: there is no place to draw", "Give an area.")

    suppressed = 0 < lons.size < MIN_EVENTS and not case_team
    if suppressed and polygon is None:
        raise BadInput(
            Problem(
                f"fewer than {MIN_EVENTS} events and no area: the map's frame would show "
                "where they were",
                "Give the area they were looked for in.",
                field="area",
            )
        )
    crs = metric_crs(extent)
    to_metres = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    xy = np.column_stack(to_metres.transform(lons, lats))
    projected = None
    if polygon is not None:
        projected = shapely.transform(
            polygon, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
        )
    bandwidth_m, cell_m, chosen = _scale(bandwidth_m, cell_m, xy, projected)
    if projected is None:
        margin = _MARGIN_BANDWIDTHS * bandwidth_m
        low, high = xy.min(axis=0) - margin, xy.max(axis=0) + margin
        bbox, shape = _raster((low[0], low[1], high[0], high[1]), cell_m)
        mask = None
    else:
        bbox, shape = _raster(projected.bounds, cell_m)
        check_bandwidth_fits(bandwidth_m, bbox)
        mask = _mask_of(projected, bbox, shape, cell_m)

    if suppressed:
        nothing = np.full(shape, np.nan)
        everywhere = np.ones(shape, dtype=np.bool_) if mask is None else mask
        surface = _Surface(nothing, nothing, np.zeros(shape, dtype=np.bool_), everywhere)
    else:
        surface = _surface(
            xy,
            bbox=bbox,
            shape=shape,
            bandwidth_m=bandwidth_m,
            mask=mask,
            households=households,
            to_metres=to_metres,
            polygon=polygon,
            shared=not case_team,
        )
    per_period = DAYS_PER_PERIOD * _DAY_S / (end - start).total_seconds()
    values = surface.values * per_period
    values.flags.writeable = False
    return Heatmap(
        values=values,
        no_data=surface.no_data,
        hidden=surface.hidden,
        bbox_m=bbox,
        bulk_m=bulk_box(surface.events, bbox, 2 * bandwidth_m),
        crs=crs,
        cell_m=float(cell_m),
        bandwidth_m=float(bandwidth_m),
        chosen=chosen,
        mean=None if surface.mean is None else surface.mean * per_period,
        score=surface.score,
        start=start,
        end=end,
        timezone=timezone,
        n=None if suppressed else len(xy),
        n_outside=n_outside,
        n_without_place=n_without_place,
        per=per,
        shared=not case_team,
        suppressed=suppressed,
        area=polygon,
        title=title,
        category=category,
        place=place,
        source=source,
        category_en=category_en,
        place_en=place_en,
        made_on=made,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """Values over the whole period, the events per m^2 they come of, and where there are none."""

    values: Floats
    events: Floats
    no_data: Mask
    hidden: Mask
    mean: float | None = None
    score: Floats | None = None


def _surface(
    xy: Floats,
    *,
    bbox: Bbox,
    shape: tuple[int, int],
    bandwidth_m: float,
    mask: Mask | None,
    households: Households | None,
    to_metres: Transformer,
    polygon: BaseGeometry | None,
    shared: bool,
) -> _Surface:
    """Return events per km^2, or per 1,000 households, over the whole period."""
    nowhere = np.zeros(shape, dtype=np.bool_)
    if households is None:
        events = density(xy, bbox, shape, bandwidth_m, mask=mask)
        return _Surface(events * 1e6, events, nowhere, nowhere)
    lons, lats = coordinates(households[0], households[1], "households lon", "households lat")
    counts = np.asarray(households[2], dtype=np.float64)
    known = np.isfinite(lons) & np.isfinite(lats)
    if polygon is not None:
        known &= shapely.intersects_xy(polygon, lons, lats)
    homes = np.column_stack(to_metres.transform(lons[known], lats[known]))
    exposed = density(homes, bbox, shape, bandwidth_m, weights=counts[known])
    # Events and households lose the same share over an edge, so the ratio needs no correction.
    events = density(xy, bbox, shape, bandwidth_m)
    inside = ~nowhere if mask is None else mask
    enough = inside & (exposed * 4 * math.pi * bandwidth_m**2 >= MIN_HOUSEHOLDS_UNDER_KERNEL)
    hidden = nowhere
    if shared and len(xy):
        # The sum of the kernel's weights with 1 at its middle, so never more than the events that
        # lie near: where a rate is shown, at least five made it.
        hidden = enough & (events * 2 * math.pi * bandwidth_m**2 < MIN_EVENTS)
    rates = np.full(shape, np.nan)
    np.divide(1000 * events, exposed, out=rates, where=enough & ~hidden)
    mean, score = None, None
    if len(xy) and counts[known].sum() and bandwidth_m >= math.sqrt(3) * _widest(bbox, shape):
        mean = 1000 * len(xy) / float(counts[known].sum())
        score = tolerance.scores(
            events, len(xy), homes, counts[known], bbox_m=bbox, bandwidth_m=bandwidth_m
        )
        score[~np.isfinite(rates)] = np.nan
    return _Surface(
        rates, np.where(inside, events, 0), inside & ~enough, hidden, mean=mean, score=score
    )


def _widest(bbox: Bbox, shape: tuple[int, int]) -> float:
    """Return the longer side of a cell, metres."""
    return max((bbox[2] - bbox[0]) / shape[1], (bbox[3] - bbox[1]) / shape[0])


def _scale(
    bandwidth_m: float | Literal["auto"],
    cell_m: float | None,
    xy: Floats,
    projected: BaseGeometry | None,
) -> tuple[float, float, Bandwidth | None]:
    """Return bandwidth and cell as given or found, and how the bandwidth was found."""
    if bandwidth_m != "auto":
        return bandwidth_m, cell_m or max(MIN_CELL_M, bandwidth_m / CELLS_PER_BANDWIDTH), None
    chosen = _found_bandwidth(xy, projected)
    if cell_m is None:
        cell_m = max(MIN_CELL_M, chosen.metres / CELLS_PER_BANDWIDTH)
        if projected is not None:
            # Nobody asked for a bandwidth that is fine for so wide an area: half of it still does.
            west, south, east, north = projected.bounds
            least = 1.01 * math.sqrt((east - west) * (north - south) / MAX_CELLS)
            cell_m = max(cell_m, min(least, chosen.metres / 2))
    return chosen.metres, cell_m, chosen


def _found_bandwidth(xy: Floats, projected: BaseGeometry | None) -> Bandwidth:
    """Find the bandwidth from events within the area, or within their own box."""
    if projected is None:
        low, high = xy.min(axis=0) - PLACE_M, xy.max(axis=0) + PLACE_M
        return from_events(xy, (low[0], low[1], high[0], high[1]))
    west, south, east, north = projected.bounds
    coarse = max(east - west, north - south) / _MASK_CELLS
    bbox, shape = _raster(projected.bounds, coarse)
    return from_events(xy, bbox, _mask_of(projected, bbox, shape, coarse))


def _raster(box: Bbox, cell_m: float) -> tuple[Bbox, tuple[int, int]]:
    """Return the raster of whole cells, on multiples of the cell, that covers a box in metres."""
    west, south, east, north = box
    column, row = math.floor(west / cell_m), math.floor(south / cell_m)
    nx = max(1, math.ceil(east / cell_m) - column)
    ny = max(1, math.ceil(north / cell_m) - row)
    if nx * ny > MAX_CELLS:
        largest = math.sqrt((east - west) * (north - south) / MAX_CELLS)
        raise BadInput(
            Problem(
                f"{too_many_cells(ny, nx)} (the map would be {(east - west) / 1000:,.0f} x "
                f"{(north - south) / 1000:,.0f} km)",
                f"Use cells of at least {math.ceil(largest * 1.01):,} m, or give a smaller area: "
                "single events far from the rest widen the map.",
                field="cell_m",
            )
        )
    return (
        (column * cell_m, row * cell_m, (column + nx) * cell_m, (row + ny) * cell_m),
        (ny, nx),
    )


def _mask_of(projected: BaseGeometry, bbox: Bbox, shape: tuple[int, int], cell_m: float) -> Mask:
    """Return the cells whose centre lies in the area, row 0 south."""
    from rasterio import Affine, features  # noqa: PLC0415  (GDAL is slow to load)

    north_up: npt.NDArray[np.uint8] = features.rasterize(
        [projected],
        out_shape=shape,
        transform=Affine(cell_m, 0, bbox[0], 0, -cell_m, bbox[3]),
        dtype="uint8",
    )
    mask: Mask = np.ascontiguousarray(north_up[::-1]) == 1
    if not mask.any():
        raise BadInput(
            Problem(
                f"the area holds no centre of a cell of {cell_m:g} m",
                "Use smaller cells.",
                field="cell_m",
            )
        )
    return mask
