"""``GET /api/v1/locate``: which grid, who, why, how sure, and what answers when nothing does."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyproj import Geod

from api import phrases
from gis.crs import from_wgs84
from gis.errors import Problem
from grids import service
from grids.people import duty
from grids.people import service as people
from grids.people.models import Person
from tests import factories
from tests.factories import NORTH, SOUTH, STEP, WEST

if TYPE_CHECKING:
    from tests.api.conftest import Town

GEOD = Geod(ellps="WGS84")
AT = "2026-03-01T00:00:00Z"


def ask(town: Town, lon: object, lat: object, **query: object) -> dict[str, Any]:
    answer = town.client.get("/api/v1/locate", params={"lon": lon, "lat": lat, "at": AT, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(town: Town, **query: object) -> dict[str, Any]:
    answer = town.client.get("/api/v1/locate", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


@pytest.mark.parametrize("place", range(4))
def test_inside_a_grid(town: Town, place: int) -> None:
    found = ask(town, *factories.middle(place))
    code = factories.grid_code(place)
    assert found["inside"] is True
    assert found["grid"]["code"] == code
    assert found["grid"]["id"] == town.county.grids[code]
    assert found["edition"]["id"] == town.county.edition
    assert found["reason"]["code"] == "in_grid"
    assert [each["person_id"] for each in found["responsible"]] == [str(town.county.workers[code])]
    assert found["responsible"][0]["reason"]["code"] == "primary_worker"
    assert [unit["code"] for unit in found["units"]] == [
        "99", "9901", factories.COUNTY, factories.TOWNSHIP, code[:12],
    ]  # fmt: skip
    assert found["nearest"] is None
    assert found["confidence"] is None
    assert found["ask_back"] is False
    assert found["candidates"] == []


def test_heads_departments_and_why_nobody_else(own_town: Town) -> None:
    town = own_town
    lon, lat = factories.middle(1)
    village = factories.VILLAGES[0]
    with town.database.transaction() as session:
        made = [
            people.add(session, name, county_code=factories.COUNTY, actor="t")
            for name in ("书记", "副旗长", "科员")
        ]
        since = datetime(2026, 2, 1, tzinfo=UTC)
        duty.link(session, made[0], actor="t", role="unit_head", unit=village, since=since)
        duty.link(
            session, made[1], actor="t", role="leader", unit=village[:6], level=1, since=since
        )
        office = duty.add_department(session, "文旅局", area=village[:6], actor="t")
        duty.set_matters(session, office, {"tourism": True}, actor="t")
        duty.link(session, made[2], actor="t", role="officer", department=office, since=since)
        worker = session.get_one(Person, town.county.workers[factories.grid_code(1)])
        people.take_leave(session, worker, since=since, until=since + timedelta(days=60), actor="t")
    found = ask(town, lon, lat, category="tourism", explain="true")
    assert found["reason"]["code"] == "nobody", "of the grid itself"
    assert [(e["name"], e["reason"]["code"], e["answers_for"]) for e in found["responsible"]] == [
        ("书记", "unit_head", "unit"), ("副旗长", "leader", "unit"),
        ("科员", "officer", "department"),
    ]  # fmt: skip
    (department,) = found["departments"]
    assert (department["name"], department["leads"]) == ("文旅局", True)
    told = found["explanation"]
    assert told["mode"] == "normal"
    assert ("网格员2", "on_leave") in [
        (e["name"], e["verdict"]["code"]) for e in told["considered"]
    ]
    plain = ask(town, lon, lat)
    assert (plain["departments"], plain["explanation"]) == ([], None)
    assert [each["name"] for each in plain["responsible"]] == ["书记", "副旗长"]
    refused = refusal(town, lon=lon, lat=lat, category="xyz")
    assert refused["problems"][0]["field"] == "category"


def test_distance_to_the_border_is_in_metres(town: Town) -> None:
    lon, lat = factories.middle(1)
    found = ask(town, lon, lat)
    # The nearest border of a square that is narrower than high is the one to the side.
    to_side = GEOD.inv(lon, lat, lon + STEP / 2, lat)[2]
    assert found["distance_to_border_m"] == pytest.approx(to_side, rel=1e-4)


@pytest.mark.parametrize(
    ("lon", "lat", "place"),
    [
        (WEST + STEP, 45.01, 0),  # edge shared by two grids of one village
        (WEST + 2 * STEP, 45.01, 1),  # edge shared by two villages
        (WEST + 2 * STEP, SOUTH, 1),  # where that edge meets the outside
        (WEST + 3 * STEP, NORTH, 2),
        (WEST, 45.01, 0),  # outer border: one grid only
        (WEST + 0.5 * STEP, SOUTH, 0),
        (WEST, SOUTH, 0),
        (WEST + 4 * STEP, NORTH, 3),
    ],
)
def test_on_a_border_the_lowest_code_answers(
    town: Town, lon: float, lat: float, place: int
) -> None:
    found = ask(town, lon, lat)
    assert found["grid"]["code"] == factories.grid_code(place)
    assert found["reason"]["code"] == "on_border"
    assert found["distance_to_border_m"] == 0
    # The chain is that of the grid that answers, not of the neighbour over the line.
    assert found["units"][-1]["code"] == factories.grid_code(place)[:12]


@pytest.mark.parametrize(
    ("lon", "lat", "place", "foot"),
    [
        (WEST - 0.01, 45.01, 0, (WEST, 45.01)),
        (WEST - 0.003, SOUTH - 0.002, 0, (WEST, SOUTH)),
        (WEST + 4 * STEP + 0.2, 45.01, 3, (WEST + 4 * STEP, 45.01)),
        (WEST + 2.5 * STEP, NORTH + 0.001, 2, (WEST + 2.5 * STEP, NORTH)),
    ],
)
def test_outside_names_the_nearest_grid_and_its_distance(
    town: Town, lon: float, lat: float, place: int, foot: tuple[float, float]
) -> None:
    found = ask(town, lon, lat)
    assert found["inside"] is False
    assert found["grid"] is None
    assert found["reason"]["code"] == "outside"
    assert found["responsible"] == []
    assert found["nearest"]["code"] == factories.grid_code(place)
    assert found["nearest"]["unit"] == {
        "code": factories.grid_code(place)[:12],
        "level": 12,
        "name": f"示范村{place // 2 + 1}",
        "name_en": f"Demo Village {place // 2 + 1}",
    }
    by_geod = GEOD.inv(lon, lat, *foot)[2]
    # The foot of the perpendicular is not exactly on the parallel: a part in ten thousand.
    assert found["nearest"]["distance_m"] == pytest.approx(by_geod, rel=1e-4)


def test_far_away_is_outside_without_a_nearest_grid(town: Town) -> None:
    found = ask(town, -70.5, -33.4)
    assert found["reason"]["code"] == "outside"
    assert found["nearest"] is None
    assert found["units"] == []


def test_before_every_edition(town: Town) -> None:
    found = ask(town, *factories.middle(0), at="2025-12-31T23:59:59Z")
    assert found["inside"] is False
    assert found["reason"]["code"] == "no_edition"
    assert found["nearest"] is None
    assert ask(town, *factories.middle(0), at="2026-01-01T00:00:00Z")["inside"] is True


def test_a_draft_never_answers(own_town: Town) -> None:
    grids = factories.squares()
    grids["code"] = [f"{code[:12]}9{code[13:]}" for code in grids["code"]]
    with own_town.database.transaction() as session:
        service.save_draft(session, factories.COUNTY, grids, title="t", author="a")
    for place in range(4):
        found = ask(own_town, *factories.middle(place))
        assert found["grid"]["code"] == factories.grid_code(place)
        assert found["edition"]["id"] == own_town.county.edition


class TestPeople:
    """Who answers, in which order, and why."""

    @pytest.fixture
    def names(self, own_town: Town) -> dict[str, Person]:
        with own_town.database.transaction() as session:
            return {
                name: people.add(session, name, county_code=factories.COUNTY, actor="t")
                for name in ("代理甲", "代理乙", "队员丙", "网格长丁")
            }

    def answers(self, town: Town, at: datetime, place: int = 0) -> list[tuple[str, str]]:
        found = ask(town, *factories.middle(place), at=at.isoformat())
        assert found["inside"] is True
        if not found["responsible"]:
            assert found["reason"]["code"] == "nobody"
        return [(each["name"], each["reason"]["code"]) for each in found["responsible"]]

    def leave(
        self, town: Town, who: Person, since: datetime, until: datetime, deputy: Person | None
    ) -> None:
        with town.database.transaction() as session:
            people.take_leave(session, who, since=since, until=until, actor="t", deputy=deputy)

    def worker(self, town: Town, place: int = 0) -> Person:
        with town.database.transaction() as session:
            return session.get_one(Person, town.county.workers[factories.grid_code(place)])

    def test_leave_with_a_deputy(self, own_town: Town, names: dict[str, Person]) -> None:
        first, last = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC)
        self.leave(own_town, self.worker(own_town), first, last, names["代理甲"])
        second = timedelta(seconds=1)
        assert self.answers(own_town, first - second) == [("网格员1", "primary_worker")]
        assert self.answers(own_town, first) == [("代理甲", "deputy_during_leave")]
        assert self.answers(own_town, last - second) == [("代理甲", "deputy_during_leave")]
        assert self.answers(own_town, last) == [("网格员1", "primary_worker")]

    def test_leave_without_a_deputy(self, own_town: Town) -> None:
        first, last = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC)
        self.leave(own_town, self.worker(own_town), first, last, None)
        assert self.answers(own_town, first) == []
        assert self.answers(own_town, last) == [("网格员1", "primary_worker")]

    def test_deputy_on_leave_too(self, own_town: Town, names: dict[str, Person]) -> None:
        first, last = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC)
        middle = datetime(2026, 2, 4, tzinfo=UTC)
        self.leave(own_town, self.worker(own_town), first, last, names["代理甲"])
        self.leave(own_town, names["代理甲"], middle, last, names["代理乙"])
        assert self.answers(own_town, first) == [("代理甲", "deputy_during_leave")]
        # A deputy's deputy was never asked: nobody is named rather than a guess.
        assert self.answers(own_town, middle) == []

    def test_team_head_and_deputy_follow_in_order(
        self, own_town: Town, names: dict[str, Person]
    ) -> None:
        with own_town.database.transaction() as session:
            shape = people.grid_by_code(session, factories.grid_code(0), factories.SINCE)
            for name, role in (
                ("网格长丁", "grid_head"), ("代理乙", "deputy"), ("队员丙", "grid_worker"),
            ):  # fmt: skip
                people.assign(
                    session, names[name], shape, actor="t", role=role, is_primary=False,
                    since=factories.SINCE,
                )  # fmt: skip
        at = datetime(2026, 3, 1, tzinfo=UTC)
        assert self.answers(own_town, at) == [
            ("网格员1", "primary_worker"),
            ("队员丙", "team_worker"),
            ("代理乙", "deputy"),
            ("网格长丁", "grid_head"),
        ]
        self.leave(own_town, self.worker(own_town), at, at + timedelta(days=1), None)
        assert self.answers(own_town, at)[0] == ("队员丙", "team_worker")

    def test_nobody(self, own_town: Town) -> None:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        with own_town.database.transaction() as session:
            shape = people.grid_by_code(session, factories.grid_code(0), at)
            for each in people.assignments_of(session, shape.grid_id, at):
                people.relieve(session, each, actor="t", at=at)
        assert self.answers(own_town, at) == []
        assert self.answers(own_town, at - timedelta(seconds=1)) == [("网格员1", "primary_worker")]


class TestAccuracy:
    """Shares of a circular normal error of which ``accuracy_m`` holds 68 %."""

    SIGMA = 1 / math.sqrt(-2 * math.log(0.32))

    def share_west(self, metres: float, accuracy_m: float) -> float:
        """Probability that the true place is less than ``metres`` to the east."""
        return 0.5 * (1 + math.erf(metres / (accuracy_m * self.SIGMA) / math.sqrt(2)))

    @pytest.mark.parametrize("metres", [0.0, 5.0, 20.0, 60.0])
    @pytest.mark.parametrize("accuracy_m", [5.0, 30.0, 100.0])
    def test_beside_a_straight_border(self, town: Town, metres: float, accuracy_m: float) -> None:
        edge = WEST + STEP
        lon = GEOD.fwd(edge, 45.01, 270, metres)[0] if metres else edge
        found = ask(town, lon, 45.01, accuracy_m=accuracy_m)
        expected = self.share_west(metres, accuracy_m)
        assert found["grid"]["code"] == factories.grid_code(0)
        assert found["confidence"] == pytest.approx(expected, abs=1e-2)
        shares = {each["code"]: each["share"] for each in found["candidates"]}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
        assert shares[factories.grid_code(0)] == found["confidence"]
        assert found["ask_back"] is (found["confidence"] < 0.8)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)

    def test_at_a_corner_beside_an_independent_sample(self, town: Town) -> None:
        # Near the south end of the border of two grids: two candidates and the outside.
        lon, lat, accuracy_m = WEST + STEP + 0.0003, SOUTH + 0.0002, 40.0
        found = ask(town, lon, lat, accuracy_m=accuracy_m)
        random = np.random.default_rng(7)
        east, north = random.normal(0, accuracy_m * self.SIGMA, (2, 40_000))
        x, y, _ = GEOD.fwd(
            np.full(east.size, lon),
            np.full(east.size, lat),
            np.degrees(np.arctan2(east, north)),
            np.hypot(east, north),
        )
        inside = y >= SOUTH
        west = float((inside & (x <= WEST + STEP)).mean())
        here = float((inside & (x > WEST + STEP)).mean())
        shares = {each["code"]: each["share"] for each in found["candidates"]}
        assert shares[factories.grid_code(0)] == pytest.approx(west, abs=1e-2)
        assert shares[factories.grid_code(1)] == pytest.approx(here, abs=1e-2)
        assert found["confidence"] == shares[factories.grid_code(1)]
        assert found["ask_back"] is True

    def test_outside_but_vague(self, town: Town) -> None:
        # 10 m west of all grids: how sure is "outside"?
        lon = GEOD.fwd(WEST, 45.01, 270, 10)[0]
        found = ask(town, lon, 45.01, accuracy_m=30)
        assert found["inside"] is False
        assert found["confidence"] == pytest.approx(self.share_west(10, 30), abs=1e-2)
        assert [each["code"] for each in found["candidates"]] == [factories.grid_code(0)]

    @pytest.mark.parametrize("accuracy_m", [0, -3, "nan", "inf", 100_001, "about ten"])
    def test_an_accuracy_that_is_none_is_refused(self, town: Town, accuracy_m: object) -> None:
        problem = refusal(town, lon=117.01, lat=45.01, accuracy_m=accuracy_m)
        assert problem["problems"][0]["field"] == "accuracy_m"


class TestWhatComesIn:
    """Systems, axes and times."""

    @pytest.mark.parametrize("crs", ["gcj02", "bd09", "cgcs2000", "EPSG:4547"])
    def test_other_systems(self, town: Town, crs: str) -> None:
        lon, lat = factories.middle(2)
        x, y = from_wgs84(lon, lat, crs)
        found = ask(town, float(x), float(y), crs=crs)
        assert found["grid"]["code"] == factories.grid_code(2)
        assert found["point"]["crs"] == crs
        assert (found["point"]["lon"], found["point"]["lat"]) == pytest.approx((lon, lat), abs=1e-8)

    def test_unknown_system_names_the_known_ones(self, town: Town) -> None:
        problem = refusal(town, lon=117, lat=45, crs="gcj-20")
        assert "gcj-20" in problem["detail"]
        assert "gcj02" in problem["problems"][0]["remedy"]

    def test_swapped_axes_are_told(self, town: Town) -> None:
        problem = refusal(town, lon=45.01, lat=117.01)
        assert "Did you mean lon=117.01, lat=45.01?" in problem["problems"][0]["remedy"]

    @pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "400", "-181"])
    def test_no_position(self, town: Town, value: str) -> None:
        problem = refusal(town, lon=value, lat=45)
        assert problem["status"] == 422
        assert problem["problems"][0]["remedy"]

    def test_every_missing_parameter_at_once(self, town: Town) -> None:
        problem = refusal(town)
        assert [each["field"] for each in problem["problems"]] == ["lon", "lat"]

    @pytest.mark.parametrize(
        ("at", "inside"),
        [
            # The edition begins at 08:00 in Shanghai.
            ("2026-01-01T08:00:00", True),
            ("2026-01-01T07:59:59", False),
            ("2026-01-01", False),
            ("2026-01-02", True),
            ("2026-01-01 08:00", True),
            ("2026-01-01T00:00:00Z", True),
        ],
    )
    def test_time_without_a_zone_is_local(self, town: Town, at: str, inside: bool) -> None:
        assert ask(town, *factories.middle(0), at=at)["inside"] is inside

    @pytest.mark.parametrize("sign", ["+", " ", "%2B"])
    @pytest.mark.parametrize("between", ["T", "%20"])
    def test_plus_sign_need_not_be_escaped(self, town: Town, sign: str, between: str) -> None:
        lon, lat = factories.middle(0)
        for moment, inside in (("08:00:00", True), ("07:59:59", False)):
            answer = town.client.get(
                f"/api/v1/locate?lon={lon}&lat={lat}&at=2026-01-01{between}{moment}{sign}08:00"
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["inside"] is inside

    @pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "2026-01-01T25:00", "١", "\x00"])
    def test_no_time(self, town: Town, at: str) -> None:
        problem = refusal(town, lon=117.01, lat=45.01, at=at)
        assert problem["problems"][0]["field"] == "at"
        assert "2026-06-30" in problem["problems"][0]["remedy"]

    @pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31T23:59:59-12:00"])
    def test_ends_of_time(self, town: Town, at: str) -> None:
        assert ask(town, *factories.middle(0), at=at)["reason"]["code"] in {
            "no_edition", "in_grid",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "reason", "remedy"),
    [
        ("lon=44.89&lat=116.61", "(44.89, 116.61) 不是坐标系 wgs84 中的位置",
         "经纬度写反了吗？是否应为 lon=116.61, lat=44.89"),
        ("lon=400&lat=45", "(400.0, 45.0) 不是坐标系 wgs84 中的位置",
         "经度应在 -180 至 180 之间，纬度应在 -90 至 90 之间，经度写在前"),
        ("lon=x&lat=45", "不是数字", "请填一个有限的数字"),
        ("lon=116.6&lat=45&accuracy_m=-1", "应大于 0", "请填大于 0 的数"),
        ("lon=116.6&lat=45&accuracy_m=1e9", "不应大于 100000", "请填不大于 100000 的数"),
        ("lon=116.6&lat=45&crs=baidu", "没有名为 'baidu' 的坐标系",
         "可用：wgs84, cgcs2000, gcj02, bd09, EPSG:n."),
        ("lon=116.6&lat=45&at=soon", "'soon' 不是时间",
         "请写成 2026-06-30 或 2026-06-30T21:30:00+08:00"),
        ("lon=116.6", "缺少此项", "请补上"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_chinese_to_who_asks_for_it(
    town: Town, query: str, reason: str, remedy: str
) -> None:
    zh = {"Accept-Language": "zh-CN,zh;q=0.9"}
    found = town.client.get(f"/api/v1/locate?{query}", headers=zh)
    assert (found.status_code, found.headers["content-language"]) == (422, "zh")
    (problem,) = found.json()["problems"]
    assert (problem["reason"], problem["remedy"]) == (reason, remedy)
    assert reason in found.json()["detail"]
    plain = town.client.get(f"/api/v1/locate?{query}").json()["problems"][0]
    assert plain["reason"].isascii()
    assert plain["remedy"], "in English, too, with what to do"


def test_a_problem_without_field_or_remedy_names_none_in_chinese() -> None:
    detail, _ = phrases.told("", [Problem("缺少此项", row=3), Problem("不是数字", "请补上")])
    assert detail == "第 3 行：缺少此项\n不是数字。请补上"
