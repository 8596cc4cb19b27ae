"""A point is called by its house, else its place, its street, its units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from gis.errors import BadInput
from grids.addresses.reverse import reverse
from tests.grids.addresses import town

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PLACE = "示范自治区示范盟"


@pytest.fixture
def place(session: Session) -> Session:
    town.build(session)
    return session


@pytest.mark.parametrize(
    ("lon", "lat", "method", "text"),
    [
        (117.0010, 45.0101, "address", f"{PLACE}示范旗示范镇人民路1号"),
        (117.0012, 45.01, "address", f"{PLACE}示范旗示范镇人民路1号"),
        (117.0102, 45.0101, "place", f"{PLACE}示范旗示范镇示范村1示范第一中学"),
        (117.0701, 45.005, "street", f"{PLACE}示范旗示范镇示范村2长青路"),
        (117.035, 45.015, "division", f"{PLACE}示范旗示范镇示范村1"),
        (100.0, 10.0, "none", ""),
    ],
)
def test_what_a_point_is_called(
    place: Session, lon: float, lat: float, method: str, text: str
) -> None:
    found = reverse(place, lon, lat)
    assert (found.method, found.text) == (method, text)


def test_how_far_it_is(place: Session) -> None:
    found = reverse(place, 117.001, 45.0101)
    assert found.distance_m == pytest.approx(11.1, abs=0.1)
    assert [code for code, _ in found.divisions] == [
        "99", "9901", "990121", "990121101", town.WEST_VILLAGE,
    ]  # fmt: skip
    # Out of reach it is not the address; within, it is.
    assert reverse(place, 117.001, 45.0107).method == "division"
    assert reverse(place, 117.001, 45.0107, within_m=100).method == "address"


@pytest.mark.parametrize(
    ("lon", "lat", "within", "fields"),
    [(400, 45, 50, ["lon"]), (math.nan, 45, 50, ["lon"]), (117, 91, 0, ["lat", "within_m"]),
     (117, 45, math.inf, ["within_m"])],
)  # fmt: skip
def test_what_is_no_point(
    session: Session, lon: float, lat: float, within: float, fields: list[str]
) -> None:
    with pytest.raises(BadInput) as refused:
        reverse(session, lon, lat, within_m=within)
    assert [each.field for each in refused.value.problems] == fields
