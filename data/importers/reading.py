"""A file of any kind into one table: columns as they are, geometry, and the CRS it declares."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from data.importers import guards, layers, tables
from gis import guards as gis_guards
from gis.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

Geometries = NDArray[np.object_]

CHILD_MEMORY: Final = 8 << 30
CHILD_CPU_S: Final = 900
CHILD_OUTPUT: Final = 8 << 30
STREAM_CPU_S: Final = 86_400
_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_CHILD: Final = (sys.executable, "-m", "data.importers.child")


@dataclass
class Table:
    """One layer of a file.

    Attributes
    ----------
    frame
        Attribute columns under the names of the file; its index is the row number, from 1.
    geometry
        Shapely geometries or None, one for each row, coordinates x, y as in the file; None when
        the file has no geometry column.
    crs
        What the file declares (``EPSG:4547``, WKT), or None.
    layer, layers
        Layer read, and all that there are.
    unread
        Row number and reason of geometries that no parser was given.
    notes
        What was assumed in reading, for the report.
    format
        Name of the format as in `guards.FORMATS`.
    """

    frame: pd.DataFrame
    geometry: Geometries | None
    crs: str | None
    layer: str | None
    layers: list[str]
    format: str
    unread: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def only(self, kept: NDArray[np.bool_]) -> Table:
        """The table with some of its rows, which keep their numbers."""
        frame = self.frame[kept]
        rows = set(frame.index)
        return replace(
            self,
            frame=frame,
            geometry=None if self.geometry is None else self.geometry[kept],
            unread={row: why for row, why in self.unread.items() if row in rows},
        )


def read(
    path: Path,
    *,
    layer: str | None = None,
    preferred: tuple[str, ...] = (),
    encoding: str | None = None,
    max_bytes: int = guards.MAX_BYTES,
) -> Table:
    """Read one layer of a file.

    Parameters
    ----------
    layer
        Layer or sheet; None takes the only one, else the one named in `preferred`.
    encoding
        Of text in CSV and Shapefiles; None finds out.

    Raises
    ------
    NotFound
        There is no such file.
    BadInput
        It cannot be read, holds no rows, or has several layers and none was chosen.
    """
    checked = guards.check_file(path, max_bytes=max_bytes)
    if checked.format == "csv":
        table = _plain(checked, tables.read_csv(checked, encoding))
    elif checked.format == "xlsx":
        table = _plain(checked, tables.read_xlsx(checked, layer, preferred))
    elif checked.format == "parquet":
        table = _parquet(checked)
    else:
        table = _gdal(checked, layer, preferred, encoding)
    if len(table.frame) == 0:
        raise BadInput(
            f"{path.name} has no rows" + (f" in layer {table.layer!r}" if table.layer else ""),
            "Export it again, or choose another layer.",
        )
    tables.refuse_wrong_encoding(table.frame, path.name)
    return table


def _plain(checked: guards.Checked, sheet: tables.Sheet) -> Table:
    return Table(
        sheet.frame, None, None, sheet.name, sheet.names, checked.format, notes=sheet.notes
    )


def _parquet(checked: guards.Checked) -> Table:
    arrow, geometry, crs = tables.read_parquet(checked)
    return _from_arrow(arrow, geometry, crs, checked)


def _from_arrow(
    arrow: pa.Table,
    geometry_name: str | None,
    crs: str | None,
    checked: guards.Checked,
    *,
    layer: str | None = None,
    names: Sequence[str] = (),
) -> Table:
    rows = np.arange(1, arrow.num_rows + 1)
    geometry: Geometries | None = None
    unread: dict[int, str] = {}
    if geometry_name is not None and geometry_name in arrow.column_names:
        geometry, unread = from_wkb(arrow.column(geometry_name).to_pylist())
        arrow = arrow.drop_columns([geometry_name])
    frame = arrow.to_pandas(integer_object_nulls=True)
    frame.index = pd.Index(rows)
    return Table(frame, geometry, crs, layer, list(names), checked.format, unread)


# Coordinates are looked at when all are parsed, so that each finding names its row.
_STRUCTURE: Final = replace(gis_guards.GEOMETRY, reach=np.inf)


def from_wkb(values: list[bytes | None]) -> tuple[Geometries, dict[int, str]]:
    """Geometries of WKB values; of the ones not parsed, the row (from 1) and why."""
    geometry = np.full(len(values), None, dtype=object)
    unread: dict[int, str] = {}
    plain: list[int] = []
    for position, value in enumerate(values):
        if value is None:
            continue
        if (unfit := gis_guards.fault(value, "wkb", _STRUCTURE)) is not None:
            unread[position + 1] = f"the geometry {unfit}"
        else:
            plain.append(position)
    if plain:
        chosen = np.array(plain)
        with np.errstate(invalid="ignore"):  # NaN coordinates are looked for later, row by row
            parsed = shapely.from_wkb([values[i] for i in plain], on_invalid="ignore")
        geometry[chosen] = parsed
        for position in chosen[shapely.is_missing(parsed)]:
            unread[int(position) + 1] = "the geometry is damaged (not readable as WKB)"
    return geometry, unread


def _gdal(
    checked: guards.Checked,
    layer: str | None,
    preferred: tuple[str, ...],
    encoding: str | None,
) -> Table:
    notes: list[str] = []
    if checked.format in ("shapefile", "zip") and encoding is None:
        encoding, notes = tables.dbf_encoding(checked)
    is_cut = encoding == "UTF-8" and tables.has_cut_names(checked)
    answer = ask_gdal(
        checked, layer, preferred=preferred, encoding="ISO-8859-1" if is_cut else encoding
    )
    names = [name for name, _ in answer.layers]
    if answer.table is None:
        layers.choose(names, layer, preferred, file=checked.path.name)
        raise BadInput(f"{checked.path.name} has no layer that can be read")
    table = _from_arrow(
        answer.table,
        answer.geometry,
        answer.crs,
        checked,
        layer=answer.layer if len(names) > 1 else None,
        names=names,
    )
    if answer.fid and answer.fid in table.frame and answer.fid not in ("id", "code"):
        table.frame = table.frame.drop(columns=answer.fid)
    if is_cut:
        table.frame = tables.whole_characters(table.frame)
        notes = [*notes, "names of columns are cut after ten bytes: --map NAME=COLUMN says which"]
    table.notes = notes
    return table


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child process said: all layers (name, type), and the one that was read."""

    layers: list[tuple[str, str]]
    layer: str | None = None
    table: pa.Table | None = None
    geometry: str | None = None
    crs: str | None = None
    fid: str | None = None


