"""Maps side by side and one after another: one legend, one raster, nothing that misleads."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gis.errors import BadInput
from maps.heatmap import Heatmap
from maps.print_series import write_animation, write_sheet
from maps.series import Part, Series, in_time, periods, together
from tests.maps.heatmaps import COUNTY, SHANGHAI, a_heatmap, events

START, END = datetime(2025, 6, 29, tzinfo=SHANGHAI), datetime(2025, 9, 1, tzinfo=SHANGHAI)


def months(**changes: object) -> Series:
    def make(start: datetime, end: datetime) -> Heatmap:
        return a_heatmap(120 * start.month, start=start, end=end, **changes)

    return in_time(a_heatmap(2_000, start=START, end=END, **changes), "month", make)


def test_a_period_is_cut_at_local_months_and_mondays() -> None:
    cut = periods(START, END, "month", "Asia/Shanghai")
    assert [f"{a:%m-%d}" for a, _ in cut] == ["06-29", "07-01", "08-01"]
    assert cut[0][0] == START
    assert cut[-1][1] == END
    assert all(a[1] == b[0] for a, b in pairwise(cut))
    weeks = periods(START, END, "week", "Asia/Shanghai")
    assert all(a.weekday() == 0 for a, _ in weeks[1:])
    assert {b - a for a, b in weeks[1:-1]} == {timedelta(days=7)}


def test_days_of_a_change_of_clocks_begin_at_midnight() -> None:
    start, end = datetime(2025, 3, 1, tzinfo=SHANGHAI), datetime(2025, 5, 1, tzinfo=SHANGHAI)
    weeks = periods(start, end, "week", "America/Chicago")
    assert {a.hour for a, _ in weeks[1:]} == {0}


def test_too_many_steps_are_refused() -> None:
    with pytest.raises(BadInput, match="more than 120 weeks"):
        periods(START, START + timedelta(days=900), "week", "Asia/Shanghai")


def test_a_few_days_at_the_edge_are_no_map_of_their_own() -> None:
    series = months()
    assert [part.en for part in series.parts] == ["2025-07", "2025-08"]
    assert series.parts[0].zh == "2025年7月"
    assert series.short_parts


def test_one_legend_reaches_up_to_the_highest_of_all() -> None:
    series = months()
    highest = max(series.whole.maximum, *(part.heatmap.maximum for part in series.parts))
    assert highest == series.maximum
    month_above = together(a_heatmap(100), [Part(a_heatmap(), "五月", "May")])
    assert month_above.maximum == a_heatmap().maximum > month_above.whole.maximum
    assert series.breaks[-1] < highest
    assert series.breaks[-1] * 2.5 >= highest


def test_without_an_area_there_is_nothing_to_compare() -> None:
    with pytest.raises(BadInput, match="need an area"):
        months(area=None)
    with pytest.raises(BadInput, match="one raster"):
        together(a_heatmap(), [Part(a_heatmap(cell_m=100), "a", "a")])


@pytest.mark.parametrize(("name", "magic"), [("s.png", b"\x89PNG"), ("s.pdf", b"%PDF")])
def test_a_sheet_is_written(tmp_path: Path, name: str, magic: bytes) -> None:
    write_sheet(months(), tmp_path / name, language="en", paper="A3")
    assert (tmp_path / name).read_bytes().startswith(magic)
    if name == "s.png":
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (3306, 2339)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_has_a_frame_for_each_part(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    write_animation(months(), path)
    with Image.open(path) as picture:
        assert picture.n_frames == 2
        first = np.asarray(picture.convert("RGB")).astype(int)
        picture.seek(1)
        second = np.asarray(picture.convert("RGB")).astype(int)
    assert first.shape == (827, 1169, 3)
    # The map and the period differ; the legend on the right does not.
    assert np.abs(first - second)[80:750, :800].max() > 60
    assert np.abs(first - second)[140:320, 880:910].max() < 12


def test_what_is_enlarged_stays_where_it_is(tmp_path: Path) -> None:
    """Frames differ in what they note, and one without notes has more room."""
    far = ([115.7] * 3, [43.7] * 3)
    lon, lat = (np.append(each, more) for each, more in zip(events(), far, strict=True))
    more = {"area": COUNTY, "cell_m": 150, "bandwidth_m": 300.0}
    first = a_heatmap(**more)
    second = a_heatmap(lon=np.append(lon, 120.0), lat=np.append(lat, 44.0), **more)
    assert second.n_outside == 1  # told in a note
    series = together(first, [Part(first, "一", "1"), Part(second, "二", "2")])
    write_animation(series, tmp_path / "moving.png")
    with Image.open(tmp_path / "moving.png") as picture:
        frames = []
        for frame in (0, 1):
            picture.seek(frame)
            frames.append(np.asarray(picture.convert("RGB")).astype(int))
    # The frame of what is enlarged, and the highest class in it, at the same place.
    assert np.abs(frames[0] - frames[1])[620:752, 870:1125].max() < 60


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    series = months()
    with pytest.raises(BadInput, match=r"not \.png or \.pdf"):
        write_sheet(series, tmp_path / "s.tif")
    with pytest.raises(BadInput, match="does not move"):
        write_animation(series, tmp_path / "s.pdf")
    many = Series(series.whole, series.parts * 13, series.breaks)
    with pytest.raises(BadInput, match="26 maps on one sheet"):
        write_sheet(many, tmp_path / "s.png")
    assert list(tmp_path.iterdir()) == []
