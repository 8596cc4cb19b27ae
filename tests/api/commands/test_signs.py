"""Signs on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


def test_a_sign_from_its_making_to_its_end(
    wangge: Run, here: Database, county: factories.County, tmp_path: Path
) -> None:
    lon, lat = factories.middle(1)
    place = ("--lon", str(lon), "--lat", str(lat))
    done = wangge("signs", "put-up", "东苑小区北门", *place, "--json")
    assert done.code == 0, done.err
    code = done.document["code"]
    assert done.document["area_code"] == factories.VILLAGES[0]
    page = tmp_path / "sign.pdf"
    asked = ("signs", "poster", code.upper(), "--url", "https://wangge.example.cn/")
    assert wangge(*asked, "--output", page).code == 0
    assert page.read_bytes().startswith(b"%PDF")
    assert "东苑小区北门" in wangge("signs", "list").out
    assert wangge("signs", "take-down", code).code == 0
    (listed,) = wangge("signs", "list", "--json").document
    assert listed["ended_at"]


def test_what_is_wrong_is_said(wangge: Run, here: Database, county: factories.County) -> None:
    done = wangge("signs", "put-up", "x", "--lon", "10", "--lat", "50")
    assert done.code == 1
    assert "lies in no county" in done.err
    done = wangge("signs", "take-down", "0123456789ab")
    assert done.code == 1
    assert "there is no sign" in done.err