def ask_gdal(
    checked: guards.Checked,
    layer: str | None,
    *,
    preferred: tuple[str, ...] = (),
    where: str | None = None,
    encoding: str | None = None,
) -> Answer:
    """Have the child process list the layers and read one: named, the only one, or preferred.

    Raises
    ------
    BadInput
        GDAL cannot read it, or died trying.
    """
    with tempfile.TemporaryDirectory(prefix="wangge-import-") as folder:
        out = Path(folder) / "layer.arrow"
        request = _request(checked, layer, encoding) | {
            "preferred": list(preferred),
            "where": where,
        }
        done = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
            [*_CHILD, json.dumps(request), str(out)],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=_REPOSITORY,
            env=_child_environment(checked.driver, folder),
            timeout=CHILD_CPU_S * 2,
        )
        if done.returncode != 0:
            raise _died(checked.path.name, done.returncode, done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        if "error" in answer:
            raise _refused(checked, answer["error"])
        table = None
        if "layer" in answer:
            with pa.OSFile(str(out)) as source:
                table = pa.ipc.open_file(source).read_all()
    return Answer(
        [(name, kind) for name, kind in answer["layers"]],
        answer.get("layer"),
        table,
        answer.get("geometry"),
        answer.get("crs"),
        answer.get("fid"),
    )


@dataclass(frozen=True, slots=True)
class Stream:
    """A layer as the child process hands it over, batch by batch.

    Attributes
    ----------
    rows
        How many there are; None where GDAL would have to read all of it to know.
    """

    layer: str
    geometry: str | None
    crs: str | None
    rows: int | None
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@contextmanager
def stream(checked: guards.Checked, layer: str | None) -> Iterator[Stream]:
    """Have the child process read a layer, in the memory that a batch takes.

    Parameters
    ----------
    layer
        Its name; None takes the only one.

    Raises
    ------
    BadInput
        GDAL cannot read it, or died trying; in the middle of the batches, if it comes to that.
    """
    encoding = None
    if checked.format in ("shapefile", "zip"):
        encoding, _ = tables.dbf_encoding(checked)
    request = _request(checked, layer, encoding)
    request |= {"preferred": [], "where": None, "stream": True, "cpu_s": STREAM_CPU_S}
    with (
        tempfile.TemporaryDirectory(prefix="wangge-import-") as folder,
        tempfile.TemporaryFile() as words,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [*_CHILD, json.dumps(request), ""],
            stdout=subprocess.PIPE,
            stderr=words,
            stdin=subprocess.DEVNULL,
            cwd=_REPOSITORY,
            env=_child_environment(checked.driver, folder),
        ) as child,
    ):
        assert child.stdout is not None

        def ended() -> None:
            """Look whether it came to its end as it should."""
            rest = child.stdout.read() if child.stdout is not None else b""
            if child.wait() != 0:
                words.seek(0)
                raise _died(checked.path.name, child.returncode, words.read())
            if rest:
                raise _refused(checked, json.loads(rest)["error"])

        def batches(reader: Any) -> Iterator[pa.RecordBatch]:
            try:
                yield from reader
            except pa.ArrowException:
                ended()
                raise
            ended()

        try:
            line = child.stdout.readline()
            answer: dict[str, Any] = json.loads(line) if line else {}
            if not line:
                ended()
            if "error" in answer:
                raise _refused(checked, answer["error"])
            if "layer" not in answer:
                names = [name for name, _ in answer["layers"]]
                layers.choose(names, layer, (), file=checked.path.name)
            reader = pa.ipc.open_stream(child.stdout)
            kept = [f for f in reader.schema if f.name != answer["fid"] or f.name in ("id", "code")]
            names = [field.name for field in kept]
            yield Stream(
                answer["layer"],
                answer["geometry"],
                answer["crs"],
                answer["rows"],
                pa.schema(kept),
                (batch.select(names) for batch in batches(reader)),
            )
        finally:
            child.kill()


