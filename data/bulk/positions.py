"""Coordinates of a batch of rows, whatever they are written as, and what is wrong with them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from data.importers import columns, values
from data.importers.reading import from_wkb
from gis.crs import to_wgs84
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]

PLACES: Final = {"lon": "longitudes", "lat": "latitudes"}
NAMED: Final = 100
"""Rows of a kind that are named; the others are counted."""
# Arrow reads these by itself; a plus sign, separators of thousands and units it does not.
_PLAIN: Final = r"^-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_UNITS: Final = re.compile(r"\s*(?:米|度|m|°)$")
# A point in WKB: order of bytes, type, x, y.
_POINT_BYTES: Final = 21
_POINT: Final = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])


@dataclass(frozen=True, slots=True)
class Where:
    """Where the coordinates of a table are, and in which system.

    ``geometry`` is a column of WKB, else ``lon`` and ``lat`` are columns of numbers or texts.
    """

    geometry: str | None
    lon: str
    lat: str
    crs: str

    @property
    def columns(self) -> list[str]:
        """Columns that have to be read."""
        return [self.geometry] if self.geometry is not None else [self.lon, self.lat]


@dataclass
class Faults:
    """Rows without a position, numbered from 1: how many, and the first of them.

    ``missing`` have no coordinates; ``wrong`` have some that are none, with what is wrong.
    """

    missing: int = 0
    wrong: int = 0
    first_missing: list[int] = field(default_factory=list)
    first_wrong: list[tuple[int, str]] = field(default_factory=list)

    def add(self, missing: NDArray[np.int64], wrong: Sequence[tuple[int, str]]) -> None:
        """Rows of a further batch, after the ones before."""
        self.missing += len(missing)
        self.wrong += len(wrong)
        self.first_missing += missing[: NAMED - len(self.first_missing)].tolist()
        self.first_wrong += wrong[: NAMED - len(self.first_wrong)]

    def moved(self, rows: int) -> Faults:
        """The same, so many rows further down."""
        return Faults(
            self.missing,
            self.wrong,
            [row + rows for row in self.first_missing],
            [(row + rows, why) for row, why in self.first_wrong],
        )


def columns_of(
    present: Sequence[str], *, lon: str | None, lat: str | None, file: str
) -> tuple[str, str]:
    """Columns of longitude and latitude: the ones named, else those of the usual names.

    Raises
    ------
    BadInput
        One is not there.
    """
    told = {name: column for name, column in (("lon", lon), ("lat", lat)) if column is not None}
    found = columns.resolve("points", tuple(PLACES), present, told, file=file).columns
    problems = [
        Problem(
            f"there is no column of {what}",
            f"Name it with --{name}. {columns.nearest_text(name, present, 'The columns are')}",
            file,
        )
        for name, what in PLACES.items()
        if name not in found
    ]
    if problems:
        raise BadInput(problems)
    return found["lon"], found["lat"]


def coordinates(
    table: pa.Table, where: Where, *, file: str
) -> tuple[Floats, Floats, dict[int, str]]:
    """Coordinates as they are in the file, NaN where there are none.

    Returns
    -------
    x, y, and by place in the table (from 0) why what stands there is no number.

    Raises
    ------
    BadInput
        A geometry that is no point, or that cannot be read.
    """
    if where.geometry is not None:
        return (*_of_wkb(table.column(where.geometry), file), {})
    x, wrong_x = _numbers(table.column(where.lon), where.lon)
    y, wrong_y = _numbers(table.column(where.lat), where.lat)
    return x, y, wrong_y | wrong_x


def wgs84(
    x: Floats, y: Floats, unread: dict[int, str], crs: str
) -> tuple[Floats, Floats, NDArray[np.int64], list[tuple[int, str]]]:
    """Longitudes and latitudes, NaN in both where there is no position.

    Returns
    -------
    Longitudes, latitudes, places (from 0) where nothing is said, and those where something is
    said that is no position, with what is wrong.
    """
    lon, lat = to_wgs84(x, y, crs)
    off = ~(np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    if not off.any():
        return lon, lat, np.empty(0, dtype=np.int64), []
    lon[off] = lat[off] = np.nan
    given = ~(np.isnan(x) | np.isnan(y))
    wrong = dict(unread)
    for place in np.flatnonzero(off & given).tolist():
        why = f"({x[place]:g}, {y[place]:g}) is no position in {crs}"
        if abs(x[place]) <= 90 < abs(y[place]) <= 180:
            why += f"; did you mean lon={y[place]:g}, lat={x[place]:g}?"
        wrong[place] = why
    missing = np.flatnonzero(off & ~given)
    if unread:
        missing = np.setdiff1d(missing, np.array(list(unread)))
    return lon, lat, missing, sorted(wrong.items())


def _numbers(column: Any, name: str) -> tuple[Floats, dict[int, str]]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan), {}
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            return _floats(column.cast(pa.float64(), safe=False)), {}
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadInput(
                Problem(f"column '{name}' holds {column.type}, no numbers", "Name another one")
            ) from error
    trimmed = pc.utf8_trim_whitespace(column)
    is_plain = pc.match_substring_regex(trimmed, _PLAIN)
    found = _floats(pc.if_else(is_plain, trimmed, None).cast(pa.float64()))
    unread: dict[int, str] = {}
    for place in np.flatnonzero(pc.invert(is_plain).to_numpy() == True):  # noqa: E712 - null is neither
        text = values.text_of(trimmed[int(place)].as_py())
        if text is None:
            continue
        number = values.number(_UNITS.sub("", text))
        if number is None:
            unread[int(place)] = f"{name} is text: {text[:60]!r}"
        elif not math.isfinite(number):
            unread[int(place)] = f"{name} is not finite: {text}"
        else:
            found[place] = number
    return found, unread


def _floats(column: Any) -> Floats:
    """A float64 column as an array of its own, NaN where null."""
    return np.array(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array)
                    else column.to_numpy(), dtype=np.float64)  # fmt: skip


def _of_wkb(column: Any, file: str) -> tuple[Floats, Floats]:
    parts = [_points(chunk) for chunk in column.chunks]
    if any(part is None for part in parts):
        return _of_any_wkb(column, file)
    known = [part for part in parts if part is not None]
    if not known:
        return np.empty(0), np.empty(0)
    return np.concatenate([x for x, _ in known]), np.concatenate([y for _, y in known])


def _points(chunk: Any) -> tuple[Floats, Floats] | None:
    """Coordinates of plain points, without taking them apart one by one; None: there are others."""
    if not (pa.types.is_binary(chunk.type) or pa.types.is_large_binary(chunk.type)):
        return None
    wide = np.int64 if pa.types.is_large_binary(chunk.type) else np.int32
    buffers = chunk.buffers()
    count = len(chunk)
    x, y = np.full(count, np.nan), np.full(count, np.nan)
    if buffers[2] is None:
        return x, y
    starts = np.frombuffer(buffers[1], dtype=wide)[chunk.offset : chunk.offset + count + 1]
    has = np.asarray(chunk.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if (np.diff(starts)[has] != _POINT_BYTES).any():
        return None
    if has.all():
        raw = np.frombuffer(buffers[2], dtype=_POINT, count=count, offset=int(starts[0]))
    else:
        data = np.frombuffer(buffers[2], dtype=np.uint8)
        places = starts[:-1][has].astype(np.int64)[:, None] + np.arange(_POINT_BYTES)
        raw = data[places].view(_POINT).ravel()
    if not ((raw["order"] == 1) & (raw["type"] == 1)).all():
        return None
    x[has], y[has] = raw["x"], raw["y"]
    return x, y


def _of_any_wkb(column: Any, file: str) -> tuple[Floats, Floats]:
    shapes, unread = from_wkb(column.to_pylist())
    problems = [
        Problem(why, "Put each type of geometry in its own layer", file, row, "geometry")
        for row, why in unread.items()
    ]
    if problems:
        raise BadInput(problems)
    return of_points(shapes, file)


def of_points(shapes: NDArray[np.object_], file: str) -> tuple[Floats, Floats]:
    """Coordinates of points, NaN for None and for empty ones.

    Raises
    ------
    BadInput
        There are other geometries.
    """
    types = {shape.geom_type for shape in shapes if shape is not None}
    if other := types - {"Point"}:
        reason = f"points are wanted, there are {', '.join(sorted(other))}"
        raise BadInput(Problem(reason, source=file))
    placed = shapes.copy()
    placed[shapely.is_empty(shapes)] = None
    return shapely.get_x(placed), shapely.get_y(placed)
