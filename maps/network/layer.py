"""The density along streets as lines: one per class for a drawing, one per piece for a GIS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from maps import heatmap_text as text
from maps.bulk import bulk_box
from maps.network import words
from maps.palettes import classify, hex_colour, nice_breaks, ramp

if TYPE_CHECKING:
    import geopandas as gpd

    from maps.network.density import NetworkDensity
    from maps.smoothing import Bbox

BELOW: Final = "#b9bcc0"
"""Streets below the first class: seen as streets, not as a value."""
_BINS: Final = 256


def colours(breaks: list[float]) -> list[str]:
    """Colour of each class, that below the first bound included."""
    # The lightest step of the ramp is for areas: a thin line of it is lost on paper.
    return [BELOW, *(hex_colour(colour) for colour in ramp(len(breaks) + 1)[1:])]


def bulk(density: NetworkDensity) -> Bbox | None:
    """Box in metres around most of the incidents; None where it would be nearly the whole."""
    starts = density.lines.xy[density.lines.first[:-1]]
    west, south, east, north = density.lines.together().bounds
    if not (west < east and south < north):
        return None
    masses, _, _ = np.histogram2d(
        starts[:, 1], starts[:, 0], bins=_BINS, range=((south, north), (west, east)),
        weights=density.mass,
    )  # fmt: skip
    return bulk_box(masses, (west, south, east, north), 2 * max(east - west, north - south) / _BINS)


def width(number: int) -> float:
    """Points wide a line of a class is drawn, so that light colours hold beside dark ones."""
    return 0.5 if number == 0 else 1.4 + 0.22 * number


def pieces(density: NetworkDensity, crs: str = "EPSG:4326") -> gpd.GeoDataFrame:
    """Return every piece of street: value, unit, events' mass, metres, colour of its class, note.

    Parameters
    ----------
    crs
        Of the lines; ``metric`` for the one that it is computed in.
    """
    import geopandas as gpd  # noqa: PLC0415  (slow to load)

    shown = np.array(colours(breaks := nice_breaks(density.maximum)), dtype=object)
    frame = gpd.GeoDataFrame(
        {
            "value": density.values,
            "unit": words.word("unit", "en"),
            "events": density.mass,
            "length_m": density.length_m,
            "color": shown[classify(density.values, breaks)],
            "bandwidth_m": density.bandwidth_m,
            "period": text.period(density, "en"),
            "note": " ".join(words.notes(density, "en")),
        },
        geometry=density.lines.shapes(),
        crs=density.crs,
    )
    return frame if crs == "metric" else frame.to_crs(crs)


def legend(breaks: list[float]) -> list[dict[str, float | str | None]]:
    """Return the classes from below the first bound on: ``from``, ``to``, ``color``, ``width``."""
    bounds = [None, *breaks, None]
    return [
        {"from": low, "to": high, "color": colour, "width": width(number)}
        for number, (low, high, colour) in enumerate(
            zip(bounds[:-1], bounds[1:], colours(breaks), strict=True)
        )
    ]


def legend_lines(density: NetworkDensity) -> gpd.GeoDataFrame:
    """Return the lines of each class that occurs, with all that `legend` says of it and the unit.

    In metres, light ones first; for pictures on screens, which need no single pieces.
    """
    breaks = nice_breaks(density.maximum)
    frame = classes(density, breaks)
    rows = legend(breaks)
    for name in rows[0]:
        frame[name] = [rows[number][name] for number in frame["number"]]
    frame["unit"] = words.word("unit", "en")
    return frame


def classes(density: NetworkDensity, breaks: list[float]) -> gpd.GeoDataFrame:
    """Return the lines of each class that occurs, in metres, light ones first: ``number``."""
    import geopandas as gpd  # noqa: PLC0415

    of = classify(density.values, breaks)
    numbers = [int(number) for number in np.unique(of)]
    return gpd.GeoDataFrame(
        {"number": numbers},
        geometry=[
            shapely.line_merge(density.lines.chosen(of == number).together()) for number in numbers
        ],
        crs=density.crs,
    )
