"""Where the events of ``wangge heatmap`` come from: a file of points, or the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd

from api.commands.layers import is_long, point_batches, read_layer, read_points, read_times
from api.commands.shared import open_database
from gis.errors import BadInput, Problem
from grids.incidents.repository import Filter, categories_of
from maps import sharing
from maps.heatmap import Heatmap, build_from
from maps.looks import enter_places
from maps.service import closed, current_grids, incident_heatmap

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

    from maps.heatmap_checks import Households

Bandwidth: TypeAlias = float | Literal["auto"]
Make: TypeAlias = Callable[
    [datetime | None, datetime | None, str | None, Bandwidth, float | None], Heatmap
]
Period: TypeAlias = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Events:
    """Events to be mapped.

    Attributes
    ----------
    make
        The map of a part: start and end (None: all of the period), category (None: all those
        asked for), bandwidth and cell.
    categories
        Code, Chinese and English name of those there are, the most frequent first.
    grids
        Outlines to be drawn when none are given.
    """

    make: Make
    categories: Callable[[], list[tuple[str, str, str]]]
    grids: Callable[[], gpd.GeoDataFrame | None]


def inhabited(area: BaseGeometry | None, mask: Path | None) -> BaseGeometry | None:
    """The part of an area that is inhabited, WGS 84: what a file of polygons says is.

    Raises
    ------
    BadInput
        Nothing of it lies in the area.
    """
    if mask is None:
        return area
    lived_in: BaseGeometry = read_layer(mask).to_crs(4326).geometry.union_all()
    common = lived_in if area is None else lived_in.intersection(area)
    if common.is_empty:
        raise BadInput(
            Problem(
                "nothing of the mask lies in the area",
                "Give the polygons of the inhabited part, with their coordinate system",
                source=mask.name,
                field="--mask",
            )
        )
    # Where two outlines touch, an intersection can hold lines as well.
    return common if common.geom_type.endswith("Polygon") else common.buffer(0)


@contextmanager
def of_database(
    data_dir: Path | None,
    *,
    mask: Path | None,
    is_inhabited: bool,
    unit: str | None,
    timezone: str,
    period: Period,
    per: str,
    categories: Sequence[str],
    case_team: bool,
    title: str,
) -> Iterator[Events]:
    """The incidents of the database."""
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        wanted = Filter(start=period[0], end=period[1], categories=tuple(categories))
        if case_team:
            enter_places(session, wanted)

        def make(
            start: datetime | None,
            end: datetime | None,
            category: str | None,
            bandwidth_m: Bandwidth,
            cell_m: float | None,
        ) -> Heatmap:
            chosen = tuple(categories) if category is None else (category,)
            return incident_heatmap(
                session,
                Filter(start=start or period[0], end=end or period[1], categories=chosen),
                bandwidth_m=bandwidth_m,
                cell_m=cell_m,
                unit=unit,
                within=None if mask is None else lambda area: inhabited(area, mask),
                is_inhabited=is_inhabited,
                per="households" if per == "households" else "km2",
                timezone=timezone,
                case_team=case_team,
                title=title,
            )

        def known() -> list[tuple[str, str, str]]:
            return [
                (each.code, each.name_zh, each.name_en) for each in categories_of(session, wanted)
            ]

        yield Events(make, known, lambda: current_grids(session))


@contextmanager
def of_file(
    points: Path,
    *,
    area: Path | None,
    mask: Path | None,
    buildings: Path | None,
    households: str,
    columns: tuple[str | None, str | None, str | None, str | None],
    crs: str,
    timezone: str,
    period: Period,
    per: str,
    categories: Sequence[str],
    case_team: bool,
    title: str,
    place: str,
    at_once: bool,
) -> Iterator[Events]:
    """The rows of a file; a long Parquet file is read in parts if there is an area.

    Parameters
    ----------
    columns
        Of longitude, latitude, time and category; None: found by their usual names, no categories.
    at_once
        Whether several maps are made: then the rows are kept.
    """
    if categories and columns[3] is None:
        raise BadInput(
            Problem(
                "--category asks for some categories, and no column of the points is named for it",
                "Name it with --category-column",
                field="--category",
            )
        )
    polygon: BaseGeometry | None = None
    if area is not None:
        polygon = read_layer(area).to_crs(4326).geometry.union_all()
    polygon = inhabited(polygon, mask)
    homes = _homes(buildings, households) if per == "households" else None

    def read() -> Iterator[_Rows]:
        if is_long(points) and polygon is not None and not at_once:
            parts = point_batches(points, lon=columns[0], lat=columns[1], crs=crs)
        else:
            parts = iter([read_points(points, lon=columns[0], lat=columns[1], crs=crs)])
        for frame, lon, lat in parts:
            moments = read_times(frame, points, columns[2], timezone)
            yield _Rows(lon, lat, moments, _named(frame, columns[3], points), moments.notna())

    # Kept but for a long file, which is read twice: the period first, then the places.
    kept = None if is_long(points) and polygon is not None and not at_once else list(read())
    first, last = _span(kept if kept is not None else read(), points)
    if case_team:
        start, end, asked = *closed(*period, first, last), None
    else:
        sharing.no_category(categories)
        quarter = sharing.quarter(*period, timezone=timezone, now=datetime.now(UTC))
        start, end, asked = quarter.start, quarter.end, sharing.changed(*period, quarter)
    _check_categories(kept, categories, points)

    def make(
        since: datetime | None,
        until: datetime | None,
        category: str | None,
        bandwidth_m: Bandwidth,
        cell_m: float | None,
    ) -> Heatmap:
        chosen = set(categories) if category is None else {category}
        a, b = since or start, until or end
        wanted = (
            (rows.lon[inside], rows.lat[inside])
            for rows in (kept if kept is not None else read())
            for inside in [rows.wanted(a, b, chosen)]
        )
        made = build_from(
            wanted,
            start=a,
            end=b,
            area=polygon,
            bandwidth_m=bandwidth_m,
            cell_m=cell_m,
            per="households" if homes is not None else "km2",
            households=homes,
            timezone=timezone,
            case_team=case_team,
            source=points.name,
            title=title,
            place=place,
            category="、".join(sorted(chosen)),
            category_en=", ".join(sorted(chosen)),
        )
        return replace(made, asked=asked)

    def known() -> list[tuple[str, str, str]]:
        if columns[3] is None:
            raise BadInput(
                Problem(
                    "maps by category need a column of categories",
                    "Name it with --category-column",
                    source=points.name,
                    field="--by",
                )
            )
        names = pd.concat([rows.categories for rows in kept or []]).dropna()
        if categories:
            names = names[names.isin(list(categories))]
        return [(str(name),) * 3 for name in names.value_counts().index]

    yield Events(make, known, lambda: None)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of a file: places in degrees, moments, categories, and which have a time."""

    lon: np.ndarray
    lat: np.ndarray
    moments: pd.Series
    categories: pd.Series
    known: pd.Series

    def wanted(self, start: datetime, end: datetime, categories: set[str]) -> np.ndarray:
        """Which of them fall in a period and are of some categories, or of any."""
        inside = self.known & (self.moments >= start) & (self.moments < end)
        if categories:
            inside &= self.categories.isin(categories)
        return inside.to_numpy()


