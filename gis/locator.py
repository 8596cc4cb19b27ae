"""Point to polygon, exactly: a tiling and many points in, the polygon that answers for each out."""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import shapely

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

# Points asked of the tree at once: enough to be fast, few enough to stay in the cache.
CHUNK: Final = 65_536
FORMAT: Final = b"wangge-locator-1\n"


class Locator:
    """Answers which of a set of polygons covers a point.

    A point on a border is covered by every polygon that shares it; the one with the smallest id
    answers. Ids are compared as text when any of them is text, else as numbers.
    """

    def __init__(self, geometries: NDArray[np.object_], ids: NDArray[Any]) -> None:
        self.geometries, self.ids = geometries, ids
        # Rank of each polygon by id: the smallest rank among those that cover a point answers.
        order = np.argsort(ids, kind="stable")
        self._rank = np.empty(len(ids), dtype=np.int64)
        self._rank[order] = np.arange(len(ids))
        self._order = order
        shapely.prepare(geometries)
        self._tree = shapely.STRtree(geometries)

    @classmethod
    def build(cls, geometries: ArrayLike, ids: Sequence[object] | ArrayLike) -> Self:
        """Make a locator.

        Parameters
        ----------
        geometries
            Valid polygons or multipolygons, lon/lat or any planar CRS; the points must be in it.
        ids
            One per geometry, unique: text or numbers.

        Raises
        ------
        BadInput
            With every invalid, empty or wrong-typed geometry, and every repeated id.
        """
        shapes = np.asarray(geometries, dtype=object)
        names = np.asarray(ids)
        if names.dtype == object:
            names = names.astype(str)
        problems = []
        if len(shapes) != len(names):
            problems.append(Problem(f"{len(shapes)} geometries but {len(names)} ids"))
        values, counts = np.unique(names, return_counts=True)
        problems += [
            Problem(f"id {value} appears {count} times", "Ids are unique in a layer")
            for value, count in zip(values[counts > 1], counts[counts > 1], strict=True)
        ]
        problems += [
            Problem(_wrong(shape), "Repair or leave it out", row=row)
            for row, shape in enumerate(shapes, start=1)
            if shape is None
            or shape.is_empty
            or shape.geom_type not in {"Polygon", "MultiPolygon"}
            or not shape.is_valid
        ]
        if problems:
            raise BadInput(problems)
        return cls(shapes, names)

    def __len__(self) -> int:
        """Number of polygons."""
        return len(self.ids)

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
        x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
        if x.shape != y.shape:
            raise BadInput(f"{x.size} longitudes but {y.size} latitudes", "Give one for each")
        if not len(self):
            return np.full(x.shape, -1, dtype=np.int64)
        found = np.full(x.shape, len(self), dtype=np.int64)
        for start in range(0, x.size, CHUNK):
            part = slice(start, start + CHUNK)
            known = np.flatnonzero(np.isfinite(x[part]) & np.isfinite(y[part])) + start
            points = shapely.points(x[known], y[known])
            point, polygon = self._tree.query(points, predicate="intersects")
            np.minimum.at(found, known[point], self._rank[polygon])
        return np.where(found < len(self), self._order[np.minimum(found, len(self) - 1)], -1)

    def save(self, path: Path) -> None:
        """Write it to a file that ``open`` reads; the file is there whole or not at all."""
        wkb = shapely.to_wkb(self.geometries)
        body = io.BytesIO()
        np.savez(
            body,
            ids=self.ids,
            wkb=np.frombuffer(b"".join(wkb), dtype=np.uint8),
            sizes=np.array([len(each) for each in wkb], dtype=np.int64),
        )
        content = body.getvalue()
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fresh.write_bytes(FORMAT + hashlib.sha256(content).digest() + content)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a file that ``save`` wrote.

        Raises
        ------
        BadInput
            The file is none of ours, is cut short or was changed.
        """
        try:
            whole = path.read_bytes()
        except OSError as error:
            raise BadInput(
                Problem(f"it cannot be read: {error.strerror}", source=str(path))
            ) from error
        start = len(FORMAT) + hashlib.sha256().digest_size
        digest, content = whole[len(FORMAT) : start], whole[start:]
        # A whole file of ours is as ``save`` wrote it: what follows needs no distrust.
        if not whole.startswith(FORMAT) or hashlib.sha256(content).digest() != digest:
            raise BadInput(
                Problem(
                    "this is no locator file of wangge's, or it was damaged",
                    "Build it anew",
                    source=str(path),
                )
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            ids, ends = file["ids"], np.cumsum(file["sizes"])
            joined = file["wkb"].tobytes()
        starts = np.concatenate([[0], ends])[: len(ends)]
        parts = [joined[a:b] for a, b in zip(starts, ends, strict=True)]
        return cls(np.array(shapely.from_wkb(parts), dtype=object), ids)


def _wrong(shape: shapely.Geometry | None) -> str:
    if shape is None or shape.is_empty:
        return "the geometry is empty"
    if shape.geom_type not in {"Polygon", "MultiPolygon"}:
        return f"a {shape.geom_type} covers nothing"
    return f"the geometry is invalid: {shapely.is_valid_reason(shape)}"
