"""House numbers and named places of OpenStreetMap extracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import shapely

from data.importers.osm import layer, table, tag

if TYPE_CHECKING:
    from data.importers.guards import Checked
    from data.importers.reading import Geometries, Table

# Tag and value to the kind of place.
PLACES: Final = {
    "amenity": {
        "school": "school", "kindergarten": "school", "college": "school", "university": "school",
        "hospital": "hospital", "clinic": "hospital", "police": "police_room",
        "courthouse": "court_point", "townhall": "government", "marketplace": "market",
        "community_centre": "community_office", "bank": "bank", "bus_station": "station",
        "place_of_worship": "worship",
    },
    "leisure": {"park": "park"},
}  # fmt: skip


def _both(checked: Checked, where: str) -> tuple[pd.DataFrame, Geometries]:
    """Points, and areas by a point within them."""
    frames, shapes = [], []
    for name in ("points", "multipolygons"):
        frame, geometry = layer(checked, name, where)
        frames.append(frame)
        shapes.append(shapely.point_on_surface(geometry) if name != "points" else geometry)
    return pd.concat(frames, ignore_index=True), np.concatenate(shapes)


def addresses(checked: Checked) -> Table:
    """House numbers of nodes and buildings with the street or place that they count in."""
    frame, geometry = _both(checked, "other_tags LIKE '%\"addr:housenumber\"=>%'")
    street, place = tag(frame, "addr:street"), tag(frame, "addr:place")
    out = pd.DataFrame(
        {
            "id": frame["id"],
            "street": street.where(street.notna(), place),
            "number": tag(frame, "addr:housenumber"),
        }
    )
    named = out["street"].notna()
    left_out = int((~named).sum())
    out, geometry = _each(out[named], geometry[named.to_numpy()])
    result = table(out, geometry, checked, "house numbers")
    if left_out:
        result.notes.append(f"{left_out} house numbers of no street were left out")
    return result


def _each(frame: pd.DataFrame, geometry: Geometries) -> tuple[pd.DataFrame, Geometries]:
    """One row for each of several numbers of a house: ``50;52``. Ids of the later ones go on."""
    numbers = frame["number"].str.split(r"\s*[;,]\s*", regex=True)
    several = frame.assign(number=numbers, place=np.arange(len(frame))).explode("number")
    several = several[several["number"].str.len() > 0]
    nth = several.groupby("place").cumcount()
    ids = several["id"].where(nth == 0, several["id"] + "#" + (nth + 1).astype(str))
    return several.assign(id=ids).drop(columns="place"), geometry[several["place"].to_numpy()]


def places(checked: Checked) -> Table:
    """Schools, hospitals, police and the like that have a name."""
    frame, geometry = _both(checked, "name IS NOT NULL")
    kind = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    for key, meanings in PLACES.items():
        kind = kind.where(kind.notna(), tag(frame, key).map(meanings))
    chosen = kind.notna()
    other = tag(frame, "alt_name")
    out = pd.DataFrame({"id": frame["id"], "name": frame["name"], "kind": kind, "aliases": other})
    return table(out[chosen], geometry[chosen.to_numpy()], checked, "named places")
