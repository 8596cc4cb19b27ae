"""The demo county has key places of each kind that the viewer and the gazetteer look for."""

from __future__ import annotations

from data.importers import places


def test_key_places(place):
    found = place.places
    assert set(found["kind"]) <= set(places.KINDS)
    assert {"school", "hospital", "police_room", "court_point", "mediation_post"} <= set(
        found["kind"]
    )
    assert found["id"].is_unique
    assert found["name"].is_unique
    assert set(found.geom_type) == {"Point"}
    villages = place.units[place.units["code"].str.len() == 12]
    rooms = found[found["kind"] == "police_room"]
    assert len(rooms) == place.buildings["unit"].nunique() <= len(villages)
    # Each lies in the unit that it is named for.
    joined = rooms.sjoin(place.units[["code", "name", "geometry"]].rename(
        columns={"name": "unit_name"}), predicate="within")  # fmt: skip
    own = joined[joined["code"].str.len() == 12]
    assert len(own) == len(rooms)
    assert (own["name"] == own["unit_name"] + "警务室").all()