def _named(frame: pd.DataFrame, column: str | None, path: Path) -> pd.Series:
    if column is None:
        return pd.Series(None, index=frame.index, dtype=object)
    if column not in frame.columns:
        raise BadInput(
            Problem(
                f"there is no column '{column}'",
                f"There are: {', '.join(map(str, frame.columns))}",
                source=path.name,
                field="--category-column",
            )
        )
    named = frame[column]
    return named.where(named.isna(), named.astype(str)).astype(object)


def _check_categories(kept: list[_Rows] | None, categories: Sequence[str], path: Path) -> None:
    """Raise BadInput for a category that no row has; a long file is not read for that."""
    if kept is None:
        return
    there = {name for rows in kept for name in rows.categories.dropna().unique()}
    if missing := [name for name in categories if name not in there]:
        raise BadInput(
            Problem(
                f"no row is of category '{missing[0]}'",
                f"There are: {', '.join(sorted(there)[:20])}",
                source=path.name,
                field="--category",
            )
        )


def _span(parts: Iterator[_Rows] | list[_Rows], path: Path) -> tuple[datetime, datetime]:
    spans = [(rows.moments.min(), rows.moments.max()) for rows in parts if bool(rows.known.any())]
    if not spans:
        raise BadInput(
            Problem("no row has a time that can be read", "Name its column with --time",
                    source=path.name)
        )  # fmt: skip
    return min(span[0] for span in spans), max(span[1] for span in spans)


def _homes(buildings: Path | None, column: str) -> Households:
    """Places and households of a layer of buildings.

    Raises
    ------
    BadInput
        There is no such layer, it has no such column, or a count that is no number; the row is
        named.
    """
    if buildings is None:
        raise BadInput(
            Problem("households are not known", "Give them with --buildings", field="--per")
        )
    layer = read_layer(buildings).to_crs(4326)
    if column not in layer.columns:
        there = ", ".join(str(name) for name in layer.columns if name != layer.geometry.name)
        raise BadInput(
            Problem(
                f"there is no column '{column}' with the households of each building",
                f"Name it with --households; there are: {there or 'none'}",
                source=buildings.name,
                field="--households",
            )
        )
    counts = pd.to_numeric(layer[column], errors="coerce")
    wrong = np.flatnonzero((counts.isna() & layer[column].notna()).to_numpy())
    if wrong.size:
        raise BadInput(
            Problem(
                f"'{layer[column].iloc[wrong[0]]}' is no number of households"
                + (f", nor are {wrong.size - 1} more" if wrong.size > 1 else ""),
                "Correct it, or leave the row out",
                source=buildings.name,
                row=int(wrong[0]) + 1,
                field=column,
            )
        )
    # Unknown is not none: such a building says nothing about where households are.
    known = counts.notna().to_numpy() & ~layer.geometry.is_empty.to_numpy()
    middle = layer.geometry[known].representative_point()
    return middle.x.to_numpy(), middle.y.to_numpy(), counts[known].to_numpy(float)
