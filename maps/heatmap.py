"""The heat map: a density of incidents with its unit, bandwidth, period and place.

Never a picture of unknown meaning: values are events per km^2 per 30 days, or per 1,000 households
per 30 days, on a raster in metres. ``maps.print_map``, ``maps.folium_map`` and ``maps.raster`` draw
and write it; ``maps.heatmap_text`` words it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Unpack

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.crs import transformer
from maps import sharing, tolerance
from maps.bandwidth import USUAL_M, Bandwidth
from maps.bulk import bulk_box
from maps.heatmap_checks import (
    MIN_EVENTS,
    Area,
    Households,
    Options,
    Per,
    area_polygon,
    check_request,
    coordinates,
)
from maps.heatmap_frame import Frame, framed, mask_of, placed, together
from maps.smoothing import Bbox, Floats, Mask, PointField, density

__all__ = ["MIN_EVENTS", "Heatmap", "build", "build_from", "density"]

DAYS_PER_PERIOD = 30
"""Densities are given per 30 days, however long the period."""

MIN_HOUSEHOLDS_UNDER_KERNEL = 20
"""Households within the kernel's effective area (4 pi bandwidth^2) below which no rate is given."""

_DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """A density on a raster, with everything its legend has to say.

    Attributes
    ----------
    values
        Shape (ny, nx), float64, row 0 south, at cell centres: events per km^2 per 30 days, or per
        1,000 households per 30 days. NaN where nothing is said: outside the area, `no_data` and
        `hidden`. Of two figures if `shared`.
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
        Events on the map; None if `suppressed`, and rounded down to fives if `shared`.
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
    asked
        The period that was asked for, where a shared map has another.
    uncounted
        For a rate: buildings whose households nobody counted; they count as none.
    inhabited_m
        How far from a building the map goes, metres; None: over all of the area.
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
    asked: sharing.Asked | None = None
    uncounted: int = 0
    inhabited_m: float | None = None

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
        to_wgs84 = transformer(self.crs, "EPSG:4326")
        west, south, east, north = to_wgs84.transform_bounds(*box, densify_pts=21)
        return west, south, east, north


def build(
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    **options: Unpack[Options],
) -> Heatmap:
    """Make the heat map of events that happened from `start` up to, not including, `end`.

    Parameters
    ----------
    lon, lat
        Events, WGS 84 degrees. NaN means "without a place": counted, not drawn. The caller selects
        those of the period and category; no events give a density of zero, which needs an `area`.
    options
        See `Options`.

    Raises
    ------
    BadInput
        Everything that is wrong with the request, at once.
    """
    return build_from([(lon, lat)], **options)


def build_from(
    batches: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]],
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
    """Make the heat map of events that come in parts, of more than fit in memory.

    Parameters
    ----------
    batches
        Longitudes and latitudes of some events each, as for `build`. One part is held at a time if
        there is an `area`, a bandwidth is given and the map is the case team's; else all are, since
        they say where the map is, and which of them a shared one leaves out.
    others
        See `Options`.

    Raises
    ------
    BadInput
        As `build`; a row is counted within its part.
    """
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
    if polygon is not None:
        shapely.prepare(polygon)
    parts = (placed(lon, lat, polygon) for lon, lat in batches)
    all_events = None
    if not case_team:
        sharing.bandwidth_m(bandwidth_m)
    if polygon is None or bandwidth_m == "auto" or not case_team:
        all_events = together(parts)
        parts = (part for part in (all_events,))
    frame = framed(polygon, all_events, bandwidth_m, cell_m, shared=not case_team)

    field = PointField(frame.bbox_m, frame.shape, frame.bandwidth_m)
    n = n_outside = n_without_place = 0
    for part in parts:
        xy = np.column_stack(frame.to_metres.transform(part.lons, part.lats))
        n += part.lons.size
        n_outside += part.n_outside
        n_without_place += part.n_without_place
        field.add(xy if case_team else _not_lone(xy, frame))

    suppressed = 0 < n < MIN_EVENTS and not case_team
    if suppressed:
        nothing = np.full(frame.shape, np.nan)
        everywhere = np.ones(frame.shape, dtype=np.bool_) if frame.mask is None else frame.mask
        surface = _Surface(nothing, nothing, np.zeros(frame.shape, dtype=np.bool_), everywhere)
    else:
        surface = _surface(field, n, frame, households, polygon, shared=not case_team)
    per_period = DAYS_PER_PERIOD * _DAY_S / (end - start).total_seconds()
    values = surface.values * per_period
    if not case_team:
        values = _to_digits(values, sharing.DIGITS)
    values.flags.writeable = False
    return Heatmap(
        values=values,
        no_data=surface.no_data,
        hidden=surface.hidden,
        bbox_m=frame.bbox_m,
        bulk_m=bulk_box(surface.events, frame.bbox_m, 2 * frame.bandwidth_m),
        crs=frame.crs,
        cell_m=frame.cell_m,
        bandwidth_m=frame.bandwidth_m,
        chosen=frame.chosen,
        mean=None if surface.mean is None else surface.mean * per_period,
        score=surface.score,
        start=start,
        end=end,
        timezone=timezone,
        n=None if suppressed else n if case_team else sharing.rounded(n),
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


def _to_digits(values: Floats, digits: int) -> Floats:
    """Values with so many figures: more would let the events be computed back from the density."""
    size = np.floor(np.log10(np.where(values > 0, values, 1.0)))
    unit = 10.0 ** (size - digits + 1)
    return np.asarray(np.round(values / unit) * unit)


def cut_to(heatmap: Heatmap, area: Area, events: tuple[npt.ArrayLike, npt.ArrayLike]) -> Heatmap:
    """Cut a part out of a shared map of more; nothing in it is computed anew.

    Parameters
    ----------
    area
        As in ``build``.
    events
        Longitudes and latitudes of the events of the whole map.
    """
    polygon = area_polygon(area)
    to_metres = transformer("EPSG:4326", heatmap.crs)
    projected = shapely.transform(
        polygon, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
    )
    cell_m = heatmap.cell_m
    inside = mask_of(projected, heatmap.bbox_m, heatmap.values.shape, cell_m)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    west, south = (
        heatmap.bbox_m[i] + float(first) * cell_m for i, first in ((0, columns[0]), (1, rows[0]))
    )
    inside = inside[part]
    values = np.where(inside, heatmap.values[part], np.nan)
    values.flags.writeable = False
    n = int(shapely.intersects_xy(polygon, *events).sum())
    return replace(
        heatmap,
        values=values,
        no_data=heatmap.no_data[part] & inside,
        hidden=heatmap.hidden[part] & inside,
        bbox_m=(west, south, west + inside.shape[1] * cell_m, south + inside.shape[0] * cell_m),
        bulk_m=None,
        # None is fewer than five, too: beside a hidden number it would tell who has some.
        n=None if n < MIN_EVENTS else sharing.rounded(n),
        area=polygon,
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
    field: PointField,
    n: int,
    frame: Frame,
    households: Households | None,
    polygon: BaseGeometry | None,
    *,
    shared: bool,
) -> _Surface:
    """Return events per km^2, or per 1,000 households, over the whole period."""
    nowhere = np.zeros(frame.shape, dtype=np.bool_)
    inside = ~nowhere if frame.mask is None else frame.mask
    # Events and households lose the same share over an edge: their ratio needs no correction.
    plain = field.density() if shared or households is not None else None
    hidden = nowhere
    if shared and n and plain is not None:
        hidden = inside & _is_of_few(plain, frame.bandwidth_m)
    if households is None or plain is None:
        events = field.density(mask=frame.mask)
        seen = np.where(hidden, np.nan, events)
        return _Surface(seen * 1e6, np.where(inside & ~hidden, events, 0), nowhere, hidden)
    return _rates(plain, n, frame, households, polygon, inside=inside, hidden=hidden, shared=shared)


def _rates(
    events: Floats,
    n: int,
    frame: Frame,
    households: Households,
    polygon: BaseGeometry | None,
    *,
    inside: Mask,
    hidden: Mask,
    shared: bool,
) -> _Surface:
    """Return events per 1,000 households over the whole period, of the events' density per m^2."""
    bbox, shape, bandwidth_m = frame.bbox_m, frame.shape, frame.bandwidth_m
    lons, lats = coordinates(households[0], households[1], "households lon", "households lat")
    counts = np.asarray(households[2], dtype=np.float64)
    known = np.isfinite(lons) & np.isfinite(lats)
    if polygon is not None:
        known &= shapely.intersects_xy(polygon, lons, lats)
    homes = np.column_stack(frame.to_metres.transform(lons[known], lats[known]))
    exposed = density(homes, bbox, shape, bandwidth_m, weights=counts[known])
    enough = inside & (exposed * 4 * math.pi * bandwidth_m**2 >= MIN_HOUSEHOLDS_UNDER_KERNEL)
    hidden = hidden & enough
    rates = np.full(shape, np.nan)
    np.divide(1000 * events, exposed, out=rates, where=enough & ~hidden)
    mean, score = None, None
    # The mean and the exact contours of a shared map would tell its exact number of events.
    if (
        n
        and not shared
        and counts[known].sum()
        and bandwidth_m >= math.sqrt(3) * _widest(bbox, shape)
    ):
        mean = 1000 * n / float(counts[known].sum())
        score = tolerance.scores(
            events, n, homes, counts[known], bbox_m=bbox, bandwidth_m=bandwidth_m
        )
        score[~np.isfinite(rates)] = np.nan
    seen = np.where(inside & ~hidden, events, 0)
    return _Surface(rates, seen, inside & ~enough, hidden, mean=mean, score=score)


def _not_lone(xy: Floats, frame: Frame) -> Floats:
    """The events on ground that is shown: the others leave no trace in what is seen of it."""
    if not len(xy):
        return xy
    bbox, shape = frame.bbox_m, frame.shape
    events = density(xy, bbox, shape, frame.bandwidth_m)
    column, row = (
        np.clip(((xy[:, i] - bbox[i]) // frame.cell_m).astype(np.int64), 0, shape[1 - i] - 1)
        for i in (0, 1)
    )
    kept: Floats = xy[~_is_of_few(events, frame.bandwidth_m)[row, column]]
    return kept


def _is_of_few(events: Floats, bandwidth_m: float) -> Mask:
    """Where fewer than five events make the density, none included.

    The sum of the kernel's weights with 1 at its middle is never more than the events that lie
    near: where it is five, at least five made it. Ground without any is not told apart, for the
    edge of what is hidden would be a circle around a single event.
    """
    few: Mask = events * 2 * math.pi * bandwidth_m**2 < MIN_EVENTS
    return few


def _widest(bbox: Bbox, shape: tuple[int, int]) -> float:
    """Return the longer side of a cell, metres."""
    return max((bbox[2] - bbox[0]) / shape[1], (bbox[3] - bbox[1]) / shape[0])
