"""Names of coordinate systems, and what PROJ can do with each; ``gis.crs`` is the way in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from gis.errors import BadInput, Problem
from gis.guards import Limits, fault

_DEFINITION = Limits(bytes=64 << 10, depth=32)
_NAME = re.compile(r"[\w :.-]{1,32}")
NAMES = ("wgs84", "cgcs2000", "gcj02", "bd09")
_ALIASES = {
    "wgs84": "wgs84",
    "crs84": "wgs84",
    "epsg4326": "wgs84",
    "4326": "wgs84",
    "cgcs2000": "cgcs2000",
    "china2000": "cgcs2000",
    "epsg4490": "cgcs2000",
    "4490": "cgcs2000",
    "gcj02": "gcj02",
    "gcj2": "gcj02",
    "bd09": "bd09",
    "bd09ll": "bd09",
}
# EPSG writes "China 2000", Esri "D_China_2000", some national software the long names.
_CGCS2000_DATUMS = {
    "china2000",
    "dchina2000",
    "cgcs2000",
    "dcgcs2000",
    "chinageodeticcoordinatesystem2000",
    "gcschinageodeticcoordinatesystem2000",
}


class Kind(Enum):
    """How a coordinate system is converted."""

    IDENTITY = "identity"
    GCJ02 = "gcj02"
    BD09 = "bd09"
    PROJ = "proj"


@dataclass(frozen=True, slots=True)
class Crs:
    """A coordinate system that wangge can convert; made by ``parse_crs``.

    Attributes
    ----------
    name
        ``wgs84``, ``cgcs2000``, ``gcj02``, ``bd09``, ``EPSG:n``, or the name in a definition.
    kind
        How it is converted.
    definition
        What pyproj reads: ``EPSG:n`` or WKT; empty for GCJ-02 and BD-09, which are no datums.
    """

    name: str
    kind: Kind
    definition: str = ""

    @property
    def is_shifted(self) -> bool:
        """Whether it is one of the shifted systems, GCJ-02 and BD-09."""
        return self.kind in (Kind.GCJ02, Kind.BD09)

    def __str__(self) -> str:
        return self.name


CrsLike: TypeAlias = Crs | CRS | str | int

_NAMED = {
    "wgs84": Crs("wgs84", Kind.IDENTITY, "EPSG:4326"),
    "cgcs2000": Crs("cgcs2000", Kind.IDENTITY, "EPSG:4490"),
    "gcj02": Crs("gcj02", Kind.GCJ02),
    "bd09": Crs("bd09", Kind.BD09),
}


def parse_crs(name: CrsLike) -> Crs:
    """Read the name of a coordinate system.

    Parameters
    ----------
    name
        ``wgs84``, ``cgcs2000``, ``gcj02``, ``bd09`` (case, spaces, ``-`` and ``_`` do not matter),
        ``EPSG:n`` or the bare number, another authority's code (``ESRI:102025``, ``OGC:CRS84``, a
        URN), WKT, a PROJ string, a ``pyproj.CRS``, or a ``Crs``. EPSG:4326 is ``wgs84`` and
        EPSG:4490 ``cgcs2000``.

    Raises
    ------
    BadInput
        Unknown name (with the nearest known ones), unknown code, or a system without a horizontal
        position: vertical, geocentric, engineering.
    """
    if isinstance(name, Crs):
        return name
    if isinstance(name, CRS):
        return _from_definition(name.to_wkt())
    return _parse_text(str(name))


def parse_name(text: str) -> Crs:
    """The system of a name or code, for what a stranger sent.

    A definition (WKT, PROJJSON, ``+proj``) is a language with names of files in it, and is read
    from the operator and the head of a file only.

    Raises
    ------
    BadInput
        It is neither a name nor ``EPSG:n``.
    """
    if not _NAME.fullmatch(text.strip()):
        raise BadInput(
            f"{text[:32]!r} is no name of a coordinate system",
            f"Write one of {', '.join(NAMES)}, or EPSG:n.",
        )
    return _parse_text(text)


@lru_cache(maxsize=256)
def _parse_text(text: str) -> Crs:
    stripped = text.strip()
    key = re.sub(r"[\s_\-:]", "", stripped).lower()
    if key in _ALIASES:
        return _NAMED[_ALIASES[key]]
    if key in ("bd09mc", "bd09meter", "bd09mercator"):
        raise BadInput(f"{text!r} (Baidu's metres) is not supported", "Export the data as bd09ll.")
    if re.fullmatch(r"(epsg:)?\d{1,9}", stripped, re.IGNORECASE):
        return _from_definition(f"EPSG:{int(stripped.rpartition(':')[2])}")
    if re.match(r"(\w+:\w|\+)|.*\[", stripped, re.DOTALL):
        # WKT has its brackets and quotes where JSON has them.
        if (unfit := fault(stripped, "json", _DEFINITION)) is not None:
            raise BadInput(f"the definition of the coordinate system {unfit}", "Write EPSG:n.")
        return _from_definition(stripped)
    near = get_close_matches(key, _ALIASES, n=3, cutoff=0.5)
    meant = list(dict.fromkeys(_ALIASES[k] for k in near))
    hint = f"Did you mean {' or '.join(meant)}? " if meant else ""
    raise BadInput(
        f"no coordinate system is called {text!r}", f"{hint}Known: {', '.join(NAMES)}, EPSG:n."
    )


@lru_cache(maxsize=256)
def _from_definition(definition: str) -> Crs:
    try:
        crs = CRS.from_user_input(definition)
    except CRSError as error:
        raise BadInput(
            f"PROJ does not know the coordinate system {definition[:80]!r}",
            f"Check the code; known names are {', '.join(NAMES)}, EPSG:n.",
        ) from error
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if not (crs.is_geographic or crs.is_projected):
        raise BadInput(
            f"{crs.name} ({crs.type_name}) gives no position in two coordinates",
            "Use a geographic or projected system.",
        )
    if len(crs.axis_info) > 2:
        crs = crs.to_2d()
    code = crs.to_epsg(min_confidence=100)
    if code in (4326, 4490):
        return _NAMED["wgs84" if code == 4326 else "cgcs2000"]
    if code is not None:
        return Crs(f"EPSG:{code}", Kind.PROJ, f"EPSG:{code}")
    return Crs(crs.name, Kind.PROJ, crs.to_wkt())


def is_cgcs2000(crs: CRS) -> bool:
    """Whether a system, geographic or projected, stands on the CGCS2000 datum."""
    base = crs.source_crs if crs.is_bound else crs
    geodetic = base.geodetic_crs if base is not None else None
    if geodetic is None or geodetic.datum is None:
        return False
    return re.sub(r"[\W_]", "", geodetic.datum.name).lower() in _CGCS2000_DATUMS


@lru_cache(maxsize=64)
def proj_transformer(crs: Crs, *, authority_order: bool) -> tuple[Transformer, bool]:
    """PROJ's way from ``crs`` to WGS 84 (run it backwards for the other way).

    CGCS2000 counts as WGS 84 on purpose: axis and flattening agree to 0.1 mm and the frames to
    decimetres, PROJ has only a *ballpark* operation between them, and with ballpark operations
    refused, as they are here, it has none. So a CGCS2000 system goes to its own longitude and
    latitude, which are taken for WGS 84.

    Returns
    -------
    The transformer, and whether its geographic side is latitude first.

    Raises
    ------
    BadInput
        PROJ knows no operation with a stated accuracy (Xian 1980, a local datum).
    """
    source = CRS.from_user_input(crs.definition)
    target = CRS.from_epsg(4326)
    if is_cgcs2000(source):
        base = source.source_crs if source.is_bound else source
        if base is not None and base.geodetic_crs is not None:
            source, target = base, base.geodetic_crs
    try:
        transformer = Transformer.from_crs(
            source, target, always_xy=not authority_order, allow_ballpark=False
        )
    except ProjError as error:
        raise BadInput(
            Problem(
                f"no transformation of known accuracy leads from {source.name} to WGS 84",
                "Convert the data with the survey office's own parameters first, or name the "
                "system it is really in.",
                field="crs",
            )
        ) from error
    return transformer, authority_order and target.axis_info[0].direction == "north"
