"""The sheet and the page: both hatchings, both languages, nothing hidden in the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from shapely import box

from gis.errors import BadInput
from maps.gridmaps.page import write_page
from maps.gridmaps.sheet import write_sheet
from maps.palettes import NOT_KNOWN, NOT_KNOWN_MARK
from tests.maps.gridmaps.places import a_gridmap, some_grids


def pixels(path: Path) -> np.ndarray:
    return (image.imread(path)[..., :3] * 255).round().astype(int)


def test_the_sheet_has_the_colours_of_its_classes_and_both_hatchings(tmp_path: Path) -> None:
    made = a_gridmap(shared=True)
    write_sheet(made, tmp_path / "map.png")
    seen = pixels(tmp_path / "map.png")
    height, width = seen.shape[:2]
    assert (width, height) == (2338, 1654)
    frame = seen[:, : int(0.72 * width)].reshape(-1, 3)
    for number, colour in enumerate(made.colours):
        assert (frame == colour).all(axis=1).any() == bool((made.classes == number).any())
    for colour in (NOT_KNOWN, NOT_KNOWN_MARK):
        assert (frame == colour).all(axis=1).sum() > 1000


def test_a3_is_larger_and_pdf_has_its_letters(tmp_path: Path) -> None:
    write_sheet(a_gridmap(), tmp_path / "map.png", paper="A3", language="en")
    assert pixels(tmp_path / "map.png").shape[1] == pytest.approx(2338 * 2**0.5, abs=2)
    write_sheet(a_gridmap(), tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")


def test_a_town_among_vast_grids_is_shown_larger(tmp_path: Path) -> None:
    grids = some_grids()
    shapes = grids.shapes.copy()
    shapes[0] = box(115.4, 43.0, 116.0, 43.9)  # beside the others, and far larger than all
    made = a_gridmap(grids=replace(grids, shapes=shapes))
    write_sheet(made, tmp_path / "map.png")
    height, width = pixels(tmp_path / "map.png").shape[:2]
    column = slice(int(0.5 * height), int(0.92 * height)), slice(int(0.75 * width), width)
    below = pixels(tmp_path / "map.png")[column].reshape(-1, 3)
    for colour in made.colours[-2:]:
        assert (below == colour).all(axis=1).sum() > 500
    write_sheet(a_gridmap(), tmp_path / "map.png")
    below = pixels(tmp_path / "map.png")[column].reshape(-1, 3)
    for colour in made.colours[-2:]:
        assert not (below == colour).all(axis=1).any()


def test_the_page_holds_nothing_of_what_is_hidden_and_loads_nothing(tmp_path: Path) -> None:
    made = a_gridmap(shared=True, measure="count", about={"title": "<script>alert(1)</script>"})
    write_page(made, tmp_path / "map.html")
    text = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "default-src 'none'" in text
    assert text.count('"state": "hidden"') == made.hidden.sum()
    assert "url(#wangge-hidden)" in text
    write_page(a_gridmap(), tmp_path / "team.html", language="en")
    assert (tmp_path / "team.html").read_text().count('"state": "unknown"') == 2


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        write_sheet(a_gridmap(), tmp_path / "map.gif", language="de", paper="A5")  # type: ignore[arg-type]
    assert {each.field for each in caught.value.problems} == {"path", "language", "paper"}
    with pytest.raises(BadInput, match=r"not .html"):
        write_page(a_gridmap(), tmp_path / "map.txt")
