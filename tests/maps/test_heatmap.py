from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from gis.errors import BadInput
from maps import heatmap_text as text
from maps.heatmap import Heatmap, build
from tests.maps.heatmaps import AREA, COUNTY, HOT_SPOT, SHANGHAI, a_heatmap, events, rates


def problems(error: pytest.ExceptionInfo[BadInput]) -> set[str | None]:
    return {problem.field for problem in error.value.problems}


def test_values_are_events_per_km2_per_30_days() -> None:
    heatmap = a_heatmap(start=datetime(2025, 7, 1, tzinfo=SHANGHAI))
    area_km2 = abs(Geod(ellps="WGS84").geometry_area_perimeter(AREA)[0]) / 1e6
    mean = float(np.nanmean(heatmap.values))
    assert heatmap.days == 31
    # Over the whole area the density averages to the events, up to what reaches over the edge.
    assert mean == pytest.approx(400 / area_km2 * 30 / 31, rel=0.02)


def test_the_same_events_over_twice_the_time_are_half_as_dense() -> None:
    one = a_heatmap(end=datetime(2025, 7, 31, tzinfo=SHANGHAI))
    two = a_heatmap(end=datetime(2025, 8, 30, tzinfo=SHANGHAI))
    np.testing.assert_allclose(two.values * 2, one.values)


def test_the_highest_value_is_at_the_hot_spot() -> None:
    heatmap = a_heatmap()
    row, column = np.unravel_index(np.nanargmax(heatmap.values), heatmap.values.shape)
    x = heatmap.bbox_m[0] + (column + 0.5) * heatmap.cell_m
    y = heatmap.bbox_m[1] + (row + 0.5) * heatmap.cell_m
    at = gpd.GeoSeries([shapely.Point(x, y)], crs=heatmap.crs).to_crs(4326)[0]
    assert Geod(ellps="WGS84").line_length(*zip(HOT_SPOT, (at.x, at.y), strict=True)) < 300


def test_events_outside_and_without_a_place_are_counted_not_drawn() -> None:
    lon, lat = events(100)
    lon, lat = np.append(lon, [np.nan, 117.0, 116.0]), np.append(lat, [44.0, 43.94, np.nan])
    heatmap = a_heatmap(lon=lon, lat=lat)
    assert (heatmap.n, heatmap.n_outside, heatmap.n_without_place) == (100, 1, 2)
    np.testing.assert_array_equal(heatmap.values, a_heatmap(100).values)
    assert "1 outside the area, 2 without coordinates" in " ".join(text.notes(heatmap, "en"))
    assert "区域外1件、无坐标2件" in " ".join(text.notes(heatmap, "zh"))


def test_small_counts_of_what_is_left_out_are_not_shared() -> None:
    lon, lat = events(100)
    lon, lat = np.append(lon, [117.0] * 4), np.append(lat, [43.94] * 4)
    words = " ".join(text.notes(a_heatmap(lon=lon, lat=lat, case_team=False), "en"))
    assert "fewer than 5 outside the area" in words
    assert "区域外少于5件" in " ".join(
        text.notes(a_heatmap(lon=lon, lat=lat, case_team=False), "zh")
    )
    lon, lat = np.append(lon, 117.0), np.append(lat, 43.94)
    assert "5 outside the area" in " ".join(
        text.notes(a_heatmap(lon=lon, lat=lat, case_team=False), "en")
    )


def test_an_event_on_the_border_of_the_area_counts() -> None:
    lon, lat = events(10)
    heatmap = a_heatmap(lon=np.append(lon, AREA.bounds[0]), lat=np.append(lat, 43.94))
    assert (heatmap.n, heatmap.n_outside) == (11, 0)


def test_no_events_are_zero_and_said_so() -> None:
    heatmap = a_heatmap(lon=[], lat=[])
    assert heatmap.n == 0
    assert heatmap.maximum == 0
    assert not heatmap.suppressed
    assert (heatmap.values[np.isfinite(heatmap.values)] == 0).all()
    assert text.notes(heatmap, "en") == ["No events in this period."]


@pytest.mark.parametrize("n", [1, 4])
def test_fewer_than_five_events_are_blank(n: int) -> None:
    heatmap = a_heatmap(n, case_team=False)
    assert heatmap.suppressed
    assert heatmap.n is None
    assert np.isnan(heatmap.values).all()
    assert text.count(heatmap, "zh") == "少于5件"
    assert text.notes(heatmap, "en") == ["Fewer than 5 events: not shown."]


