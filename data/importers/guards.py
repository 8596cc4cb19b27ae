"""What stands before every reader of files: size, kind of file, archives, depth of nesting."""

from __future__ import annotations

import gzip
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from gis import guards
from gis.errors import BadInput, NotFound

MAX_BYTES: Final = 2_000_000_000
# Office files and shapefiles shrink 3-20 times; a file that grows a hundredfold is an attack.
MAX_RATIO: Final = 100
RATIO_MATTERS_FROM: Final = 10_000_000
MAX_MEMBERS: Final = 10_000
CHUNK: Final = 1 << 20

# What a file is, by how its name ends: our name of the format and GDAL's driver, None where we
# read it ourselves. Nothing else is opened: GDAL has hundreds of readers, some of which fetch
# addresses or run other files.
FORMATS: Final[dict[str, tuple[str, str | None]]] = {
    ".csv": ("csv", None),
    ".csv.gz": ("csv", None),
    ".tsv": ("csv", None),
    ".tsv.gz": ("csv", None),
    ".txt": ("csv", None),
    ".xlsx": ("xlsx", None),
    ".xlsm": ("xlsx", None),
    ".parquet": ("parquet", None),
    ".geoparquet": ("parquet", None),
    ".gpkg": ("gpkg", "GPKG"),
    ".geojson": ("geojson", "GeoJSON"),
    ".json": ("geojson", "GeoJSON"),
    ".geojson.gz": ("geojson", "GeoJSON"),
    ".json.gz": ("geojson", "GeoJSON"),
    ".geojsonl": ("geojsonseq", "GeoJSONSeq"),
    ".shp": ("shapefile", "ESRI Shapefile"),
    ".zip": ("zip", "ESRI Shapefile"),
    ".shz": ("zip", "ESRI Shapefile"),
    ".fgb": ("flatgeobuf", "FlatGeobuf"),
    ".gpx": ("gpx", "GPX"),
    ".kml": ("kml", "KML"),
    ".gml": ("gml", "GML"),
    ".tab": ("mapinfo", "MapInfo File"),
    ".mif": ("mapinfo", "MapInfo File"),
    ".dxf": ("dxf", "DXF"),
    ".osm.pbf": ("osm", "OSM"),
    ".pbf": ("osm", "OSM"),
}
# Files that offices have and that can be made into one of these.
_CONVERT: Final[dict[str, str]] = {
    **dict.fromkeys(
        (".xls", ".et", ".ods", ".numbers"), "Open it in a spreadsheet and save it as .xlsx."
    ),
    **dict.fromkeys(
        (".doc", ".docx", ".wps", ".pdf"),
        "Copy its table into a spreadsheet and save that as .xlsx.",
    ),
    **dict.fromkeys((".rar", ".7z", ".tar", ".tgz"), "Unpack it and import the file in it."),
    ".dwg": "Save it as .dxf in the program that drew it.",
    ".mdb": "Export the table or layer as .xlsx or .gpkg.",
    ".gdb": "Export the layer as .gpkg.",
    **dict.fromkeys(
        (".shx", ".dbf", ".prj", ".cpg"), "Name the .shp file; the others are read with it."
    ),
}
_MAGIC: Final[dict[str, tuple[bytes, ...]]] = {
    "xlsx": (b"PK\x03\x04",),
    "zip": (b"PK\x03\x04",),
    "parquet": (b"PAR1",),
    "gpkg": (b"SQLite format 3\x00",),
    "shapefile": (b"\x00\x00\x27\x0a",),
    "flatgeobuf": (b"fgb",),
}
_SEEN: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "a ZIP archive or an Office file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file (.xls, .doc)"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "a SQLite database or GeoPackage"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x00\x00\x27\x0a", "a Shapefile"),
    (b"<?xml", "an XML file"),
    (b"<", "an HTML or XML file"),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that may be given to its parser: its format and GDAL driver (None: read by us)."""

    path: Path
    format: str
    driver: str | None
    gzipped: bool
    bytes: int


def ending(path: Path) -> str:
    """The ending that says what a file is, lower case, `.gz` and `.osm` kept together."""
    parts = [s.lower() for s in path.suffixes[-2:]]
    both = "".join(parts)
    return both if both in FORMATS else (parts[-1] if parts else "")


def check_file(path: Path, *, max_bytes: int = MAX_BYTES) -> Checked:
    """Refuse what no parser should see.

    Raises
    ------
    NotFound
        There is no such file.
    BadInput
        Not a plain file, empty, too large, of an unknown kind, of another kind than its name
        says, an archive that swells or whose members leave their folder, JSON nested too deep.
    """
    try:
        info = path.stat()
    except OSError as error:
        raise NotFound(f"there is no file {path}") from error
    if not stat.S_ISREG(info.st_mode):
        raise BadInput(f"{path.name} is not a file", "Name one file, not a folder or a device.")
    kind = ending(path)
    if kind not in FORMATS:
        known = ", ".join(sorted(FORMATS))
        raise BadInput(
            f"{path.name}: files ending in {kind or 'nothing'!r} are not read",
            _CONVERT.get(kind, f"Save it as one of {known}."),
        )
    if info.st_size == 0:
        raise BadInput(f"{path.name} is empty (0 bytes)", "Export it again.")
    if info.st_size > max_bytes:
        raise BadInput(
            f"{path.name} is {info.st_size / 1e9:.2f} GB, more than the {max_bytes / 1e9:.2f} GB "
            "that one import takes",
            "Cut it into parts, for example by township; re-imports fit together by id.",
        )
    name, driver = FORMATS[kind]
    gzipped = kind.endswith(".gz")
    _check_magic(path, name, gzipped=gzipped)
    if gzipped:
        _check_gzip(path, max_bytes)
    if name in ("xlsx", "zip"):
        names = _check_zip(path, max_bytes)
        if name == "zip" and not any(each.lower().endswith(".shp") for each in names):
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise BadInput(
                f"{path.name} holds no Shapefile (.shp)" + (f", but {shown}" if shown else ""),
                "Unpack it and import the file in it.",
            )
    if name in ("geojson", "geojsonseq"):
        _check_json(path, gzipped=gzipped)
    return Checked(path, name, driver, gzipped, info.st_size)


def _check_magic(path: Path, name: str, *, gzipped: bool) -> None:
    """Refuse a file whose first bytes are another format's."""
    with path.open("rb") as file:
        head = file.read(512)
    wanted = (b"\x1f\x8b",) if gzipped else _MAGIC.get(name)
    if wanted is not None:
        if head.startswith(wanted):
            return
        raise _other_kind(path, head)
    text = name in ("csv", "geojson", "geojsonseq", "gpx", "kml", "gml")
    binary = b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))
    is_xml = name in ("gpx", "kml", "gml")
    if text and (binary or (not is_xml and head.lstrip().startswith((b"<", b"%PDF", b"PK\x03")))):
        raise _other_kind(path, head)
    if name == "geojson" and not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(
        (b"{", b"[")
    ):
        raise _other_kind(path, head)
    if is_xml:
        _check_xml(path)
    if name == "osm" and b"OSMHeader" not in head:
        raise _other_kind(path, head)


