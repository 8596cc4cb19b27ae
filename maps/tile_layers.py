"""What each vector tile layer holds: its parts, their fields and zooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS_FROM_ZOOM: Final = 12
"""Grids get a label point from this zoom on; from further off the labels would not fit."""
SINGLE_INCIDENTS_FROM_ZOOM: Final = 14
"""From this zoom on only incidents at one place share a feature."""


@dataclass(frozen=True, slots=True)
class Part:
    """One layer inside the tile: its geometry kind and what its features carry."""

    geometry: str
    description: str
    fields: Mapping[str, str]
    min_zoom: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of tile.

    Attributes
    ----------
    description
        What it shows, in English.
    min_zoom, max_zoom
        Zooms worth asking for; below the first, tiles are empty, above the last, clients enlarge.
    parts
        The MVT layers inside, by name.
    rights
        Any of these lets a caller ask for it; none: whoever is signed in. Which rows are seen is
        row-level security's to say.
    shows
        Personal or restricted fields: every tile that shows some is entered in the audit log, and
        its query answers a second column, how many of them lie in which area.
    always_logged
        An empty tile is entered too: that nothing is there is worth knowing.
    filters
        The parameters, beside the tile's address, that change what is in it.
    """

    description: str
    min_zoom: int
    max_zoom: int
    parts: Mapping[str, Part]
    rights: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    always_logged: bool = False
    filters: frozenset[str] = field(default_factory=frozenset)


LAYERS: Final[Mapping[str, Layer]] = {
    "units": Layer(
        "Administrative units, finer ones as the map comes closer",
        0,
        14,
        {
            "units": Part(
                "polygon",
                "Area of a unit",
                {
                    "code": "Division code, leading zeros kept",
                    "level": "Number of code digits: 2, 4, 6, 9 or 12",
                    "level_key": "province, prefecture, county, township or village",
                    "name": "Chinese name",
                    "name_en": "English name, where there is one",
                },
            ),
            "unit_labels": Part(
                "point",
                "One point inside each unit, in one tile only",
                {
                    "code": "As above",
                    "level": "As above",
                    "name": "As above",
                    "name_en": "As above",
                },
            ),
        },
        filters=frozenset({"at"}),
    ),
    "grids": Layer(
        "Base grids of the edition in force",
        7,
        16,
        {
            "grids": Part(
                "polygon",
                "Area of a grid; the feature id is its identity, which outlives editions",
                {
                    "code": "Grid code",
                    "short_code": "The code without that of its unit",
                    "name": "Grid name",
                    "unit_name": "Chinese name of its unit",
                    "unit_name_en": "English name of its unit",
                    "area_type": "urban, micro, rural or pastoral",
                    "households": "Households",
                    "target": "Households wanted",
                    "deviation": "households / target - 1",
                    "worker": "Primary grid worker at that moment; missing where there is none",
                },
            ),
            "grid_labels": Part(
                "point",
                "One point inside each grid, in one tile only",
                {"code": "As above", "short_code": "As above", "worker": "As above"},
                min_zoom=LABELS_FROM_ZOOM,
            ),
        },
        rights=("grids.read",),
        shows=("worker",),
        filters=frozenset({"at"}),
    ),
    "cameras": Layer(
        "Cameras and the wedge each one nominally sees",
        9,
        16,
        {
            "cameras": Part(
                "point",
                "A camera",
                {
                    "name": "Name",
                    "kind": "fixed or ptz",
                    "heading_deg": "Optical axis, clockwise from north; missing if unknown",
                    "hfov_deg": "Horizontal field of view",
                    "range_m": "Range, m",
                    "status": "online, offline or unknown",
                    "optics": "measured or assumed",
                },
            ),
            "camera_wedges": Part(
                "polygon",
                "Nominal field of view, buildings not taken into account",
                {"kind": "As above", "status": "As above", "optics": "As above"},
                min_zoom=13,
            ),
        },
        rights=("cameras.read",),
        shows=("place", "name", "heading", "range"),
        always_logged=True,
    ),
    "borders": Layer(
        "Stretches of the country border",
        0,
        14,
        {
            "borders": Part(
                "line", "A stretch", {"name": "Name", "our_side": "left or right of its direction"}
            )
        },
    ),
    "routes": Layer(
        "Border patrol routes and their checkpoints",
        5,
        15,
        {
            "routes": Part(
                "line",
                "A route",
                {
                    "name": "Name",
                    "means": "foot, horse, motorbike, vehicle or boat",
                    "interval_days": "Wanted: a patrol every so many days",
                    "days_since": "Full days since the last finished patrol; missing if none",
                    "overdue": "Whether days_since exceeds interval_days",
                },
            ),
            "checkpoints": Part(
                "point",
                "A checkpoint of a route",
                {"route_id": "Its route", "seq": "Order on it", "name": "Name"},
                min_zoom=9,
            ),
        },
        rights=("patrols.read",),
        shows=("course", "name", "interval", "checkpoints", "last_patrol"),
        always_logged=True,
        filters=frozenset({"at"}),
    ),
    "incidents": Layer(
        "Incidents by place; those closer together than a cell are one feature with their number",
        4,
        17,
        {
            "incidents": Part(
                "point",
                "An incident (n = 1), or a cell of several at their mean place",
                {
                    "n": "How many",
                    "id": "Its id; missing where n > 1",
                    "category": "Category, the most frequent one of several",
                    "categories": "How many categories",
                    "severity": "simple, general, difficult or major; missing where n > 1",
                    "state": "State; missing where n > 1",
                    "reported_at": "Report time of the latest, seconds since 1970 UTC",
                    "first_reported_at": "Report time of the earliest",
                },
            )
        },
        rights=("incidents.read", "incidents.own", "incidents.sent", "incidents.report"),
        shows=("place", "category", "severity", "state", "reported_at"),
        always_logged=True,
        filters=frozenset({"start", "end", "category"}),
    ),
    "barriers": Layer(
        "Streets, arterials, rails, rivers, walls and bridges",
        8,
        15,
        {
            "barriers": Part(
                "line",
                "A stretch; bridges are points",
                {"kind": "street, arterial, rail, river, wall or bridge", "name": "Name"},
            )
        },
        rights=("grids.read",),
    ),
    "buildings": Layer(
        "Buildings with their household counts",
        13,
        16,
        {
            "buildings": Part(
                "polygon",
                "A footprint, or a point where only that is known",
                {
                    "name": "Name",
                    "kind": "Use",
                    "floors": "Floors",
                    "households": "Households",
                },
            )
        },
        rights=("buildings.read",),
    ),
}
