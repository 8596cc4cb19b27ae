"""The demo's units tile their parents exactly and are numbered as GB/T 10114 says."""

from __future__ import annotations

import pytest
import shapely

LENGTHS = {"province": 2, "prefecture": 4, "county": 6, "township": 9, "village": 12}


def test_villages_are_a_coverage(villages):
    shapes = villages.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_valid(shapes).all()
    assert set(villages.geom_type) == {"Polygon"}


@pytest.mark.parametrize("level", ["county", "township"])
def test_each_unit_is_the_union_of_its_villages(place, villages, level):
    for unit in place.units[place.units["level"] == level].itertuples():
        parts = villages[villages["code"].str.startswith(unit.code)].geometry.to_numpy()
        union = shapely.coverage_union_all(parts)
        assert unit.geometry.normalize().equals_exact(union.normalize(), 0.0)


def test_townships_are_a_coverage_of_the_county(place):
    townships = place.units[place.units["level"] == "township"].geometry.to_numpy()
    county = place.units[place.units["level"] == "county"].geometry.iloc[0]
    assert shapely.coverage_is_valid(townships)
    assert shapely.coverage_union_all(townships).symmetric_difference(county).area == 0


def test_codes_have_the_length_of_their_level_and_the_prefix_of_their_parent(place):
    units = place.units
    assert units["code"].is_unique
    assert (units["code"].str.len() == units["level"].map(LENGTHS)).all()
    assert units["code"].str.startswith("99").all()
    known = set(units["code"])
    for code, parent in zip(units["code"], units["parent"], strict=True):
        assert code.startswith(parent)
        assert parent == "" or parent in known


def test_township_numbers_tell_the_kind(place):
    townships = place.units[place.units["level"] == "township"]
    for unit in townships.itertuples():
        number = int(unit.code[6:])
        expected = {
            range(1, 100): "街道",
            range(100, 200): "镇",
            range(200, 400): "苏木",
        }
        assert any(number in span and unit.name.endswith(end) for span, end in expected.items())


def test_sizes_are_as_told(place, villages, local):
    counts = villages["area_type"].value_counts()
    assert 20 <= counts["urban"] <= 30
    assert counts["rural"] == 30
    assert counts["pastoral"] == 12
    county = local(place.units[place.units["level"] == "county"].geometry)[0]
    assert 2_300e6 < county.area < 2_900e6


def test_every_unit_says_that_it_is_invented(place):
    assert (place.units["source"] == "demo").all()
    assert place.units["name_en"].str.contains("Demo|demo|Sample|Showcase|Fiction|Example").all()
    assert place.units["name"].is_unique


def test_the_border_is_the_countys_edge_and_names_our_side(place, local):
    county = local(place.units[place.units["level"] == "county"].geometry)[0]
    for border, line in zip(place.borders.itertuples(), local(place.borders.geometry), strict=True):
        assert line.distance(county.exterior) < 0.05
        assert shapely.hausdorff_distance(line, line.intersection(county.exterior.buffer(1))) < 1
        sign = {"left": 1, "right": -1}[border.side]
        beside = shapely.offset_curve(line.simplify(400), sign * 700)
        assert beside.intersection(county).length > 0.97 * beside.length


def test_no_community_lies_on_both_sides_of_the_river_or_the_railway(place, villages, local):
    urban = shapely.buffer(local(villages[villages["area_type"] == "urban"].geometry), -3)
    lines = place.lines[place.lines["kind"].isin(["river", "rail"])]
    walls = shapely.union_all(local(lines.geometry))
    assert shapely.length(shapely.intersection(urban, walls)).sum() == 0