def _other_kind(path: Path, head: bytes) -> BadInput:
    seen = next((what for magic, what in _SEEN if head.startswith(magic)), "something else")
    return BadInput(
        f"{path.name} is not what its name says: by its first bytes it is {seen}",
        "Name the file by what it is, or export it again.",
    )


def _check_xml(path: Path) -> None:
    """Refuse document type declarations: entities read other files or grow without end."""
    with path.open("rb") as file:
        if b"<!DOCTYPE" in file.read(64_000).upper():
            raise BadInput(
                f"{path.name} declares XML entities (<!DOCTYPE>)", "Save it without them."
            )


def _check_gzip(path: Path, max_bytes: int) -> None:
    size = path.stat().st_size
    total = 0
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK):
                total += len(chunk)
                if total > max_bytes or (total > RATIO_MATTERS_FROM and total > MAX_RATIO * size):
                    raise _bomb(path, total, size)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path.name} is a damaged gzip file: {error}", "Copy it again.") from error
    if total == 0:
        raise BadInput(f"{path.name} is empty once unpacked", "Export it again.")


def _check_zip(path: Path, max_bytes: int) -> list[str]:
    """Check names and sizes of all members without unpacking one; their names.

    The sizes are the archive's own word; the readers that follow stop at the size they were told.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path.name} is a damaged archive: {error}", "Copy it again.") from error
    if len(members) > MAX_MEMBERS:
        raise BadInput(f"{path.name} holds {len(members)} files, more than {MAX_MEMBERS}")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or re.match(r"^[A-Za-z]:", str(name)):
            raise BadInput(
                f"{path.name} holds a file that would land outside its folder: {member.filename!r}",
                "Do not trust this archive; ask its sender.",
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise BadInput(f"{path.name} holds a link to another file: {member.filename!r}")
        if member.flag_bits & 0x1:
            raise BadInput(f"{path.name} is locked with a password", "Unlock it first.")
    total = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if total > max_bytes or (total > RATIO_MATTERS_FROM and total > MAX_RATIO * packed):
        raise _bomb(path, total, packed)
    return [member.filename for member in members]


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def _bomb(path: Path, total: int, packed: int) -> BadInput:
    return BadInput(
        f"{path.name} swells from {_size(packed)} to {_size(total)} or more when unpacked (a zip "
        "bomb?): refused",
        f"Send the unpacked file, no larger than {MAX_BYTES / 1e9:.0f} GB.",
    )


def _check_json(path: Path, *, gzipped: bool) -> None:
    with gzip.open(path) if gzipped else path.open("rb") as file:
        depth = guards.nesting_of_json(iter(lambda: file.read(CHUNK), b""), guards.GEOMETRY.depth)
    if depth > guards.GEOMETRY.depth:
        raise BadInput(
            f"{path.name} is nested {depth} levels deep or more; geometry needs 8",
            "This is no file of map features; ask its sender.",
        )
