"""Two years of invented incidents with the seasons, hot spots and systems that real ones have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely

from gis.crs import to_wgs84

CODES = {
    "marriage_family", "neighbour", "housing", "contract", "business", "damages", "land_forest",
    "land_acquisition", "environment", "migrant_wages", "labour", "tourism", "e_commerce",
    "consumer", "medical", "traffic", "property_management", "other",
}  # fmt: skip


@pytest.fixture(scope="module")
def incidents(place):
    return place.incidents


@pytest.fixture(scope="module")
def reported(incidents):
    return pd.to_datetime(incidents["reported_at"])


@pytest.fixture(scope="module")
def positions(incidents):
    """WGS 84 positions of the incidents that have one, converted by what `crs` says."""
    placed = incidents.dropna(subset=["lon"])
    lonlat = placed[["lon", "lat"]].to_numpy(copy=True)
    for system in ("gcj02", "bd09"):
        here = (placed["crs"] == system).to_numpy()
        lonlat[here] = np.column_stack(to_wgs84(lonlat[here, 0], lonlat[here, 1], system))
    return placed.assign(lon=lonlat[:, 0], lat=lonlat[:, 1])


def test_eighteen_types_and_eighteen_thousand_rows(incidents):
    assert len(incidents) == 18_000
    assert set(incidents["category"]) == CODES
    assert incidents["category"].value_counts().min() > 200
    assert incidents["id"].is_unique
    assert set(incidents["severity"]) == {"simple", "general", "difficult", "major"}
    assert set(incidents["source"]) == {"hotline12345", "grid_app", "walk_in", "police", "qr"}


def test_times_are_in_order_and_have_chinas_offset(incidents, place):
    for column in ("occurred_at", "reported_at"):
        assert incidents[column].str.endswith("+08:00").all()
    occurred = pd.to_datetime(incidents["occurred_at"])
    reported = pd.to_datetime(incidents["reported_at"])
    closed = pd.to_datetime(incidents["closed_at"].replace("", None))
    assert (occurred <= reported).all()
    assert (closed.dropna() > reported[closed.notna()]).all()
    end = pd.Timestamp(place.until, tz="Asia/Shanghai") + pd.Timedelta(days=1)
    assert reported.max() < end
    assert closed.max() < end
    assert occurred.min() >= end - pd.Timedelta(days=730)
    assert reported.is_monotonic_increasing
    assert 50 < closed.isna().sum() < 1_000


def test_seasons(incidents, reported):
    def share(code, months):
        return reported[incidents["category"] == code].dt.month.isin(months).mean()

    assert share("tourism", [6, 7, 8, 9]) > 0.6
    assert share("land_forest", [3, 4, 5]) > 0.38
    assert share("property_management", [10, 11, 12, 1, 2, 3]) > 0.6
    assert share("migrant_wages", [12, 1, 2]) > 0.5


def test_wages_peak_in_the_six_weeks_before_spring_festival(incidents, reported):
    wages = reported[incidents["category"] == "migrant_wages"]
    festival = pd.Timestamp(2026, 2, 17, tz="Asia/Shanghai")
    before = wages.between(festival - pd.Timedelta(days=45), festival).sum()
    after = wages.between(festival, festival + pd.Timedelta(days=45)).sum()
    assert before > 4 * after


def test_weekends_and_nights_are_quieter_but_not_for_the_police(incidents, reported):
    assert reported.dt.day_of_week.isin([5, 6]).mean() < 0.25
    night = reported.dt.hour.isin([22, 23, 0, 1, 2, 3, 4])
    police = incidents["source"] == "police"
    assert night[police].mean() > 2 * night[~police].mean()


def test_systems_are_shared_out_as_platforms_do(incidents):
    share = incidents["crs"].value_counts(normalize=True)
    assert share["wgs84"] == pytest.approx(0.75, abs=0.02)
    assert share["gcj02"] == pytest.approx(0.20, abs=0.02)
    assert share["bd09"] == pytest.approx(0.05, abs=0.01)


def test_all_but_ten_lie_in_the_county_once_converted(place, positions):
    county = place.units[place.units["level"] == "county"].geometry.iloc[0]
    inside = shapely.contains_xy(county, positions["lon"], positions["lat"])
    assert (~inside).sum() == 10
    assert (positions.loc[~inside, "lat"] < 45.1).all()


def test_twenty_have_an_address_and_no_place(incidents, place):
    unplaced = incidents[incidents["lon"].isna()]
    assert len(unplaced) == 20
    assert unplaced[["lat", "accuracy_m"]].isna().all(axis=None)
    known = set(place.buildings["address"])
    assert all(a in known or a[:-3] in known for a in unplaced["address"])


def test_some_addresses_come_back(incidents):
    flats = incidents["address"].str.replace(r"\d单元$", "", regex=True)
    houses = flats[flats.str.contains("村|巷")]
    assert (houses.value_counts() >= 4).sum() >= 5


def test_hot_spots_stand_out(incidents, positions):
    trouble = positions[positions["category"] == "migrant_wages"]
    cell = (trouble["lon"] / 0.004).astype(int).astype(str) + (trouble["lat"] / 0.003).astype(
        int
    ).astype(str)
    counts = cell.value_counts()
    assert counts.iloc[0] > 8 * counts.median()


def test_texts_are_marked_and_name_nobody(incidents):
    assert incidents["text"].str.startswith("【虚构】").all()
    assert not incidents["text"].str.contains(r"先生|女士|某|电话|\d{6,}", regex=True).any()
