"""Gaussian density of points on a raster, in metres: binning, smoothing and edge correction.

Points are spread over the cells around them by a B-spline, then the raster is smoothed by a
Gaussian. Spreading widens every point, by a variance of cell^2 / 6 per axis for the linear spline
(4 cells) and cell^2 / 3 for the cubic one (16 cells); the Gaussian is narrowed by as much, so that
both together have the bandwidth asked for.

What is left is an error that depends on where a point lies in its cell. It is largest for a single
point: about ``0.074 (cell/bandwidth)^2`` of the peak with the linear spline and
``0.009 (cell/bandwidth)^4`` with the cubic one. Over many scattered points it averages out, but
disputes repeat at one address. So up to `CUBIC_UP_TO` points the cubic spline is used, and the
linear one above, where spreading is most of the work and takes half the time. With 6 cells to the
bandwidth and a million points the linear one is off by 1e-5 of the highest value (median) where
they gather around towns and by 4e-5 where they are spread evenly.

Above `LINEAR_UP_TO` points even four cells are too many: points are then only counted, one word
per point, together with the sums of their places in the cell to a 16th of its side, and each cell's
points are put at their mean place as a dipole. That narrows by cell^2 / 12, so the Gaussian is
widened; errors are about those of the linear spline.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from gis.errors import BadInput, Problem
from gis.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Bbox: TypeAlias = tuple[float, float, float, float]
_Result = TypeVar("_Result")

MAX_CELLS = 4096 * 4096
"""Largest raster computed in one piece: 134 MB of float64, about 0.5 GB at work."""

CUBIC_UP_TO = 500_000
"""Points up to which the exacter spline is used."""

LINEAR_UP_TO = 3_000_000
"""Points up to which the linear spline is used."""

Order: TypeAlias = Literal[4, 2, -1]
"""Cubic spline, linear spline or counting with dipoles: 12 times the variance that it adds."""

_MIN_COUNTED = 2.0  # Cells to the bandwidth: in a narrower kernel a dipole would leave dents.
TAIL = 5.0
"""Bandwidths after which a kernel is cut off: 4e-6 of its peak is left there."""

_FFT_FROM_RADIUS = 80  # Cells; above, two transforms are quicker than 4 * radius multiplications.
_THREADS_FROM_POINTS = 500_000
_MAX_THREADS = 4


def density(
    xy_m: npt.ArrayLike,
    bbox_m: Bbox,
    shape: tuple[int, int],
    bandwidth_m: float,
    *,
    mask: Mask | None = None,
    weights: npt.ArrayLike | None = None,
) -> Floats:
    """Events per square metre at the centre of each cell of a raster.

    Parameters
    ----------
    xy_m
        Points, shape (n, 2), easting and northing in metres. Points outside the box are no error:
        they count as far as their kernel reaches in. No points give a raster of zeros.
    bbox_m
        West, south, east, north in metres: the outer edges of the raster.
    shape
        Rows and columns, (ny, nx). Cells need not be square.
    bandwidth_m
        Standard deviation of the Gaussian kernel in metres; at least the side of a cell.
    mask
        True where events can happen at all, shape (ny, nx), row 0 south. The density is divided by
        the share of each kernel that lies in the mask (the kernel integrated over the mask's
        cells; outside the box counts as outside the mask), so that it does not sink towards an
        edge beyond which nobody lives. Cells outside the mask are NaN. Pass only points that lie
        inside, or the correction counts them twice.
    weights
        One finite, non-negative number per point; 1 each when left out.

    Returns
    -------
    array (ny, nx) of float64, row 0 in the south, column 0 in the west.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once.
    """
    field = PointField(bbox_m, shape, bandwidth_m)
    field.add(xy_m, weights=weights)
    return field.density(mask=mask)


class PointField:
    """Points spread on a raster, ready to be smoothed: for more points than fit in memory.

    Points can be added in any number of parts, and taken out again with negative `sign`.

    Parameters
    ----------
    bbox_m, shape, bandwidth_m
        As for `density`.
    order
        How points are spread, whatever their number; chosen for each part when left out.
    """

    def __init__(
        self,
        bbox_m: Bbox,
        shape: tuple[int, int],
        bandwidth_m: float,
        *,
        order: Order | None = None,
    ) -> None:
        _check_raster(bbox_m, shape, bandwidth_m)
        west, south, east, north = bbox_m
        self.shape = (int(shape[0]), int(shape[1]))
        self.bandwidth_m = float(bandwidth_m)
        self.dy_m, self.dx_m = (north - south) / self.shape[0], (east - west) / self.shape[1]
        # The raster is padded by the reach of the kernel, so that points outside count as far as
        # they reach in, and two cells more, where the spline of a point would not fit.
        self._pad = tuple(
            math.ceil(TAIL * bandwidth_m / cell) + 2 for cell in (self.dy_m, self.dx_m)
        )
        self._first_centre = (
            west + (0.5 - self._pad[1]) * self.dx_m,
            south + (0.5 - self._pad[0]) * self.dy_m,
        )
        self._order = order
        # One raster per spline order, made when first needed.
        self._rasters: dict[Order, Floats] = {}

    def add(
        self, xy_m: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, sign: int = 1
    ) -> None:
        """Add points, or take them out again with ``sign=-1``; arguments as for `density`."""
        points, given = _check_points(xy_m, weights)
        if sign not in {1, -1}:
            raise BadInput(f"sign is {sign}", "Give 1 to add or -1 to take out.")
        if sign < 0:
            given = -(given if given.size else np.ones(len(points)))
        if not len(points):
            return
        order = self._order or self.order_for(len(points))
        if order == -1 and given.size:
            order = 2  # Only points of weight 1 are counted.
        spread, broken = self._spread(points, given, order)
        if broken:
            raise BadInput(_broken_points(points, broken))
        if order in self._rasters:
            self._rasters[order] += spread
        else:
            self._rasters[order] = spread

    def order_for(self, n: int) -> Order:
        """How a part of `n` points is spread when nothing else was said."""
        if n <= CUBIC_UP_TO:
            return 4
        narrow = self.bandwidth_m < _MIN_COUNTED * max(self.dx_m, self.dy_m)
        return 2 if n <= LINEAR_UP_TO or narrow else -1

    def density(self, *, mask: Mask | None = None) -> Floats:
        """Events per square metre of all points added so far; see `density`."""
        if mask is not None:
            mask = _check_mask(mask, self.shape)
        result: Floats | None = None
        area_m2 = self.dx_m * self.dy_m
        for order, raster in self._rasters.items():
            taps = tuple(
                _gaussian_taps(self.bandwidth_m / cell, radius, order)
                for cell, radius in zip((self.dy_m, self.dx_m), self._pad, strict=True)
            )
            smoothed = _convolve(raster, taps[0] / area_m2, taps[1], is_exact=order == 4)
            result = smoothed if result is None else result + smoothed
        if result is None:
            result = np.zeros(self.shape)
        # The Fourier transform leaves rounding errors of either sign where there is nothing.
        np.maximum(result, 0.0, out=result)
        if mask is not None:
            mass = kernel_mass(mask, (self.bandwidth_m / self.dy_m, self.bandwidth_m / self.dx_m))
            result = np.divide(result, mass, out=np.full(self.shape, np.nan), where=mask)
        return result

    def _spread(self, points: Floats, weights: Floats, order: Order) -> tuple[Floats, int]:
        """Return the padded raster of these points and the number of broken coordinates."""
        from maps import smoothing_kernels  # noqa: PLC0415  (loads the compiler)

        padded = tuple(n + 2 * pad for n, pad in zip(self.shape, self._pad, strict=True))
        loop = smoothing_kernels.spread_cubic if order == 4 else smoothing_kernels.spread_linear

        def part(start: int, stop: int) -> tuple[Floats, int]:
            raster = np.zeros(padded)
            place = (*self._first_centre, self.dx_m, self.dy_m)
            if order == -1:
                cells = np.zeros(raster.size, dtype=np.uint32)
                broken = smoothing_kernels.count_moments(points[start:stop], *place, cells, raster)
                smoothing_kernels.empty_moments(cells, raster)
            else:
                given = weights[start:stop] if weights.size else weights
                broken = loop(points[start:stop], given, *place, raster)
            return raster, int(broken)

        # A thread needs a raster of its own, so it has to have enough points to be worth it.
        many = max(_THREADS_FROM_POINTS, padded[0] * padded[1] // 2)
        parts = _in_threads(part, len(points), max(1, len(points) // many))
        total = parts[0][0]
        for raster, _ in parts[1:]:
            total += raster
        return total, sum(broken for _, broken in parts)


def kernel_mass(mask: Mask, bandwidth_cells: tuple[float, float]) -> Floats:
    """Share of the kernel at each cell centre that lies over the mask, 0 to 1.

    The Gaussian is integrated over each cell (differences of the error function), so that this is
    the exact integral over the mask's squares, but for the tail beyond 5 bandwidths. Beyond the
    raster counts as outside the mask.

    Parameters
    ----------
    mask
        Shape (ny, nx).
    bandwidth_cells
        Bandwidth in cells along y and along x.
    """
    radius = tuple(math.ceil(TAIL * bandwidth) for bandwidth in bandwidth_cells)
    padded = np.pad(mask.astype(np.float64), [(radius[0], radius[0]), (radius[1], radius[1])])
    taps = [
        _integrated_taps(bandwidth, r) for bandwidth, r in zip(bandwidth_cells, radius, strict=True)
    ]
    return _convolve(padded, taps[0], taps[1])


def smoothed(raster: Floats, bandwidth_cells: float) -> Floats:
    """Sum of the raster's values, each spread by a Gaussian of a width in cells that sums to 1.

    Beyond the raster is zero. For values that lie at cell centres; points go through `density`.
    """
    radius = math.ceil(TAIL * bandwidth_cells)
    taps = _gaussian_taps(bandwidth_cells, radius, 0)
    return np.maximum(_convolve(np.pad(raster, radius), taps, taps), 0.0)


def _gaussian_taps(bandwidth: float, radius: int, order: int) -> Floats:
    """Half a Gaussian kernel in cells, narrowed by what the spline of this order widens."""
    variance = bandwidth**2 - order / 12
    half = np.exp(np.arange(radius + 1) ** 2 / (-2 * variance))
    taps: Floats = half / (half[0] + 2 * half[1:].sum())
    return taps


def _integrated_taps(bandwidth: float, radius: int) -> Floats:
    """Half a Gaussian kernel integrated over each cell."""
    edges = (np.arange(radius + 2) - 0.5) / (bandwidth * math.sqrt(2))
    below = np.array([math.erf(edge) for edge in edges])
    half: Floats = np.diff(below) / 2
    return half


def _convolve(padded: Floats, taps_y: Floats, taps_x: Floats, *, is_exact: bool = True) -> Floats:
    """Smooth a raster that is padded by one kernel radius, by whichever way is faster.

    What is not exact anyway is smoothed in single precision, in half the time. The kernel has no
    negative taps, so that small values beside large ones keep their figures.
    """
    radius_y, radius_x = len(taps_y) - 1, len(taps_x) - 1
    shape = (padded.shape[0] - 2 * radius_y, padded.shape[1] - 2 * radius_x)
    if radius_y + radius_x >= 2 * _FFT_FROM_RADIUS:
        return _convolve_by_fourier(padded, taps_y, taps_x, shape)
    from maps import smoothing_kernels  # noqa: PLC0415  (loads the compiler)

    out = np.empty(shape)
    raster, down, along = padded, taps_y, taps_x
    if not is_exact:
        raster, down, along = (_single(each) for each in (padded, taps_y, taps_x))

    def part(start: int, stop: int) -> None:
        smoothing_kernels.smooth_rows(raster, down, along, start, stop, out)

    _in_threads(part, shape[0], max(1, out.size // 100_000))
    return out


def _single(values: Floats) -> Any:
    """Numbers in single precision, which the loops are compiled for as well."""
    return values.astype(np.float32)


def _convolve_by_fourier(
    padded: Floats, taps_y: Floats, taps_x: Floats, shape: tuple[int, int]
) -> Floats:
    from scipy import fft  # noqa: PLC0415  (0.2 s that most imports do not need)

    size = [fft.next_fast_len(n, real=True) for n in padded.shape]
    workers = _threads()
    spectrum = fft.rfft2(padded, size, workers=workers)
    for axis, taps in enumerate((taps_y, taps_x)):
        kernel = np.zeros(size[axis])
        kernel[: len(taps)] = taps
        kernel[-len(taps) + 1 :] = taps[:0:-1]
        # A symmetric kernel has a real spectrum.
        transform = (fft.fft(kernel) if axis == 0 else fft.rfft(kernel)).real
        spectrum *= transform[:, None] if axis == 0 else transform
    full = fft.irfft2(spectrum, size, workers=workers, overwrite_x=True)
    top, left = len(taps_y) - 1, len(taps_x) - 1
    return np.ascontiguousarray(full[top : top + shape[0], left : left + shape[1]])


def _threads() -> int:
    return min(_MAX_THREADS, len(os.sched_getaffinity(0)))


def _in_threads(work: Callable[[int, int], _Result], length: int, most_parts: int) -> list[_Result]:
    """Run ``work(start, stop)`` over ``range(length)`` in as many parts as there are cores."""
    parts = max(1, min(_threads(), most_parts, length))
    if parts == 1:
        return [work(0, length)]
    bounds = [length * i // parts for i in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        return list(pool.map(work, bounds[:-1], bounds[1:]))


def _check_raster(bbox_m: Bbox, shape: tuple[int, int], bandwidth_m: float) -> None:
    """Raise BadInput with everything wrong about a raster and its bandwidth."""
    problems: list[Problem] = []
    west, south, east, north = bbox_m
    if not (all(map(math.isfinite, bbox_m)) and west < east and south < north):
        problems.append(
            Problem(
                f"the box {tuple(bbox_m)} is empty or not finite",
                "Give west, south, east, north in metres.",
                field="bbox_m",
            )
        )
    ny, nx = shape
    if ny < 1 or nx < 1:
        problems.append(Problem(f"a raster of {ny} x {nx} cells", "Give (ny, nx).", field="shape"))
    elif ny * nx > MAX_CELLS:
        problems.append(Problem(too_many_cells(ny, nx), "Use larger cells.", field="shape"))
    if not (math.isfinite(bandwidth_m) and bandwidth_m > 0):
        problems.append(
            Problem(
                f"the bandwidth is {bandwidth_m} m",
                "Give a positive number of metres; 150, 300 and 600 are usual.",
                field="bandwidth_m",
            )
        )
    if not problems:
        cell = max((north - south) / ny, (east - west) / nx)
        # A hair of tolerance: a box in metres divided by its cells is rarely a round number.
        if bandwidth_m < cell * (1 - 1e-9):
            problems.append(
                Problem(
                    f"a bandwidth of {bandwidth_m:g} m is smaller than the cell of {cell:g} m",
                    f"Use cells of at most {bandwidth_m:g} m or a bandwidth of at least "
                    f"{cell:g} m.",
                    field="bandwidth_m",
                )
            )
        reach = [n + 2 * TAIL * bandwidth_m / cell for n in shape]
        if reach[0] * reach[1] > 4 * MAX_CELLS:
            problems.append(
                Problem(
                    f"a bandwidth of {bandwidth_m:g} m is {bandwidth_m / cell:,.0f} cells wide",
                    f"Use cells of about {bandwidth_m / 6:.0f} m.",
                    field="bandwidth_m",
                )
            )
    if problems:
        raise BadInput(problems)


def too_many_cells(ny: int, nx: int) -> str:
    """Say that a raster is too large and which would be the largest."""
    side = math.isqrt(MAX_CELLS)
    return f"{nx:,} x {ny:,} cells are too many; the largest possible is {side:,} x {side:,}"


def _check_points(xy_m: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Return the points and their weights (empty: 1 each), or raise BadInput."""
    problems: list[Problem] = []
    points = np.ascontiguousarray(xy_m, dtype=np.float64)
    if points.size == 0:
        points = points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        problems.append(
            Problem(f"points of shape {points.shape}", "Give an array (n, 2).", field="xy_m")
        )
    given = np.zeros(0)
    if weights is not None:
        given = np.ascontiguousarray(weights, dtype=np.float64)
        if given.shape != points.shape[:1]:
            problems.append(
                Problem(
                    f"{given.size} weights for {len(points)} points",
                    "Give one weight per point.",
                    field="weights",
                )
            )
        bad = ~(np.isfinite(given) & (given >= 0))
        if bad.any():
            row = int(np.flatnonzero(bad.ravel())[0])
            problems.append(
                Problem(
                    f"{int(bad.sum())} weights are negative or not finite, the first is "
                    f"{given.ravel()[row]}",
                    "Weights are counts: finite and not negative.",
                    row=row + 1,
                    field="weights",
                )
            )
    if problems:
        raise BadInput(problems)
    return points, given


def _broken_points(points: Floats, broken: int) -> Problem:
    row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
    return Problem(
        f"{counted(broken, 'point has', 'points have')} a coordinate that is not finite",
        "Leave out points without a place and count them apart.",
        row=row + 1,
        field="xy_m",
    )


def _check_mask(mask: Mask, shape: tuple[int, int]) -> Mask:
    checked = np.asarray(mask)
    if checked.shape != shape or checked.dtype != np.bool_:
        raise BadInput(
            Problem(
                f"the mask is {checked.dtype} of shape {checked.shape}",
                f"Give a boolean array of shape {shape}.",
                field="mask",
            )
        )
    return checked
