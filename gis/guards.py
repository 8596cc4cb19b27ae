"""What stands before every parser of geometry, JSON and filters.

Parsers descend one call for each level of nesting. GEOS segfaults at 13,000 (WKB) to 26,000
(GeoJSON) of them, a filter parser at 2,550, which fits in a web address; the whole process dies,
and no ``except`` sees it. So the bytes are scanned once, without recursion, before anything parses
them: length, depth, vertices, and coordinates that are numbers of the earth's size. What a scan
cannot be sure of it counts as deeper, never as flatter.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput, Problem

Form = Literal["json", "geojson", "wkt", "wkb", "hex", "filter"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one value may measure.

    Attributes
    ----------
    bytes
        Length; of hexadecimal WKB, of what it stands for.
    depth
        Brackets, or geometries within geometries, open at once.
    vertices
        Of one geometry: its rings and parts together.
    reach
        Largest coordinate without its sign, in the units of its system.
    """

    bytes: int
    depth: int
    vertices: int = 500_000
    reach: float = 1e9


# GeoJSON needs 8 levels (FeatureCollection ... MultiPolygon coordinates). The largest boundary of a
# Chinese county in OpenStreetMap has fewer than 100,000 vertices. Metres with a zone number before
# them reach 4.6e7.
GEOMETRY: Final = Limits(bytes=64 << 20, depth=32)
FILTER: Final = Limits(bytes=64 << 10, depth=64, vertices=10_000)


def fault(data: bytes | str, form: Form, limits: Limits = GEOMETRY) -> str | None:
    """What makes a value unfit for its parser, as words after "the geometry"; None when it is fit.

    Says nothing of whether the value is well-formed: that is the parser's to find out.
    """
    if len(data) > limits.bytes * (2 if form == "hex" else 1):
        return f"is longer than {limits.bytes:,} bytes"
    if form in {"wkb", "hex"}:
        raw = _from_hex(data) if form == "hex" else data
        if not isinstance(raw, bytes):
            return "is no hexadecimal WKB"
        return _fault_of_wkb(raw, limits)
    text = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    if form in {"json", "geojson"}:
        depth = nesting_of_json([text], limits.depth)
    else:
        # Brackets within texts count too: parsers differ on what a text is.
        depth = sum(text.count(bracket) for bracket in (b"(", b"[", b"{"))
        if depth > limits.depth:
            steps = _STEP[np.frombuffer(text, dtype=np.uint8)]
            depth = _deepest_of(steps, 0)
    if form == "filter":
        depth += len(_PREFIXES.findall(text))
    if depth > limits.depth:
        return f"is nested more than {limits.depth} levels deep"
    return None if form == "json" else _fault_of_numbers(text, form, limits)


def check(data: bytes | str, form: Form, limits: Limits = GEOMETRY, *, field: str) -> None:
    """Refuse a value that no parser should see.

    Raises
    ------
    BadInput
        Names the field and what is wrong, without repeating the value.
    """
    found = fault(data, form, limits)
    if found is not None:
        raise BadInput(Problem(f"it {found}", "Send it in smaller or simpler parts", field=field))


# ------------------------------------------------------------------------------------------
# Text
# ------------------------------------------------------------------------------------------

_OPEN: Final = b"([{"
_CLOSE: Final = b")]}"
_STEP: Final = np.zeros(256, dtype=np.int8)
_STEP[list(_OPEN)] = 1
_STEP[list(_CLOSE)] = -1
_MATTERS: Final = _STEP != 0
_MATTERS[ord('"')] = True
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
# Each is a call of its own in a parser, and stands before what it applies to without a bracket.
_PREFIXES: Final = re.compile(rb"(?i)\bnot\b|[-+](?=\s*[-+])")
_NUMBER: Final = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NO_NUMBER: Final = re.compile(rb"(?i)\b(?:nan|inf|infinity)\b")


def nesting_of_json(pieces: Iterable[bytes], enough: int) -> int:
    """Most brackets open at once outside double-quoted texts, read piece by piece.

    Stops once it is more than `enough`; the answer is then at least that many.
    """
    depth = deepest = 0
    in_text, kept = False, b""
    for piece in pieces:
        plain = _ESCAPED.sub(b"", kept + piece)
        kept = b"\\" if plain.endswith(b"\\") else b""
        data = np.frombuffer(plain, dtype=np.uint8)
        data = data[_MATTERS[data]]
        quotes = data == ord('"')
        inside = (np.cumsum(quotes) + in_text) % 2 == 1
        steps = _STEP[data[~inside & ~quotes]]
        deepest = max(deepest, _deepest_of(steps, depth))
        depth = max(0, depth + int(steps.sum(dtype=np.int64)))
        in_text ^= bool(quotes.sum() % 2)
        if deepest > enough:
            break
    return deepest


