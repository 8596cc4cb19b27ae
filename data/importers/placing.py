"""From the coordinates of a file to WGS 84: which system they are in, and whether to believe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.importers import values
from data.importers.geometry_checks import check, check_positions
from data.importers.reading import read
from gis import crs as gis_crs
from gis import crs_check, guards
from gis.database import execute
from gis.errors import BadInput, Problem
from gis.wording import counted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from data.importers.reading import Table
    from data.importers.work import Work

# Formats whose standard says WGS 84 when nothing else is said.
_WGS84_BY_STANDARD: Final = frozenset({"geojson", "geojsonseq", "gpx", "kml", "osm"})
# A file where more than this share of positions has its axes swapped is swapped as a whole.
SWAPPED_SHARE: Final = 0.5


def geometry_of(work: Work, table: Table) -> None:
    """Fill the work's geometry: the file's own, a WKT column, or longitude and latitude.

    Raises
    ------
    BadInput
        The kind needs a place and the file has none of these.
    """
    if table.geometry is not None:
        work.geom = table.geometry
        if table.unread:
            # The rows of a second layer are numbered on after those of the first.
            shift = int(work.frame.index[0]) - int(table.frame.index[0])
            work.report.reject(
                [row + shift for row in table.unread], list(table.unread.values()),
                "Put each type of geometry in its own layer.",
                field="geometry", group="the geometry cannot be read",
            )  # fmt: skip
        if "wkt" in work.frame:
            work.frame = work.frame.drop(columns="wkt")
    elif work.has("wkt"):
        work.geom = _from_wkt(work)
    elif work.has("lon") and work.has("lat") and "point" in work.kind.families:
        _from_lonlat(work)
    elif work.needs_place:
        raise BadInput(
            Problem(
                "it has no geometry: neither a geometry column nor WKT"
                + (" nor longitude and latitude" if "point" in work.kind.families else ""),
                "Say --map lon=COLUMN --map lat=COLUMN, --map wkt=COLUMN, or send a map layer. "
                f"The columns are: {', '.join(map(str, table.frame.columns[:30]))}.",
                work.report.file,
            )
        )


def _from_wkt(work: Work) -> Any:
    series = values.texts(work.column("wkt"))
    out = np.full(len(series), None, dtype=object)
    bad: list[tuple[int, str]] = []
    for position, (row, text) in enumerate(series.items()):
        if text is None:
            continue
        if (unfit := guards.fault(text, "wkt")) is not None:
            bad.append((int(row), f"the geometry {unfit}"))
            continue
        try:
            out[position] = shapely.from_wkt(text)
        except shapely.errors.GEOSException as error:
            why = str(error).splitlines()[0][:80]
            bad.append((int(row), f"this is no WKT geometry: {why}"))
    work.report.reject_each(
        bad, "Export the geometry again.",
        field=work.field("wkt"), group="the WKT cannot be read",
    )  # fmt: skip
    work.frame = work.frame.drop(columns="wkt")
    return out


def _from_lonlat(work: Work) -> None:
    report = work.report
    lon = _coordinate(work, "lon")
    lat = _coordinate(work, "lat")
    work.x, work.y = lon, lat
    both = np.isfinite(lon) & np.isfinite(lat)
    work.geom = np.full(len(lon), None, dtype=object)
    work.geom[both] = shapely.points(lon[both], lat[both])
    half = np.isfinite(lon) != np.isfinite(lat)
    half &= report.stands(work.rows)
    if half.any() and not work.kind.place_later:
        report.reject(
            work.rows[half], "only one of longitude and latitude is given", "Give both.",
            field=work.field("lon"),
        )  # fmt: skip


def _coordinate(work: Work, name: str) -> Any:
    series = work.column(name)
    if work.kind.place_later:
        if pd.api.types.is_float_dtype(series.dtype):
            return series.to_numpy(dtype=float)
        # These rows are kept for review when they have no place, whatever stands there.
        return pd.to_numeric(values.texts(series), errors="coerce").to_numpy(dtype=float)
    return values.numbers(series, work.report, work.field(name), unit="degrees or metres")


def source_crs(work: Work, table: Table) -> gis_crs.Crs:
    """Which system the coordinates are in; see `which_crs`. What was assumed is noted."""
    report = work.report
    xy = shapely.get_coordinates(work.geom)
    by_columns = table.geometry is None and work.has("lon")
    found = which_crs(table, told=work.options.crs, xy=xy, by_columns=by_columns, file=report.file)
    if table.crs and work.options.crs != "auto":
        declared = gis_crs.parse_crs(table.crs)
        if declared.name not in (found.name, "wgs84"):
            report.note(f"the file declares {declared.name}; {found.name} was told and is used")
    elif by_columns and work.options.crs == "auto" and not work.has("crs"):
        report.note(
            "the coordinates name no system and were taken as WGS 84",
            "Say --crs gcj02 for Amap and Tencent, bd09 for Baidu, EPSG:n for a survey.",
        )
    return found


def which_crs(
    table: Table, *, told: str, xy: NDArray[np.float64], by_columns: bool, file: str
) -> gis_crs.Crs:
    """The system that was told, else the declared one, else the one of the format's standard.

    Parameters
    ----------
    told
        What the user said; ``auto`` for nothing.
    xy
        (n, 2) coordinates as the file has them.
    by_columns
        They come from columns of longitude and latitude, which declare nothing: degrees are
        taken as WGS 84.

    Raises
    ------
    BadInput
        Unknown name, or nothing is told nor declared where a guess could be wrong.
    """
    if told != "auto":
        return gis_crs.parse_crs(told)
    if table.crs:
        return gis_crs.parse_crs(table.crs)
    known = xy[np.isfinite(xy).all(axis=1)]
    # Most of them: a stray row is a matter of its own.
    in_degrees = not len(known) or bool(np.median(np.abs(known).max(axis=1)) <= 360)
    if table.format in _WGS84_BY_STANDARD or (by_columns and in_degrees):
        return gis_crs.parse_crs("wgs84")
    looks = "look like longitude and latitude" if in_degrees else "look like metres"
    raise BadInput(
        Problem(
            f"it declares no coordinate system (no CRS); its coordinates {looks}",
            "Say --crs wgs84, cgcs2000, gcj02, bd09 or EPSG:n (3-degree zones are EPSG:4513-4554).",
            file,
        )
    )


def place(work: Work, table: Table, session: Session | None) -> None:
    """Check the geometry, convert it to WGS 84, and check the positions.

    Raises
    ------
    BadInput
        No system known, axes swapped in the whole file, or marked WGS 84 and found shifted.
    """
    if not (shapely.is_missing(work.geom).all() and not work.needs_place):
        work.expected = expected_bounds(session, work.options.county)
        crs = source_crs(work, table)
        work.crs = crs.name
        work.report.crs = crs.name
        if work.kind.place_later:
            return
        work.geom = check(
            work.geom, work.rows, work.report, families=work.kind.families,
            needed=work.needs_place,
        )  # fmt: skip
        _judge_shift(work, crs, session)
        work.geom = convert(work, crs)
        _refuse_swapped(work)
        work.geom = check_positions(work.geom, work.rows, work.report, expected=work.expected)
        work.drop_rejected()
    elif work.kind.place_later:
        work.expected = expected_bounds(session, work.options.county)


def _judge_shift(work: Work, crs: gis_crs.Crs, session: Session | None) -> None:
    """Refuse coordinates that are marked WGS 84 and lie where GCJ-02 or BD-09 would put them.

    Judged against the file of ``--against``, and for units against the borders in the database;
    when WGS 84 was insisted on, the report only warns.
    """
    if crs.kind.value != "identity":
        return
    reference = _reference(work, session)
    shapes = work.geom[~shapely.is_missing(work.geom)]
    if reference is None or not len(shapes):
        return
    verdict = crs_check.check(shapes, reference)
    if verdict.system in (None, "wgs84") and not verdict.swapped:
        return
    told = work.options.crs != "auto"
    told_as = "it was told to be" if told else "it is marked (or taken as)"
    reason = f"{verdict.verdict} But {told_as} {crs.name}"
    if told:
        work.report.add("warned", reason, "Look at it on the map.", field="geometry")
        return
    raise BadInput(
        Problem(
            reason,
            "Exchange the axes of the export."
            if verdict.swapped
            else f"Say --crs {verdict.system} to have it converted, or --crs wgs84 to insist.",
            work.report.file,
        )
    )


def _reference(work: Work, session: Session | None) -> Any:
    """Geometry in a known place to judge by; None when there is none."""
    against = work.options.against
    if against is not None:
        table = read(against)
        if table.geometry is None:
            raise BadInput(Problem("it has no geometry to compare with", source=against.name))
        return gis_crs.to_wgs84_geometry(table.geometry, table.crs or "wgs84")
    if session is None or work.kind.name != "units":
        return None
    bounds = shapely.total_bounds(work.geom)
    if not np.isfinite(bounds).all():
        return None
    known = execute(
        session,
        "SELECT ST_AsBinary(geom) AS wkb FROM admin_units WHERE level >= 6 AND upper_inf(valid) "
        "AND geom && ST_Expand(ST_MakeEnvelope(:w, :s, :e, :n, 4326), 0.02)",
        **dict(zip("wsen", map(float, bounds), strict=True)),
    ).all()
    return shapely.from_wkb([bytes(row.wkb) for row in known]) if known else None


def convert(work: Work, crs: gis_crs.Crs) -> Any:
    """Geometries in WGS 84; rejects the ones with a vertex that has no position in the system."""
    if crs.kind.value == "identity":
        return work.geom
    try:
        return gis_crs.to_wgs84_geometry(work.geom, crs)
    except BadInput as error:
        bad = np.array(sorted({p.row for p in error.problems if p.row is not None})) - 1
        if len(bad) == 0:
            raise
        first = error.problems[0]
        work.report.reject(work.rows[bad], first.reason, first.remedy, field="geometry")
        out = work.geom.copy()
        out[bad] = None
        return gis_crs.to_wgs84_geometry(out, crs)


def _refuse_swapped(work: Work) -> None:
    xy, owner = shapely.get_coordinates(work.geom, return_index=True)
    if len(xy) == 0:
        return
    kinds = gis_crs.check_lonlat(xy[:, 0], xy[:, 1], expected=work.expected)
    swapped = np.unique(owner[kinds == gis_crs.LonLatKind.SWAPPED])
    placed = int((~shapely.is_missing(work.geom)).sum())
    if len(swapped) > SWAPPED_SHARE * placed:
        reason, _ = gis_crs.LONLAT_PROBLEMS[gis_crs.LonLatKind.SWAPPED]
        x, y = xy[kinds == gis_crs.LonLatKind.SWAPPED][0]
        told = "--map lon and --map lat" if work.has("lon") else "the axes of the export"
        raise BadInput(
            Problem(
                f"{reason} in {len(swapped)} of {counted(placed, 'row')} (the first is {x:.5f}, "
                f"{y:.5f})",
                f"Exchange {told}.",
                work.report.file,
            )
        )


def expected_bounds(
    session: Session | None, county: str | None
) -> tuple[float, float, float, float] | None:
    """Bounds of the units that the database has, widened by half their size; None for none."""
    if session is None:
        return None
    row = execute(
        session,
        "SELECT ST_XMin(e) AS west, ST_YMin(e) AS south, ST_XMax(e) AS east, ST_YMax(e) AS north "
        "FROM (SELECT ST_Extent(geom) AS e FROM admin_units WHERE upper_inf(valid) "
        "AND (CAST(:county AS text) IS NULL OR county_code = :county)) AS units",
        county=county,
    ).one()
    if row.west is None:
        return None
    wide, high = row.east - row.west, row.north - row.south
    margin = max(wide, high) / 2
    return (row.west - margin, row.south - margin, row.east + margin, row.north + margin)
