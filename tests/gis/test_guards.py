"""What no parser may see: the inputs that kill a process, and none of those that do not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis import guards
from gis.errors import BadInput
from tests import hostile


def _in_a_child(code: str) -> subprocess.CompletedProcess[str]:
    head = "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    return subprocess.run(
        [sys.executable, "-c", head + code], capture_output=True, text=True, check=False
    )


def test_hostile_values_are_refused_before_their_parsers() -> None:
    """In a process of its own, which without the guard ends at the first with signal 11."""
    done = _in_a_child(
        "from gis import guards\n"
        "from tests import hostile\n"
        "for name, make in hostile.CORPUS.items():\n"
        "    form, data = make()\n"
        "    limits = guards.FILTER if form == 'filter' else guards.GEOMETRY\n"
        "    found = guards.fault(data, form, limits)\n"
        "    if found is None:\n"
        "        hostile.parse(data, form)\n"
        "    print(name, found, sep='|', flush=True)\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr[-400:]
    found = dict(line.split("|") for line in done.stdout.splitlines())
    assert set(found) == set(hostile.CORPUS)
    assert "None" not in found.values()


def test_without_the_guard_the_parser_ends_the_process() -> None:
    """Else the test above would pass without it."""
    if shapely.geos_version >= (3, 15, 0):
        pytest.skip("GEOS counts levels itself from 3.15 on")
    done = _in_a_child(
        "from tests import hostile\n"
        "form, data = hostile.CORPUS['wkb: points within points']()\n"
        "hostile.parse(data, form)\n"
    )
    assert done.returncode == -signal.SIGSEGV


COORDINATE = st.floats(-180, 180).filter(lambda x: x == 0 or abs(x) > 1e-9)


@st.composite
def geometries(draw: st.DrawFn) -> Any:
    """Points, lines, boxes, their multiples and mixed ones, some empty, some with a height."""
    xy = np.array(draw(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=2, max_size=6)))
    x, y = xy[:, 0], xy[:, 1]
    parts = {
        "point": shapely.points(x[0], y[0]),
        "line": shapely.linestrings(x, y),
        "box": shapely.box(x[0], y[0], x[0] + 1, y[0] + 1),
        "points": shapely.multipoints(shapely.points(x, y)),
        "boxes": shapely.multipolygons([shapely.box(x[0], y[0], x[0] + 1, y[0] + 1)]),
        "mixed": shapely.geometrycollections([shapely.points(x[0], y[0])]),
        "empty": shapely.from_wkt("POLYGON EMPTY"),
        "nowhere": shapely.from_wkt("POINT EMPTY"),
    }
    made = parts[draw(st.sampled_from(sorted(parts)))]
    return shapely.force_3d(made, 7.0) if draw(st.booleans()) else made


@given(
    geometry=geometries(),
    order=st.sampled_from([0, 1]),
    flavor=st.sampled_from(["iso", "extended"]),
)
def test_every_sound_geometry_is_fit(geometry: Any, order: int, flavor: str) -> None:
    srid = shapely.set_srid(geometry, 4326)
    wkb = shapely.to_wkb(srid, byte_order=order, flavor=flavor, include_srid=flavor == "extended")
    assert guards.fault(wkb, "wkb") is None
    assert guards.fault(wkb.hex(), "hex") is None
    assert guards.fault(wkb.hex().encode(), "hex") is None
    assert guards.fault(shapely.to_wkt(geometry), "wkt") is None
    assert guards.fault(shapely.to_geojson(geometry), "geojson") is None


@given(geometry=geometries(), cut=st.integers(0, 200), flip=st.integers(0, 255))
def test_damaged_wkb_is_refused_or_parsed_but_never_fatal(
    geometry: Any, cut: int, flip: int
) -> None:
    whole = bytearray(shapely.to_wkb(geometry))
    whole[cut % len(whole)] ^= flip
    if guards.fault(bytes(whole), "wkb") is None:
        shapely.from_wkb(bytes(whole), on_invalid="ignore")
    for short in (whole[: cut % len(whole)], b""):
        assert guards.fault(bytes(short), "wkb") is not None


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(each) for each in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(each) for each in value), default=0)
    return 0


JSON = st.recursive(
    st.none() | st.floats(allow_nan=False) | st.text('[]{}"\\\n,:a', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('[]"\\', max_size=3), inner)
    ),
)


@given(value=JSON, size=st.integers(1, 7))
def test_depth_of_json_is_exact_whatever_its_texts_and_pieces(value: Any, size: int) -> None:
    text = json.dumps(value).encode()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert guards.nesting_of_json(pieces, enough=10_000) == _depth(value)


def test_closing_what_is_not_open_hides_nothing() -> None:
    assert guards.nesting_of_json([b"]" * 50 + b"[" * 40], enough=100) == 40
    assert guards.fault(")" * 50 + "(" * 40, "wkt") == "is nested more than 32 levels deep"


@pytest.mark.parametrize(
    ("data", "form", "reason"),
    [
        ("POINT (1e10 2)", "wkt", "beyond 1e+09"),
        ("POINT (nan 2)", "wkt", "NaN or infinite"),
        ("POINT (1 -Infinity)", "wkt", "NaN or infinite"),
        ('{"type":"Point","coordinates":[1e999,2]}', "geojson", "beyond 1e+09"),
        ("zz", "hex", "no hexadecimal WKB"),
        ("ä", "hex", "no hexadecimal WKB"),
        (shapely.to_wkb(shapely.Point(1e10, 2)), "wkb", "beyond 1e+09"),
        (shapely.to_wkb(shapely.Point(np.inf, 2)), "wkb", "NaN or infinite"),
        (b"\x02" + shapely.to_wkb(shapely.Point(1, 2))[1:], "wkb", "byte order"),
        # GEOS looks at 16 bits of the type, and would read a collection here.
        (b"\x01\x07\x00\x01\x00\x00\x00\x00\x00", "wkb", "type that is not read"),
        (b"\x01\x0a\x00\x00\x00\x00\x00\x00\x00", "wkb", "type that is not read"),
        (b"\x01\x06\x00\x00\x00\xff\xff\xff\xff", "wkb", "ends too early"),
        (b"\x01\x02\x00\x00\x00\x00\x00\x01\x00", "wkb", "ends too early"),
    ],
)
def test_what_is_wrong_is_said(data: bytes | str, form: guards.Form, reason: str) -> None:
    assert reason in (guards.fault(data, form) or "")


@pytest.mark.parametrize(
    "text",
    [
        "category = 'noise' AND NOT (severity = 'major' OR severity = 'general')",
        "S_INTERSECTS(geom, POLYGON((117 45, 118 45, 118 46, 117 45)))",
        "a - -1 < 3",
    ],
)
def test_filter_that_a_person_writes_is_fit(text: str) -> None:
    assert guards.fault(text, "filter", guards.FILTER) is None


def test_limits_are_those_given() -> None:
    ring = shapely.to_wkb(shapely.Point(0, 0).buffer(1, quad_segs=50))
    assert guards.fault(ring, "wkb") is None
    assert guards.fault(ring, "wkb", replace(guards.GEOMETRY, vertices=200)) == (
        "has more than 200 vertices"
    )
    assert guards.fault(ring, "wkb", replace(guards.GEOMETRY, bytes=100)) == (
        "is longer than 100 bytes"
    )


def test_refusal_names_the_field_and_never_the_value() -> None:
    with pytest.raises(BadInput, match="nested more than 32") as refused:
        guards.check("SECRET" + "(" * 99, "wkt", field="geometry")
    assert refused.value.problems[0].field == "geometry"
    assert "SECRET" not in str(refused.value)
