"""Where a rate differs from the mean: rarely on quiet maps, and where it was made to."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from maps import heatmap_text as text
from maps.contours import differences
from maps.smoothing import density
from maps.tolerance import SCORE, scores
from tests.maps.heatmaps import EAST, NORTH, SOUTH, WEST, a_heatmap

BOX, SHAPE = (0.0, 0.0, 5_000.0, 5_000.0), (60, 60)


@pytest.mark.parametrize("n", [60, 1_000])
def test_quiet_maps_are_ringed_as_often_as_they_say(n: int) -> None:
    """Monte Carlo: events drawn from the households themselves, uneven as they live."""
    rng = np.random.default_rng(3)
    town = np.vstack([rng.random((600, 2)) * 5_000, rng.normal(2_500, 400, (600, 2))])
    households = rng.integers(1, 40, len(town)).astype(float)
    above = below = 0.0
    rounds = 60
    for _ in range(rounds):
        drawn = rng.choice(len(town), n, p=households / households.sum())
        events = density(town[drawn], BOX, SHAPE, 300.0)
        z = scores(events, n, town, households, bbox_m=BOX, bandwidth_m=300.0)
        above += np.nanmean(z > SCORE) / rounds
        below += np.nanmean(z < -SCORE) / rounds
    assert above == pytest.approx(0.025, abs=0.009)
    # Where not even zero events would be too few, nothing can be called lower.
    assert below == pytest.approx(0.025, abs=0.009) if n == 1_000 else below <= 0.03


def uneven() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Households all over, their events three times as frequent in the middle, rare in the east."""
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(WEST, EAST, 3_000), rng.uniform(SOUTH, NORTH, 3_000)
    households = rng.integers(1, 30, 3_000).astype(float)
    risk = np.where(np.hypot((lon - 116.05) * 80, (lat - 43.94) * 111) < 0.8, 3.0, 1.0)
    risk[lon > 116.065] = 0.3
    drawn = rng.choice(3_000, 900, p=households * risk / (households * risk).sum())
    return lon, lat, households, drawn


def test_higher_and_lower_places_are_found_and_named() -> None:
    lon, lat, households, drawn = uneven()
    heatmap = a_heatmap(
        lon=lon[drawn],
        lat=lat[drawn],
        per="households",
        households=(lon, lat, households),
        case_team=True,
    )
    assert heatmap.mean == pytest.approx(1000 * 900 / households.sum() * 30 / 31)
    frame = differences(heatmap).set_index("difference")
    assert frame.crs.to_epsg() == 4326
    assert frame.is_valid.all()
    assert frame.loc["higher"].geometry.contains(shapely.Point(116.05, 43.94))
    assert frame.loc["lower"].geometry.contains(shapely.Point(116.073, 43.94))
    assert not frame.loc["higher"].geometry.intersects(frame.loc["lower"].geometry)
    assert set(frame["level"]) == {0.05}
    assert "Pearson III" in frame["method"].iloc[0]
    said = " ".join(text.notes(heatmap, "en")).replace("\u00a0", " ")
    assert f"The mean of the area is {heatmap.mean:.3g}" in said
    assert "5 % at each place" in said
    assert "皮尔逊III型" in "".join(text.notes(heatmap, "zh"))


def test_a_density_per_area_and_a_map_of_nothing_have_no_difference() -> None:
    lon, lat, households, _ = uneven()
    none = a_heatmap(lon=[], lat=[], per="households", households=(lon, lat, households))
    for heatmap in (a_heatmap(), none):
        assert heatmap.score is None
        assert heatmap.mean is None
        assert differences(heatmap).empty


def test_a_shared_map_has_no_mean_to_count_its_events_by() -> None:
    lon, lat, households, drawn = uneven()
    heatmap = a_heatmap(
        lon=lon[drawn],
        lat=lat[drawn],
        per="households",
        households=(lon, lat, households),
        case_team=False,
    )
    assert heatmap.shared
    assert heatmap.score is None
    assert heatmap.mean is None
    assert differences(heatmap).empty