def test_the_case_team_sees_a_single_event_and_five_are_for_all() -> None:
    one = a_heatmap(1)
    assert one.n == 1
    # The peak of one Gaussian of 300 m: 1 / (2 pi 0.3^2) per km^2, 30 of 31 days.
    assert one.maximum == pytest.approx(30 / 31 / (2 * np.pi * 0.09), rel=0.01)
    assert not a_heatmap(5, case_team=False).suppressed


def test_without_an_area_few_events_would_show_where_they_were() -> None:
    with pytest.raises(BadInput, match="no area"):
        a_heatmap(3, area=None, case_team=False)


def test_all_events_on_one_point_make_one_kernel() -> None:
    heatmap = a_heatmap(lon=[HOT_SPOT[0]] * 90, lat=[HOT_SPOT[1]] * 90, area=None)
    assert heatmap.maximum == pytest.approx(90 * 30 / 31 / (2 * np.pi * 0.09), rel=0.01)


def test_no_events_and_no_area_have_no_place() -> None:
    with pytest.raises(BadInput, match="no place to draw"):
        a_heatmap(lon=[], lat=[], area=None)


def test_households_give_a_rate_and_few_of_them_none() -> None:
    homes_lon = np.repeat(np.linspace(116.02, 116.05, 40), 40)
    homes_lat = np.tile(np.linspace(43.92, 43.96, 40), 40)
    counts = np.full(1_600, 3.0)
    heatmap = a_heatmap(
        lon=homes_lon, lat=homes_lat, per="households", households=(homes_lon, homes_lat, counts)
    )
    # One event for every three households: 333 per 1,000 in 31 days, everywhere alike.
    known = heatmap.values[np.isfinite(heatmap.values)]
    np.testing.assert_allclose(known, 1000 / 3 * 30 / 31, rtol=1e-6)
    assert np.isnan(heatmap.values[40, -10])  # The empty east.
    assert text.unit(heatmap, "zh") == "每千户每30天件数"