def _request(checked: guards.Checked, layer: str | None, encoding: str | None) -> dict[str, Any]:
    address = str(checked.path.resolve())
    if checked.gzipped:
        address = f"/vsigzip/{address}"
    elif checked.format == "zip":
        # In braces: a name may end in another way than .zip.
        address = f"/vsizip/{{{address}}}"
    return {
        "path": address,
        "layer": layer,
        "encoding": encoding,
        "memory": CHILD_MEMORY,
        "cpu_s": CHILD_CPU_S,
        "output": CHILD_OUTPUT,
    }


def _refused(checked: guards.Checked, reason: str) -> BadInput:
    # What GDAL adds helps a programmer, not the sender of the file.
    plain = reason.replace(str(checked.path.resolve()), checked.path.name)
    plain = plain.replace("/vsigzip/", "").replace("/vsizip/", "").partition("; It might")[0]
    if "not recognized as being in a supported file format" in plain:
        plain = "it is damaged, or not what its name says"
    return BadInput(
        f"{checked.path.name} cannot be read: {plain.rstrip('.')}",
        "Open it in the program that made it and export it again.",
    )


def _died(name: str, code: int, words: bytes) -> BadInput:
    last = words.decode(errors="replace").strip().splitlines()[-1:]
    if code < 0:
        why = f"stopped by {signal.Signals(-code).name}"
        if -code == signal.SIGXCPU:
            why = f"took more than {CHILD_CPU_S} s"
    else:
        why = last[0] if last else f"exit {code}"
    return BadInput(
        f"{name} cannot be read: the reader gave up on it ({why})",
        "It is damaged or too large for one import; export it again, in parts.",
    )


def _child_environment(driver: str | None, folder: str) -> dict[str, str]:
    """Nothing of ours but the paths Python needs; one driver, no network, no files beside."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LD_LIBRARY_PATH", "PROJ_DATA", "GDAL_DATA", "PYTHONPATH")
        if name in os.environ
    }
    return kept | {
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "CPL_TMPDIR": folder,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "GDAL_SKIP": ",".join(sorted(_other_drivers(driver))),
        "GDAL_HTTP_TIMEOUT": "1",
        "GDAL_HTTP_MAX_RETRY": "0",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_PAM_ENABLED": "NO",
        "OGR_GEOJSON_MAX_OBJ_SIZE": "500",
        "OSM_USE_CUSTOM_INDEXING": "YES",
        "PROJ_NETWORK": "OFF",
    }


def _other_drivers(driver: str | None) -> set[str]:
    # A GeoPackage is SQLite; GDAL's SQLite reader would also open a database that is none.
    # Loading GDAL takes a fifth of a second, a fifth of the time that all of this module takes, and
    # tables (CSV, Excel, Parquet) never need it.
    from pyogrio import list_drivers  # noqa: PLC0415

    return set(list_drivers()) - {driver}
