"""What maps refuse is told in Chinese to who asks for it, down to the last phrase."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from api.phrases import chinese
from tests import factories

if TYPE_CHECKING:
    from tests.api.conftest import Town

ZH = {"Accept-Language": "zh"}
ENGLISH = re.compile(r"[A-Za-z]{2,}")
COMMAND = re.compile(r"wangge import \w+")
"""A command is written as it is typed."""


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/heatmaps", {}),
        ("/api/v1/heatmaps", {"category": "tourism"}),
        ("/api/v1/heatmaps", {"start": "2026-05-02", "end": "2026-05-01"}),
        ("/api/v1/heatmaps", {"start": "2026-05-01", "end": "2026-05-01"}),
        ("/api/v1/heatmaps", {"start": "2026-13-01"}),
        ("/api/v1/heatmaps", {"bandwidth_m": 10}),
        ("/api/v1/heatmaps", {"bandwidth_m": "nan"}),
        ("/api/v1/heatmaps", {"start": "2026-01-01", "end": "2026-05-01", "per": "households"}),
        ("/api/v1/heatmaps", {"start": "2026-01-01", "shared": True, "category": "tourism"}),
        ("/api/v1/heatmaps", {"start": "2999-01-01", "shared": True}),
        ("/api/v1/heatmaps", {"start": "1800-01-01", "shared": True}),
        ("/api/v1/heatmaps/streets", {"start": "2026-01-01", "end": "2026-05-01"}),
        ("/tiles/heatmap/3/8/0.png", {"start": "2026-01-01", "end": "2026-05-01"}),
        ("/tiles/grids/3/8/0", {}),
        ("/api/v1/gridmaps", {"start": "2999-01-01", "shared": True}),
        ("/api/v1/gridmaps", {"unit": "990199", "start": "2026-01-01", "end": "2026-05-01"}),
        ("/api/v1/gridmaps", {"start": "1990-01-01", "end": "1990-05-01"}),
        ("/api/v1/hotspots", {"shared": True}),
        ("/api/v1/hotspots", {"unit": "990199"}),
        ("/api/v1/hotspots", {"level": 0.9}),
        ("/api/v1/hotspots", {"start": "0001-01-01", "end": "0001-01-02"}),
        ("/api/v1/hotspots", {"start": "1950-01-01", "end": "2026-05-01", "method": "emerging"}),
        ("/api/v1/hotspots", {"start": "2026-04-20", "end": "2026-05-01", "method": "emerging"}),
        ("/api/v1/attention", {"share": 0}),
        ("/api/v1/attention", {"week": "9999-12-31"}),
        ("/api/v1/attention", {"week": "2026-02-02"}),
        ("/api/v1/attention/backtest", {}),
    ],
)
def test_no_english_is_left(town: Town, path: str, query: dict[str, Any]) -> None:
    answer = town.client.get(path, params=query, headers=ZH)
    assert answer.status_code in {404, 422}, answer.text
    assert answer.headers["content-language"] == "zh"
    body = answer.json()
    told = [body["detail"]] if not body.get("problems") else []
    told += [each[part] for each in body.get("problems", ()) for part in ("reason", "remedy")]
    assert told
    for each in told:
        assert not ENGLISH.search(COMMAND.sub("", each)), each
    plain = town.client.get(path, params=query, headers={"Accept-Language": "en"}).json()
    assert plain["detail"].isascii()


def test_who_may_not_is_told_so_in_chinese(own_town: Town) -> None:
    with own_town.database.transaction() as session:
        key = factories.key(session, factories.account(session, "planner", factories.COUNTY))
    for path, right in (("heatmaps", "heatmaps.read"), ("hotspots", "heatmaps.read")):
        answer = own_town.client.get(
            f"/api/v1/{path}", headers={**ZH, "Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 403
        assert answer.json()["detail"] == f"角色 planner 无权这样做（需要权限 {right}）"
    assert chinese("the role x does not allow it (it needs a.b or c.d)") == (
        "角色 x 无权这样做（需要权限 a.b 或 c.d）"
    )


def test_a_phrase_keeps_its_numbers() -> None:
    assert chinese("zoom 31 is outside 0..22") == "缩放级别 31 不在 0 至 22 之间"
    assert chinese("a bandwidth of 9,000 m is wider than the area (7,000 m)") == (
        "带宽 9,000 米，比整个区域（7,000 米）还宽"
    )
    assert chinese(
        "6,142 x 4,598 cells are too many; the largest possible is 4,096 x 4,096 (the map would be "
        "61 x 46 km)"
    ) == ("6,142 x 4,598 个像元太多，最多 4,096 x 4,096（图幅将达 61 x 46 千米）")
    assert chinese(
        "Give a bandwidth of at least 84 m, or give a smaller area: single events far from the "
        "rest widen the map."
    ) == ("请用不小于 84 米的带宽，或缩小区域：个别远处的事件会撑大图幅")