def _deepest_of(steps: NDArray[np.int8], depth: int) -> int:
    """Deepest level of steps up and down from a level; closing what is not open goes nowhere."""
    levels = depth + np.cumsum(steps, dtype=np.int64)
    lowest = np.minimum.accumulate(np.minimum(levels, 0)) if len(levels) else levels
    return int((levels - lowest).max(initial=depth))


def _fault_of_numbers(text: bytes, form: Form, limits: Limits) -> str | None:
    # In WKT a comma parts two vertices; in GeoJSON a bracket begins each.
    if text.count(b"[" if form == "geojson" else b",") >= limits.vertices:
        return f"has more than {limits.vertices:,} vertices"
    if form == "wkt" and _NO_NUMBER.search(text):
        return "has a coordinate that is NaN or infinite"
    if form != "filter":
        for number in _NUMBER.findall(text):
            if abs(float(number)) > limits.reach:
                return f"has a coordinate beyond {limits.reach:g}, outside of any system"
    return None


# ------------------------------------------------------------------------------------------
# WKB
# ------------------------------------------------------------------------------------------

_HAS_SRID: Final = 0x20000000
_HAS_Z: Final = 0x80000000
_HAS_M: Final = 0x40000000
_CUT_SHORT: Final = "is damaged: it ends too early"
_UINT: Final = {0: struct.Struct(">I"), 1: struct.Struct("<I")}


class _Unfit(Exception):
    """What is wrong with a geometry."""


def _from_hex(data: bytes | str) -> bytes | None:
    try:
        return bytes.fromhex(data if isinstance(data, str) else data.decode("ascii"))
    except ValueError:
        return None


def _fault_of_wkb(data: bytes, limits: Limits) -> str | None:
    try:
        _Wkb(data, limits).walk()
    except _Unfit as why:
        return str(why)
    except (struct.error, IndexError):
        return _CUT_SHORT
    return None


class _Wkb:
    """A walk over ISO or extended WKB: every geometry once, in the order they are written."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data, self.limits = data, limits
        self.at = self.vertices = 0

    def walk(self) -> None:
        # How many geometries are still to come at each open level.
        open_levels = [1]
        while open_levels:
            if open_levels[-1] == 0:
                open_levels.pop()
                continue
            open_levels[-1] -= 1
            parts = self._geometry()
            if parts:
                open_levels.append(parts)
                if len(open_levels) > self.limits.depth:
                    raise _Unfit(f"is nested more than {self.limits.depth} levels deep")

    def _geometry(self) -> int:
        """Read one header, and the coordinates when it has them; the number of parts else."""
        order = self.data[self.at]
        if order not in _UINT:
            raise _Unfit("is damaged: its byte order is neither of the two")
        self.at += 1
        unsigned = _UINT[order]
        told = self._count(unsigned)
        base = told & 0x1FFFFFFF
        kind, variant = base % 1000, base // 1000
        # Parsers look at 16 bits of the type only: others would tell us another type than them.
        if not 1 <= kind <= 7 or variant > 3:
            raise _Unfit(f"is of a type that is not read (WKB type {base})")
        if told & _HAS_SRID:
            self.at += 4
        width = 2 + bool(told & _HAS_Z or variant in {1, 3}) + bool(told & _HAS_M or variant > 1)
        if kind == 1:
            self._coordinates(1, width, order)
        elif kind == 2:
            self._coordinates(self._count(unsigned), width, order)
        elif kind == 3:
            for _ in range(self._count(unsigned, least=4)):
                self._coordinates(self._count(unsigned), width, order)
        else:
            return self._count(unsigned, least=9)
        return 0

    def _count(self, unsigned: struct.Struct, *, least: int = 0) -> int:
        """The next number; of things that take at least so many bytes each."""
        (number,) = unsigned.unpack_from(self.data, self.at)
        self.at += 4
        if number * least > len(self.data) - self.at:
            raise _Unfit(_CUT_SHORT)
        return int(number)

    def _coordinates(self, number: int, width: int, order: int) -> None:
        self.vertices += number
        if self.vertices > self.limits.vertices:
            raise _Unfit(f"has more than {self.limits.vertices:,} vertices")
        end = self.at + 8 * width * number
        if end > len(self.data):
            raise _Unfit(_CUT_SHORT)
        if self.limits.reach < np.inf and number:
            values = np.frombuffer(
                self.data, dtype="<f8" if order else ">f8", count=width * number, offset=self.at
            )
            plane = values.reshape(number, width)[:, :2]
            # An empty point is written as two NaN.
            if not (number == 1 and np.isnan(plane).all()):
                if not np.isfinite(plane).all():
                    raise _Unfit("has a coordinate that is NaN or infinite")
                if np.abs(plane).max() > self.limits.reach:
                    raise _Unfit(
                        f"has a coordinate beyond {self.limits.reach:g}, outside of any system"
                    )
        self.at = end
