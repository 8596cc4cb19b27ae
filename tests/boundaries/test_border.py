"""Which side of the national border a place lies on, as far as its stretches are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa

from boundaries.border import BorderLines, Stretch, border_lines

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# To the east, then up to a peak at (1, 46) and down again.
BENT = [(-1.0, 45.0), (0.0, 45.0), (1.0, 46.0), (2.0, 45.0)]


def lines(*stretches: tuple[str, list[tuple[float, float]]]) -> BorderLines:
    return BorderLines(
        [Stretch(f"{k}", side, np.array(each)) for k, (side, each) in enumerate(stretches)]  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("lon", "lat", "is_across"),
    [
        (-0.5, 45.01, True), (-0.5, 44.99, False), (-0.5, 45.0, False),
        (0.0, 45.01, True), (0.0, 44.99, False),  # at a vertex, inside and outside of the bend
        (1.0, 46.01, True), (1.0, 45.97, False),  # over the peak and under it
        (-1.1, 45.01, False), (2.1, 44.9, False),  # behind a loose end: nobody knows
        (-0.5, 45.6, False), (50.0, 45.0, False),  # too far to tell
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", ["right", "left"])
def test_side(lon: float, lat: float, is_across: bool, side: str) -> None:
    bent = BENT if side == "right" else BENT[::-1]
    whole = lines((side, bent))
    # The same border in two stretches, one of them drawn the other way round.
    other = {"right": "left", "left": "right"}[side]
    parts = lines((side, bent[:3]), (other, bent[2:][::-1]))
    for border in (whole, parts):
        assert (border.across(lon, lat) is not None) == is_across


def test_distance_is_geodesic_and_its_stretch_is_named() -> None:
    found = lines(("right", [(116.0, 45.0), (118.0, 45.0)])).across(117.0, 45.1)
    assert found is not None
    assert (found.name, found.distance_m) == ("0", pytest.approx(11_113.3, abs=1))
    assert not lines()
    assert lines().across(1, 1) is None


def test_stretches_within_reach_are_read(session: Session) -> None:
    for number, west in enumerate((116.0, 130.0)):
        session.execute(
            sa.text(
                "INSERT INTO border_lines (county_code, name, our_side, geom, source, external_id)"
                " VALUES ('990121', :name, 'right', ST_GeomFromText(:line, 4326), 't', :name)"
            ),
            {"name": str(number), "line": f"LINESTRING({west} 45,{west + 1} 45)"},
        )
    near = border_lines(session, (116.5, 45.01)).across(116.5, 45.01)
    assert near is not None
    assert near.name == "0"
    assert not border_lines(session, (10.0, 45.0))
    assert border_lines(session).across(130.5, 45.01) is not None
