"""Lines meet in common vertices and bridges stand where a road crosses water or rails."""

from __future__ import annotations

import numpy as np
import shapely


def test_lines_are_noded(place):
    lines = place.lines[place.lines["kind"] != "wall"].geometry.to_numpy()
    first, second = shapely.STRtree(lines).query(lines, predicate="intersects")
    pairs = first < second
    met = shapely.intersection(lines[first[pairs]], lines[second[pairs]])
    assert set(shapely.get_type_id(met)) <= {0, 4}
    vertices = {tuple(v) for v in shapely.get_coordinates(lines)}
    assert {tuple(v) for v in shapely.get_coordinates(met)} <= vertices


def test_kinds_and_names(place):
    assert set(place.lines["kind"]) == {"street", "arterial", "rail", "river", "wall"}
    assert set(place.bridges["kind"]) == {"bridge"}
    assert (place.lines["name"].str.len() > 1).all()
    assert place.lines["id"].is_unique
    assert set(place.lines.geom_type) == {"LineString"}


def test_bridges_are_on_a_road_and_on_water_or_rails(place, local):
    points = local(place.bridges.geometry)
    lines = place.lines

    def distance(kinds):
        union = shapely.union_all(local(lines[lines["kind"].isin(kinds)].geometry))
        return shapely.distance(points, union)

    assert distance(["river", "rail"]).max() < 0.01
    assert distance(["arterial", "street"]).max() < 0.01
    in_town = np.hypot(*shapely.get_coordinates(points).T) < 2_500
    over_river = place.bridges["name"].str.endswith("路桥").to_numpy()
    assert 4 <= (in_town & over_river).sum() <= 5
    assert (in_town & ~over_river).sum() == 3


def test_no_road_crosses_water_without_a_bridge(place, local):
    lines = place.lines
    roads = local(lines[lines["kind"].isin(["arterial", "street"])].geometry)
    water = shapely.union_all(local(lines[lines["kind"].isin(["river", "rail"])].geometry))
    bridges = shapely.union_all(local(place.bridges.geometry))
    for road in roads[shapely.crosses(roads, water)]:
        for point in shapely.get_parts(road.intersection(water)):
            at_the_end = point.distance(shapely.boundary(road)) < 5
            assert at_the_end or point.distance(bridges) < 0.1


def test_walls_have_gates(place):
    walls = place.lines[place.lines["kind"] == "wall"]
    assert len(walls) > 100
    assert not shapely.is_closed(walls.geometry.to_numpy()).any()
