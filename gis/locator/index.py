"""The compiled index of a layer of polygons: which answers for a point, and how sure that is."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import shapely
from pyproj import Geod

from gis.errors import BadInput
from gis.locator import file
from gis.locator.answers import Border, Nearest, Shares
from gis.locator.shapes import ids_from, kept_ids, polygons_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from gis.locator.borders import Borders

# Points handed over at once by who reads them from a file: enough to be fast, few to hold.
CHUNK: Final = 65_536
MOST_CELLS_PER_EDGE: Final = 16.0
WORST_ACCURACY_M: Final = 100_000.0
LEAST_SHARE: Final = 1e-6
# A degree of latitude is nowhere shorter (WGS 84, at the equator), nor one of longitude shorter
# than this times the cosine of the latitude.
DEGREE_M: Final = 110_574.0
STEP_M: Final = 1e-3
PLANE_M: Final = 10_000.0
"""So far the local plane is as good as the earth."""
GEOD: Final = Geod(ellps="WGS84")


class Locator:
    """Answers which of a set of polygons covers a point.

    A point on a border is covered by every polygon that shares it; the one with the smallest id
    answers. Ids are compared as text when any of them is text, else as numbers. The answer is that
    of the polygons' very coordinates, whatever doubles these and the point are.

    Making one loads the compiler (about a second; several the first time on a machine).
    """

    def __init__(self, content: file.Content) -> None:
        self.__setstate__(content)

    def __getstate__(self) -> file.Content:
        """What another process needs."""
        return self._content

    def __setstate__(self, content: file.Content) -> None:
        from gis.locator import lookup  # noqa: PLC0415 - loads the compiler

        for array in content.arrays.values():
            array.flags.writeable = False  # the kernels are compiled for such
        self._content = content
        self._body = content.arrays["body"]
        self._one, self._many = lookup.locate_one, lookup.locate_many

    @classmethod
    def build(
        cls,
        geometries: ArrayLike,
        ids: Sequence[object] | ArrayLike,
        *,
        geographic: bool = True,
        metadata: Mapping[str, Any] | None = None,
        cells_per_edge: float = 2.0,
    ) -> Self:
        """Make a locator.

        Parameters
        ----------
        geometries
            Valid polygons or multipolygons; the points must be in their CRS. They may
            overlap and leave gaps.
        ids
            One per geometry, unique: text or numbers.
        geographic
            Coordinates are longitude and latitude in degrees; else metres in a plane.
        metadata
            What is to be kept with it, as JSON has it: edition, name of the layer, ...
        cells_per_edge
            Above 0, up to 16. Fewer make the index smaller and answers slower: with 0.25 two thirds
            of the size, and half the rate where it is larger than the processor's cache.

        Raises
        ------
        BadInput
            With every invalid, empty or wrong-typed geometry, every one beyond the earth, and
            every repeated id; or ``cells_per_edge`` is out of range.
        """
        from gis.locator import build  # noqa: PLC0415 - loads the compiler

        if not 0 < cells_per_edge <= MOST_CELLS_PER_EDGE:
            raise BadInput(
                f"cells_per_edge is {cells_per_edge}", f"Above 0, up to {MOST_CELLS_PER_EDGE}"
            )
        shapes = np.asarray(geometries, dtype=object)
        names = np.asarray(ids)
        if names.dtype.kind not in "iufU":
            names = names.astype(str) if len(names) else names.astype(np.int64)
        build.check(shapes, names, geographic=geographic)
        order = np.argsort(names, kind="stable")
        body, further, overlaps = build.body_of(
            build.rings_of(shapes[order]), order, cells_per_edge
        )
        facts = np.array([geographic, overlaps], dtype=np.int64)
        arrays = {"body": body, "facts": facts, **further, **kept_ids(names.copy())}
        return cls(file.Content(arrays, dict(metadata or {}), ""))

    def __len__(self) -> int:
        """Number of polygons."""
        return len(self._content.arrays["polygon_rings"]) - 1

    @cached_property
    def ids(self) -> NDArray[Any]:
        """Ids in the order given to the build."""
        return ids_from(self._content.arrays)

    @cached_property
    def geometries(self) -> NDArray[np.object_]:
        """The polygons in the order given to the build; see ``shapes.polygons_from``."""
        xy = self._borders.xy.reshape(-1, 2)
        return polygons_from(self._content.arrays, xy, self._positions)

    @property
    def metadata(self) -> dict[str, Any]:
        """What was given to be kept with it."""
        return dict(self._content.metadata)

    @property
    def geographic(self) -> bool:
        """Whether coordinates are longitude and latitude in degrees."""
        return bool(self._content.arrays["facts"][0])

    @property
    def nbytes(self) -> int:
        """Size in bytes, in memory and but for the header in the file."""
        return sum(array.nbytes for array in self._content.arrays.values())

    @cached_property
    def version(self) -> str:
        """SHA-256 of all it was built of and holds but the metadata, in hexadecimal."""
        return self._content.version or file.version_of(self._content.arrays)

    def locate(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.int64]:
        """Position, in the order given to ``build``, of the polygon that answers for each point.

        Parameters
        ----------
        lon, lat
            Arrays of one length (or scalars) in the CRS of the geometries.

        Returns
        -------
        int64 array of that length; -1 where no polygon covers the point, and for NaN.

        Raises
        ------
        BadInput
            The two are not of one length.
        """
        x = np.ascontiguousarray(np.atleast_1d(lon), dtype=np.float64).view()
        y = np.ascontiguousarray(np.atleast_1d(lat), dtype=np.float64).view()
        if x.shape != y.shape:
            raise BadInput(f"{x.size} longitudes but {y.size} latitudes", "Give one for each")
        x.flags.writeable = y.flags.writeable = False
        found = np.empty(x.shape, dtype=np.int64)
        self._many(self._body, x.ravel(), y.ravel(), found.ravel())
        return found

    def locate_one(self, lon: float, lat: float) -> int:
        """Position of the polygon that answers for a point, -1 for none and for NaN."""
        return self._one(self._body, float(lon), float(lat))

    def nearest(self, lon: float, lat: float) -> Nearest | None:
        """The polygon nearest to a point and how far it is: 0 m for the one that answers there.

        Returns
        -------
        None when there are no polygons. Which border is nearest is found in the plane of
        ``plane.py``; the distance to it is geodesic.

        Raises
        ------
        BadInput
            The point is none: NaN, infinite, or beyond the earth.
        """
        from gis.locator import borders  # noqa: PLC0415 - loads the compiler

        self._check_point(lon, lat)
        position = self.locate_one(lon, lat)
        if position >= 0:
            return Nearest(position, 0.0, float(lon), float(lat))
        arc, _, x, y = borders.nearest_of(
            self._borders, self._outer, float(lon), float(lat), self.geographic
        )
        if arc < 0:
            return None
        first = self._borders.owner_starts[arc]
        rank = int(self._borders.owners[first]) >> 1
        return Nearest(int(self._positions[rank]), self._distance_m(lon, lat, x, y), x, y)

    def border_distance(self, lon: float, lat: float) -> Border | None:
        """How far the nearest border of the polygon that answers is, and who is beyond it.

        Returns
        -------
        None when no polygon covers the point. On a shared border the distance is 0.

        Raises
        ------
        BadInput
            The point is none: NaN, infinite, or beyond the earth.
        """
        from gis.locator import borders  # noqa: PLC0415 - loads the compiler

        self._check_point(lon, lat)
        position = self.locate_one(lon, lat)
        if position < 0:
            return None
        rank = int(self._ranks[position])
        arc, edge, x, y = borders.nearest_of(
            self._borders,
            borders.arcs_of_polygon(self._borders, rank),
            float(lon),
            float(lat),
            self.geographic,
        )
        neighbour = self._beyond(rank, arc, edge, x, y)
        return Border(position, self._distance_m(lon, lat, x, y), neighbour, x, y)

    def border_distance_m(self, lon: float, lat: float, position: int) -> float:
        """How far the nearest border of a polygon is from a point within it, in metres.

        What ``border_distance`` says without who is beyond; the point is not checked. Up to 10 km
        the distance is that of the local plane, exact to a two-millionth.
        """
        rank = int(self._ranks[position])
        away, x, y = self._border_of(self._borders, rank, lon, lat, self.geographic)
        return away if away < PLANE_M else self._distance_m(lon, lat, x, y)

    def border_distances_m(
        self, lon: NDArray[np.float64], lat: NDArray[np.float64], positions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """``border_distance_m`` of many points, each within its polygon; arrays of one length."""
        from gis.locator import borders  # noqa: PLC0415 - loads the compiler

        away, x, y = borders.borders_of(
            self._borders, self._ranks[positions], lon, lat, self.geographic
        )
        if self.geographic and (far := away >= PLANE_M).any():
            away[far] = GEOD.inv(lon[far], lat[far], x[far], y[far])[2]
        return away

    def own_shares(
        self,
        lon: NDArray[np.float64],
        lat: NDArray[np.float64],
        accuracy_m: NDArray[np.float64],
        positions: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Of many points the share, as in ``share``, of one polygon each; arrays of one length."""
        from gis.locator import doubt  # noqa: PLC0415 - loads the compiler

        if self._content.arrays["facts"][1]:  # polygons over one another: not its own borders alone
            found = [self.share(*each) for each in zip(lon, lat, accuracy_m, strict=True)]
            return np.array([
                each.shares[each.positions == position].sum()
                for each, position in zip(found, positions, strict=True)
            ])  # fmt: skip
        sigma_m = accuracy_m * doubt.SIGMA_PER_RADIUS
        return doubt.own_shares(
            self._borders, self._ranks[positions], lon, lat, sigma_m, self.geographic
        )

    def nearest_among(
        self, lon: NDArray[np.float64], lat: NDArray[np.float64], seen: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of many points outside of some polygons: which of those is nearest, and how far it is.

        Parameters
        ----------
        seen
            Whether each polygon is looked at, by its position.

        Returns
        -------
        Positions (-1 where no polygon is looked at) and metres. Of polygons equally far, to the
        millimetre, the one of the smallest id.
        """
        from gis.locator import borders  # noqa: PLC0415 - loads the compiler

        by_rank = seen[self._positions]
        arcs = borders.outline_of(self._borders, by_rank)
        ranks, x, y = borders.nearest_among(self._borders, arcs, by_rank, lon, lat, self.geographic)
        positions = np.where(ranks >= 0, self._positions[ranks].astype(np.int64), -1)
        away = np.full(len(lon), np.inf)
        known = ranks >= 0
        if self.geographic:
            away[known] = GEOD.inv(lon[known], lat[known], x[known], y[known])[2]
        else:
            away[known] = np.hypot(x - lon, y - lat)[known]
        return positions, away

    def share_among(
        self,
        lon: NDArray[np.float64],
        lat: NDArray[np.float64],
        accuracy_m: NDArray[np.float64],
        seen: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Of many points the share, as in ``share``, of some polygons (by position) together.

        Where two of them lie over one another the ground counts twice, up to 1 in all.
        """
        from gis.locator import borders, doubt  # noqa: PLC0415 - loads the compiler

        by_rank = seen[self._positions]
        arcs = borders.outline_of(self._borders, by_rank)
        sigma_m = accuracy_m * doubt.SIGMA_PER_RADIUS
        shares = doubt.outline_shares(
            self._borders, arcs, by_rank, lon, lat, sigma_m, self.geographic
        )
        return np.clip(shares, 0.0, 1.0)

    def share(self, lon: float, lat: float, accuracy_m: float) -> Shares:
        """Where a point may truly lie when its error is normal, the same in all directions.

        Parameters
        ----------
        lon, lat
            The point in the CRS of the geometries.
        accuracy_m
            Radius that holds the true position with 68 %, in metres; up to 100,000.

        Returns
        -------
        Shares of the polygons that answer, exact to 1e-5 for errors below 10 km. In a layer
        with overlaps a polygon has no share where one of a smaller id covers it; overlaps that
        are smaller than a cell of the index count in both.

        Raises
        ------
        BadInput
            The point is none, or the accuracy is.
        """
        from gis.locator import doubt  # noqa: PLC0415 - loads the compiler

        self._check_point(lon, lat)
        if not 0 < accuracy_m <= WORST_ACCURACY_M:  # NaN too
            raise BadInput(
                f"accuracy is {accuracy_m}", f"Give metres above 0, up to {WORST_ACCURACY_M:,.0f}"
            )
        x, y, sigma_m = float(lon), float(lat), float(accuracy_m) * doubt.SIGMA_PER_RADIUS
        if not len(self):
            return Shares(np.empty(0, dtype=np.int64), np.empty(0), 1.0)
        box = self._box(x, y, doubt.FAR * sigma_m)
        if self._content.arrays["facts"][1]:
            ranks, shares = self._shares_of_overlapping(box, x, y, sigma_m)
        else:
            ranks = doubt.near(self._body, len(self), box)
            shares = doubt.shares_of(self._borders, ranks, x, y, sigma_m, self.geographic)
        outside = min(max(1.0 - float(shares.sum()), 0.0), 1.0)
        order = np.argsort(-shares, kind="stable")
        order = order[shares[order] >= LEAST_SHARE]
        return Shares(self._positions[ranks[order]].astype(np.int64), shares[order], outside)

    def save(self, path: Path) -> None:
        """Write it to a file that ``open`` reads; the file is there whole or not at all."""
        file.write(path, self._content.arrays, self._content.metadata, self.version)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a file that ``save`` wrote; the file must not be changed, but may be replaced.

        Raises
        ------
        BadInput
            The file is none of ours, is of another version or is cut short. Damage
            within it is found by ``verify`` only, which reads all of it.
        """
        return cls(file.read(path))

    def verify(self) -> None:
        """Read everything and compare it with the checksum in the file.

        Raises
        ------
        BadInput
            It is not what was written.
        """
        if self._content.version:
            file.verify(self._content)

    @cached_property
    def _positions(self) -> NDArray[np.uint32]:
        from gis.locator import lookup  # noqa: PLC0415 - loads the compiler

        start = int(self._body[lookup.POSITIONS])
        return self._body.view(np.uint32)[start : start + len(self)]

    @cached_property
    def _ranks(self) -> NDArray[np.int64]:
        ranks = np.empty(len(self), dtype=np.int64)
        ranks[self._positions] = np.arange(len(self))
        return ranks

    @cached_property
    def _borders(self) -> Borders:
        from gis.locator import borders, lookup  # noqa: PLC0415 - loads the compiler

        arrays = self._content.arrays
        vertices = int(arrays["arc_starts"][-1])
        start = int(self._body[lookup.XY])
        xy = self._body.view(np.float64)[start : start + 2 * vertices]
        return borders.Borders(xy, *(arrays[name] for name in borders.Borders._fields[1:]))

    @cached_property
    def _border_of(self) -> Any:
        from gis.locator import borders  # noqa: PLC0415 - loads the compiler

        return borders.border_of

    @cached_property
    def _outer(self) -> NDArray[np.int64]:
        from gis.locator import borders  # noqa: PLC0415 - loads the compiler

        return borders.outer_arcs(self._borders)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.geometries)

    def _check_point(self, lon: float, lat: float) -> None:
        if not (math.isfinite(lon) and math.isfinite(lat)):
            raise BadInput(f"({lon}, {lat}) is no place", "Give two numbers")
        if self.geographic and not (abs(lon) <= 180 and abs(lat) <= 90):
            swapped = ": did you mean the other way round?" if abs(lat) <= 180 >= abs(lon) else ""
            raise BadInput(
                f"({lon}, {lat}) is no longitude and latitude{swapped}",
                "Longitude comes first, up to 180 degrees; then latitude, up to 90",
            )

    def _distance_m(self, lon: float, lat: float, x: float, y: float) -> float:
        if self.geographic:
            return float(GEOD.inv(lon, lat, x, y)[2])
        return math.hypot(x - lon, y - lat)

    def _box(self, x: float, y: float, reach_m: float) -> tuple[float, float, float, float]:
        """West, south, east and north of all that lies within reach."""
        if not self.geographic:
            return x - reach_m, y - reach_m, x + reach_m, y + reach_m
        high = reach_m / DEGREE_M
        furthest = min(abs(y) + high, 90.0)
        wide = min(high / max(math.cos(math.radians(furthest)), 1e-9), 360.0)
        return x - wide, y - high, x + wide, y + high

    def _beyond(self, rank: int, arc: int, edge: int, x: float, y: float) -> int:
        """Position of the polygon on the other side of an edge of a polygon, -1 for none."""
        borders = self._borders
        owners = borders.owners[borders.owner_starts[arc] : borders.owner_starts[arc + 1]]
        mine = owners[owners >> 1 == rank][0] & 1
        others = owners[(owners & 1) != mine] >> 1
        if len(others):
            return int(self._positions[others.min()])
        # Nobody shares the edge; whoever touches it with edges of his own is a step away.
        ux, uy, vx, vy = borders.xy[2 * edge : 2 * edge + 4].tolist()
        degree_m = DEGREE_M if self.geographic else 1.0
        step = (1 if not mine else -1) * STEP_M / degree_m / math.hypot(vx - ux, vy - uy)
        found = self.locate_one(x + step * (vy - uy), y - step * (vx - ux))
        return -1 if found >= 0 and int(self._ranks[found]) == rank else found

    def _shares_of_overlapping(
        self, box: tuple[float, float, float, float], x: float, y: float, sigma_m: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ranks and shares where polygons lie over one another: of what each answers for."""
        from gis.locator import doubt  # noqa: PLC0415 - loads the compiler

        window = shapely.box(*box)
        ranks = np.sort(self._ranks[self._tree.query(window, predicate="intersects")])
        taken: shapely.Geometry = shapely.Polygon()
        shares = np.zeros(len(ranks))
        for k, rank in enumerate(ranks):
            whole = shapely.intersection(self.geometries[self._positions[rank]], window)
            own = shapely.orient_polygons(shapely.difference(whole, taken))
            parts = [each for each in shapely.get_parts([own]) if each.geom_type == "Polygon"]
            shares[k] = sum(
                doubt.ring_share(shapely.get_coordinates(ring), x, y, sigma_m, self.geographic)
                for ring in shapely.get_rings(parts)
            )
            taken = shapely.union(taken, whole)
        return ranks, shares