def near(heatmap: Heatmap, lon: float, lat: float) -> tuple[int, int]:
    """Row and column of the cell that holds a place."""
    x, y = gpd.GeoSeries([shapely.Point(lon, lat)], crs=4326).to_crs(heatmap.crs)[0].coords[0]
    west, south = heatmap.bbox_m[:2]
    return int((y - south) // heatmap.cell_m), int((x - west) // heatmap.cell_m)


def test_a_shared_map_of_rates_hides_counts_under_five_and_says_so() -> None:
    shared, team = rates(), rates(case_team=True)
    village, quiet, steppe = (
        near(shared, *at) for at in ((115.8, 44.2), (116.4, 43.75), (115.7, 43.7))
    )
    # Three events would count as six over the kernel's area; they are three all the same.
    assert shared.hidden[village]
    assert np.isnan(shared.values[village])
    assert team.values[village] > 0
    # None is fewer than five, too: a zero beside hidden places would tell where they end.
    assert shared.hidden[quiet]
    assert team.values[quiet] < 1e-9
    # Where nobody lives nothing is hidden: there is nothing.
    assert shared.no_data[steppe]
    assert not shared.hidden[steppe]
    assert not team.hidden.any()
    assert not (shared.no_data & shared.hidden).any()
    np.testing.assert_array_equal(shared.no_data, team.no_data)
    # Two figures: from exact values the events could be computed back.
    seen = team.values[near(team, *HOT_SPOT)]
    assert shared.values[near(shared, *HOT_SPOT)] == float(f"{seen:.1e}") != seen
    sentence = "where fewer than 5 incidents, or none, lie under the kernel nothing is shown"
    assert sentence in " ".join(text.notes(shared, "en"))
    assert "事件少于5件（含0件）处不予显示" in " ".join(text.notes(shared, "zh"))
    assert sentence not in " ".join(text.notes(team, "en"))


def test_a_rate_of_more_than_five_at_one_place_is_shared() -> None:
    heatmap = rates(far=6)
    assert heatmap.values[near(heatmap, 115.8, 44.2)] > 0


def test_no_events_at_all_leave_nothing_to_hide() -> None:
    heatmap = a_heatmap(lon=[], lat=[], per="households", households=([116.05], [43.94], [300]))
    assert not heatmap.hidden.any()
    assert heatmap.no_data.any()
    assert "hidden" not in " ".join(text.notes(heatmap, "en"))


def test_densities_have_no_gaps_and_a_blank_map_is_all_hidden() -> None:
    heatmap = a_heatmap()
    assert not heatmap.no_data.any()
    assert not heatmap.hidden.any()
    blank = a_heatmap(3, case_team=False)
    assert (blank.hidden == np.isfinite(heatmap.values)).all()
    assert not blank.no_data.any()
    assert blank.bulk_m is None


def test_a_lone_event_leaves_no_trace_in_a_shared_density() -> None:
    """Beside a town, one event far off and none far off are the same picture."""
    lon, lat = events(200)
    far = near(a_heatmap(area=COUNTY, cell_m=150), 115.8, 44.2)
    with_one = a_heatmap(lon=np.append(lon, 115.8), lat=np.append(lat, 44.2), area=COUNTY,
                         cell_m=150, case_team=False)  # fmt: skip
    without = a_heatmap(200, area=COUNTY, cell_m=150, case_team=False)
    assert with_one.hidden[far]
    np.testing.assert_array_equal(with_one.hidden, without.hidden)
    np.testing.assert_array_equal(with_one.values, without.values)
    assert with_one.n == without.n == 200
    assert with_one.values[near(with_one, *HOT_SPOT)] > 0
    assert (with_one.bulk_m, with_one.bbox_m) == (without.bulk_m, without.bbox_m)


def test_what_is_made_up_for_the_edge_of_the_area_is_no_event() -> None:
    """Four events in a corner count up to sixteen there; they are four all the same."""
    corner = ([AREA.bounds[0]] * 4, [AREA.bounds[1]] * 4)
    lon, lat = (np.append(each, more) for each, more in zip(events(100), corner, strict=True))
    heatmap = a_heatmap(lon=lon, lat=lat, case_team=False)
    assert heatmap.hidden[near(heatmap, AREA.bounds[0] + 0.0006, AREA.bounds[1] + 0.0006)]
    assert not heatmap.hidden[near(heatmap, *HOT_SPOT)]


def test_the_bulk_of_a_wide_county_is_its_town() -> None:
    heatmap = a_heatmap(area=COUNTY, cell_m=150)
    assert heatmap.bulk_bounds is not None
    west, south, east, north = heatmap.bulk_bounds
    assert west < HOT_SPOT[0] < east
    assert south < HOT_SPOT[1] < north
    assert east - west < 0.06
    assert north - south < 0.06
    # The town alone is nearly all bulk: there is no second view of it.
    assert a_heatmap().bulk_m is None


def test_names_are_in_the_language_of_the_map() -> None:
    heatmap = a_heatmap(place_en="Demo Banner")
    assert text.subtitle(heatmap, "zh")[:2] == ["示范旗", "邻里纠纷"]
    assert text.subtitle(heatmap, "en")[:2] == ["Demo Banner", "邻里纠纷"]


def test_a_far_event_does_not_make_a_giant_raster() -> None:
    lon, lat = events(100)
    with pytest.raises(BadInput) as caught:
        a_heatmap(lon=np.append(lon, 60.0), lat=np.append(lat, 20.0), area=None)
    assert "the largest possible is 4,096 x 4,096" in str(caught.value)
    assert "Give a bandwidth of at least" in str(caught.value)
    # Nobody spoke of cells: they follow from the bandwidth.
    assert problems(caught) == {"bandwidth_m"}
    with pytest.raises(BadInput, match="Use cells of at least") as caught:
        a_heatmap(lon=np.append(lon, 60.0), lat=np.append(lat, 20.0), area=None, cell_m=50)
    assert problems(caught) == {"cell_m"}


def test_the_least_bandwidth_of_a_wide_area_is_one_that_does() -> None:
    area = shapely.box(116.0, 43.7, 117.0, 44.7)
    with pytest.raises(BadInput, match="cells are too many") as caught:
        a_heatmap(area=area, bandwidth_m=60)
    least = re.search(r"a bandwidth of at least ([\d,]+) m", str(caught.value))
    assert least is not None
    metres = int(least[1].replace(",", ""))
    assert a_heatmap(area=area, bandwidth_m=metres).bandwidth_m == metres


def test_every_wrong_argument_is_named_at_once() -> None:
    moment = datetime(2025, 7, 1, tzinfo=SHANGHAI)
    with pytest.raises(BadInput) as caught:
        a_heatmap(
            start=moment, end=moment, bandwidth_m=0, cell_m=-1, timezone="Mars", per="households"
        )
    assert problems(caught) == {"end", "bandwidth_m", "cell_m", "timezone", "households"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bandwidth_m": 50_000}, "at most 20,000 m"),
        ({"bandwidth_m": 15_000, "cell_m": 500}, "wider than the area"),
        ({"bandwidth_m": 40, "cell_m": 50}, "at least 50 m"),
        ({"start": datetime(2025, 7, 1)}, "no time zone"),  # noqa: DTZ001
        ({"lon": [43.9], "lat": [116.0]}, "longitude first"),
        ({"lon": [np.inf], "lat": [43.9]}, "beyond 180"),
        ({"lon": [1.0, 2.0], "lat": [1.0]}, "2 longitudes and 1 latitudes"),
        ({"area": shapely.Point(116, 43)}, "is a Point"),
        ({"area": shapely.Polygon()}, "is empty"),
        ({"area": shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])}, "not valid"),
        ({"area": shapely.box(500_000, 4e6, 5.1e5, 4.1e6)}, "not in degrees"),
        ({"area": shapely.box(116.02, 43.92, 116.020001, 43.96), "cell_m": 300}, "no centre"),
        ({"per": "households", "households": ([116.0], [43.9], [-1])}, "negative"),
        ({"per": "households", "households": ([116.0], [43.9], [1, 2])}, "2 counts for 1"),
    ],
)
def test_wrong_requests_are_refused_with_the_way_out(changes: dict, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        a_heatmap(**changes)
    assert words in str(caught.value)


def test_the_last_day_is_shown_as_included() -> None:
    heatmap = a_heatmap()
    assert text.period(heatmap, "zh") == "2025年7月1日至2025年7月31日（31天）"
    assert text.period(heatmap, "en") == "2025-07-01 to 2025-07-31 (31 days)"
    one = a_heatmap(end=datetime(2025, 7, 2, tzinfo=SHANGHAI))
    assert text.period(one, "en") == "2025-07-01 (1 day)"


def test_dates_are_local_and_a_cut_day_shows_its_hour() -> None:
    moments = {
        "start": datetime(2025, 6, 30, 16, tzinfo=UTC),
        "end": datetime(2025, 7, 31, 16, tzinfo=UTC),
    }
    assert text.period(a_heatmap(**moments), "en") == "2025-07-01 to 2025-07-31 (31 days)"
    cut = a_heatmap(end=datetime(2025, 7, 8, 12, 30, tzinfo=SHANGHAI))
    assert text.period(cut, "en") == "2025-07-01 00:00 to 2025-07-08 12:30 (Asia/Shanghai)"


def test_the_area_may_be_in_any_crs_and_in_parts() -> None:
    whole = a_heatmap()
    west, south, east, north = AREA.bounds
    halves = gpd.GeoSeries(
        [shapely.box(west, south, 116.05, north), shapely.box(116.05, south, east, north)], crs=4326
    )
    parts = a_heatmap(area=halves.to_crs(4547))
    assert parts.n == whole.n
    assert abs(parts.maximum - whole.maximum) / whole.maximum < 1e-3


@pytest.mark.real
def test_houston(real_data: Path) -> None:
    rows = pd.read_parquet(real_data / "incidents_houston" / "crime_2010.parquet")
    heatmap = build(
        rows["lon"],
        rows["lat"],
        start=datetime(2010, 1, 1, 6, tzinfo=UTC),
        end=datetime(2010, 9, 1, 5, tzinfo=UTC),
        area=shapely.box(-95.8, 29.5, -95.0, 30.15),
        timezone="America/Chicago",
    )
    assert heatmap.n_without_place == 5
    assert 150 < heatmap.n_outside < 300
    assert heatmap.n is not None
    assert heatmap.n + heatmap.n_outside + heatmap.n_without_place == len(rows) == 85_936
    assert 140 < heatmap.maximum < 170
    assert text.period(heatmap, "en") == "2010-01-01 to 2010-08-31 (243 days)"
