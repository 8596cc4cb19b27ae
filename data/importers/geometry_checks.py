"""Geometry of a file: what can be kept, what can be mended without guessing, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import LONLAT_PROBLEMS, LonLatKind, check_lonlat, metric_crs
from gis.crs import from_wgs84 as project
from gis.guards import GEOMETRY

if TYPE_CHECKING:
    from data.importers.report import Report

Geometries = NDArray[np.object_]
Rows = NDArray[np.int64]
Bounds = tuple[float, float, float, float]

# A repair that changes the area by more is a guess about what was meant.
SAFE_AREA_CHANGE: Final = 1e-6
# Below a square decimetre nothing stands, and no grid is drawn.
LEAST_AREA_M2: Final = 0.01
METRES_PER_DEGREE: Final = 111_320.0
# Hand-drawn neighbours overlap by slivers; more than this share of the smaller is a mistake.
SLIVER_SHARE: Final = 0.01
LEAST_OVERLAP_M2: Final = 1.0

FAMILIES: Final[dict[str, frozenset[int]]] = {
    "point": frozenset({0, 4}),
    "line": frozenset({1, 5}),
    "polygon": frozenset({3, 6}),
}
_NAMES: Final = {
    0: "point",
    1: "line",
    2: "ring",
    3: "polygon",
    4: "point",
    5: "line",
    6: "polygon",
}
_REMEDY_EXPORT: Final = "Mend it in the program that drew it."


def check(
    geometry: Geometries,
    rows: Rows,
    report: Report,
    *,
    families: tuple[str, ...],
    needed: bool,
) -> Geometries:
    """Check geometries in the file's own coordinates, before any conversion.

    Rejects missing (when needed), empty, non-finite and 0/0 ones, those of another family than is
    wanted, and polygons that only a guess could mend; mends the rest of the invalid ones.

    Parameters
    ----------
    geometry, rows
        Shapely geometries or None, and the row of the file of each.
    families
        Of ``point``, ``line``, ``polygon``.

    Returns
    -------
    The geometries, two-dimensional, None where rejected or absent.
    """
    out = np.array(shapely.force_2d(geometry), dtype=object)
    missing = shapely.is_missing(out)
    _refuse(out, rows, report, ~missing & shapely.is_empty(out), reason="the geometry is empty")
    if needed:
        known = {f.problem.row for f in report.findings if f.level == "rejected"}
        lost = missing & ~np.isin(rows, [row for row in known if row is not None])
        _refuse(out, rows, report, lost, reason="there is no geometry", remedy="Give it a place.")
    _refuse(
        out, rows, report, _not_finite(out),
        reason="a coordinate is NaN or infinite", remedy="Find the broken coordinate and set it.",
    )  # fmt: skip
    _refuse(
        out, rows, report, _too_far(out),
        reason=f"a coordinate is beyond {GEOMETRY.reach:g}, outside of any system",
        remedy="Find the broken coordinate and set it.",
    )  # fmt: skip
    _refuse(
        out, rows, report, _at_zero(out),
        reason="the position is 0, 0", remedy="Leave it empty where it is not known.",
    )  # fmt: skip
    _refuse_families(out, rows, report, families)
    if "polygon" in families:
        _mend(out, rows, report)
    if "line" in families:
        lines = np.isin(shapely.get_type_id(out), list(FAMILIES["line"]))
        short = lines & (shapely.length(out) == 0)
        _refuse(out, rows, report, short, reason="the line has no length", remedy=_REMEDY_EXPORT)
    return out


def _refuse(
    out: Geometries,
    rows: Rows,
    report: Report,
    bad: NDArray[np.bool_],
    *,
    reason: str,
    remedy: str = "Draw it again or leave the row out.",
) -> None:
    if bad.any():
        report.reject(rows[bad], reason, remedy, field="geometry")
        out[bad] = None


def _not_finite(geometry: Geometries) -> NDArray[np.bool_]:
    xy, owner = shapely.get_coordinates(geometry, return_index=True)
    bad = np.zeros(len(geometry), dtype=bool)
    bad[owner[~np.isfinite(xy).all(axis=1)]] = True
    return bad


def _too_far(geometry: Geometries) -> NDArray[np.bool_]:
    xy, owner = shapely.get_coordinates(geometry, return_index=True)
    bad = np.zeros(len(geometry), dtype=bool)
    bad[owner[(np.abs(xy) > GEOMETRY.reach).any(axis=1)]] = True
    return bad


def _at_zero(geometry: Geometries) -> NDArray[np.bool_]:
    """Whether a vertex is 0/0, which programs write for a position they do not have."""
    xy, owner = shapely.get_coordinates(geometry, return_index=True)
    bad = np.zeros(len(geometry), dtype=bool)
    bad[owner[(np.abs(xy) < 1e-6).all(axis=1)]] = True
    return bad


def _refuse_families(
    out: Geometries, rows: Rows, report: Report, families: tuple[str, ...]
) -> None:
    wanted = frozenset().union(*(FAMILIES[f] for f in families))
    types = shapely.get_type_id(out)
    other = (types >= 0) & ~np.isin(types, list(wanted))
    if not other.any():
        return
    kinds = sorted({_NAMES.get(int(t), "collection") for t in types[types >= 0]})
    mixed = f"; the file mixes {', '.join(kinds)} geometries" if len(kinds) > 1 else ""
    listed = " or ".join(f"a {f}" for f in families)
    report.reject(
        rows[other],
        [f"the geometry is a {_NAMES.get(int(t), 'collection')}, not {listed}{mixed}"
         for t in types[other]],
        "Put each type in its own layer.",
        field="geometry",
        group="the geometry is of another type",
    )  # fmt: skip
    out[other] = None


def _mend(out: Geometries, rows: Rows, report: Report) -> None:
    """Mend invalid polygons where it changes nothing of substance; reject the others."""
    polygons = np.isin(shapely.get_type_id(out), list(FAMILIES["polygon"]))
    for position in np.flatnonzero(polygons & ~shapely.is_valid(out)):
        why = str(shapely.is_valid_reason(out[position]))
        mended, change = mend(out[position])
        row = [int(rows[position])]
        if mended is None and shapely.area(shapely.make_valid(out[position])) == 0:
            report.reject(row, "the polygon has no area", _REMEDY_EXPORT, field="geometry")
        elif mended is None:
            report.reject(
                row,
                f"the polygon is invalid ({why}), and mending it would change its area by "
                f"{_percent(change)}",
                _REMEDY_EXPORT,
                field="geometry",
                group="the polygon crosses itself or is degenerate",
            )
        else:
            report.add(
                "repaired",
                f"the polygon was invalid ({why}); mended, its area is the same"
                + ("" if change < 1e-12 else f" but for {change * 1e6:.2g} millionths"),
                rows=row,
                field="geometry",
                group="the polygon was invalid and was mended without changing its area",
            )
        out[position] = mended


def _percent(share: float) -> str:
    """A share in per cent; what would be shown as 0 is said in words."""
    return f"{share:.1%}" if share >= 0.0005 else "less than 0.1%"


def mend(polygon: Any) -> tuple[Any | None, float]:
    """The valid polygon that covers the same ground, and the relative change of the area.

    None when there is none within `SAFE_AREA_CHANGE`: a figure of eight covers two triangles whose
    areas the formula subtracts, so mending it says something new about the ground.
    """
    before = float(shapely.area(polygon))
    valid = shapely.make_valid(polygon)
    parts = shapely.get_parts(valid)
    parts = parts[np.isin(shapely.get_type_id(parts), [3, 6])]
    if len(parts) == 0:
        return None, 1.0
    after = float(shapely.area(parts).sum())
    change = abs(after - before) / max(after, before)
    if change > SAFE_AREA_CHANGE:
        return None, change
    singles = shapely.get_parts(parts)
    # Slivers that the mending itself made are not ground.
    singles = singles[shapely.area(singles) > after * 1e-9]
    whole = singles[0] if len(singles) == 1 else shapely.multipolygons(singles)
    return (whole, change) if shapely.is_valid(whole) else (None, change)


def check_positions(
    geometry: Geometries, rows: Rows, report: Report, *, expected: Bounds | None
) -> Geometries:
    """Reject WGS 84 geometries off the globe or with swapped axes; zero areas too.

    Parameters
    ----------
    expected
        Bounds of the place the file should be in, for telling swapped axes.
    """
    out = geometry.copy()
    xy, owner = shapely.get_coordinates(out, return_index=True)
    kinds = check_lonlat(xy[:, 0], xy[:, 1], expected=expected)
    # The first vertex that is wrong speaks for its geometry.
    at, first = np.unique(owner[kinds != 0], return_index=True)
    refuse_lonlat(rows[at], kinds[kinds != 0][first], report)
    out[at] = None
    polygons = np.isin(shapely.get_type_id(out), list(FAMILIES["polygon"]))
    _refuse(
        out, rows, report, polygons & (areas_m2(out) < LEAST_AREA_M2),
        reason="the polygon has no area", remedy=_REMEDY_EXPORT,
    )  # fmt: skip
    return out


def refuse_lonlat(
    rows: Rows, kinds: NDArray[np.uint8], report: Report, *, field: str = "geometry"
) -> None:
    """Reject rows by what `gis.crs.check_lonlat` said of them."""
    for kind in np.unique(kinds):
        if kind == LonLatKind.OK:
            continue
        reason, remedy = LONLAT_PROBLEMS[LonLatKind(int(kind))]
        report.reject(rows[kinds == kind], reason, remedy, field=field)


def areas_m2(geometry: Geometries) -> NDArray[np.float64]:
    """Areas of WGS 84 polygons in square metres, good to a percent: for thresholds only."""
    bounds = shapely.bounds(geometry)
    middle = np.nan_to_num((bounds[:, 1] + bounds[:, 3]) / 2)
    scale = METRES_PER_DEGREE**2 * np.cos(np.radians(middle))
    areas: NDArray[np.float64] = np.asarray(shapely.area(geometry)) * scale
    return areas


def metres(geometry: Geometries) -> Geometries:
    """WGS 84 geometries in the local 3-degree zone, easting and northing in metres.

    The zone is that of their middle; raises BadInput when they have no middle.
    """
    bounds = shapely.total_bounds(geometry[~shapely.is_missing(geometry)])
    crs = metric_crs((bounds[0], bounds[1], bounds[2], bounds[3]))

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(project(xy[:, 0], xy[:, 1], crs))

    out: Geometries = shapely.transform(geometry, move)
    return out


def overlaps(
    geometry: Geometries, others: Geometries | None = None
) -> list[tuple[int, int, float, float]]:
    """Pairs of valid WGS 84 polygons that share ground.

    Parameters
    ----------
    geometry
        Polygons or None.
    others
        Polygons to compare with; None compares `geometry` with itself, each pair once.

    Returns
    -------
    Position in `geometry`, position in `others`, shared area in square metres, and its share of
    the smaller polygon. Shared borders are no overlap, nor is less than a square metre.
    """
    right = geometry if others is None else others
    usable = ~shapely.is_missing(right)
    if not usable.any():
        return []
    tree = shapely.STRtree(right)
    left_at, right_at = tree.query(geometry, predicate="intersects")
    if others is None:
        once = left_at < right_at
        left_at, right_at = left_at[once], right_at[once]
    touching = shapely.touches(geometry[left_at], right[right_at])
    left_at, right_at = left_at[~touching], right_at[~touching]
    shared = areas_m2(shapely.intersection(geometry[left_at], right[right_at]))
    smaller = np.minimum(areas_m2(geometry)[left_at], areas_m2(right)[right_at])
    return [
        (int(a), int(b), float(area), float(area / least))
        for a, b, area, least in zip(left_at, right_at, shared, smaller, strict=True)
        if area > LEAST_OVERLAP_M2
    ]


def exploded(geometry: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    """Parts of multipart geometries, and the position that each part came from."""
    parts, index = shapely.get_parts(geometry, return_index=True)
    return parts, index
