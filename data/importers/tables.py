"""Tables without GDAL: CSV, Excel, Parquet; and what encoding their text is in."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.importers import layers
from gis import guards
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from data.importers.guards import Checked

MAX_ROWS: Final = 20_000_000
# A field of a DBF file ends where its width ends, even in the middle of a character.
DBF_SAMPLE_BYTES: Final = 4 << 20


@dataclass
class Sheet:
    """A table of texts and numbers; the index is the row number, from 1."""

    frame: pd.DataFrame
    name: str | None = None
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def decode(data: bytes, name: str, encoding: str | None) -> tuple[str, list[str]]:
    """Text of bytes in the encoding given, else UTF-8, UTF-16 with a mark, or GB18030 (GBK).

    Raises
    ------
    BadInput
        The bytes are no text of that encoding, or of none.
    """
    if encoding is not None:
        try:
            return data.decode(encoding), []
        except LookupError as error:
            raise BadInput(f"there is no encoding {encoding!r}", "Say utf-8 or gbk.") from error
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{name} is not {encoding}: byte {error.start} cannot be read",
                "Leave --encoding out to have it found, or say gbk or utf-8.",
            ) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16"), ["text is UTF-16"]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as utf8_error:
        try:
            return data.decode("gb18030"), ["text is not UTF-8 and was read as GBK (GB18030)"]
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{name} is neither UTF-8 (byte {utf8_error.start}) nor GBK (byte {error.start})",
                "Save it as UTF-8, or name its encoding with --encoding.",
            ) from error


def read_csv(checked: Checked, encoding: str | None) -> Sheet:
    """Read a CSV or TSV file, every value as text, so that no zero of a code is lost."""
    with gzip.open(checked.path) if checked.gzipped else checked.path.open("rb") as file:
        text, notes = decode(file.read(), checked.path.name, encoding)
    header = text.lstrip("\n\r").split("\n", 1)[0]
    separator = max(",\t;|", key=header.count)
    refuse_doubles(next(csv.reader([header], delimiter=separator), []), checked.path.name)
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, na_values=[""],
            index_col=False,
        )  # fmt: skip
    except pd.errors.EmptyDataError as error:
        raise BadInput(f"{checked.path.name} is empty", "Export it again.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        raise BadInput(
            f"{checked.path.name} is no regular table: {error}",
            "Put texts that hold a separator in double quotes.",
        ) from error
    frame.columns = pd.Index([str(c).strip() for c in frame.columns])
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return Sheet(frame, notes=notes)


def refuse_doubles(names: list[str], file: str) -> None:
    """Refuse a header that has a column twice.

    Raises
    ------
    BadInput
        Naming them.
    """
    seen = [name.strip() for name in names]
    doubles = sorted({name for name in seen if name and seen.count(name) > 1})
    if doubles:
        raise BadInput(
            f"{file} has several columns named {', '.join(repr(d) for d in doubles)}",
            "Give every column its own name.",
        )


def read_xlsx(checked: Checked, wanted: str | None, preferred: tuple[str, ...]) -> Sheet:
    """Read a sheet of an Excel file; numbers and dates stay what they are.

    The sheet is the one wanted, else the only one with rows, else the one named like its content.
    """
    import openpyxl  # noqa: PLC0415 - slow to load, and few files need it

    name = checked.path.name
    try:
        book = openpyxl.load_workbook(checked.path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadInput(f"{name} is no Excel file that can be read: {error}") from error
    try:
        filled = [s.title for s in book.worksheets if next(s.iter_rows(values_only=True), None)]
        if not filled:
            raise BadInput(f"{name} is empty: no sheet has a row", "Export it again.")
        title = layers.choose(filled, wanted, preferred, file=name)
        rows = book[title].iter_rows(values_only=True)
        names = ["" if v is None else str(v).strip() for v in next(rows)]
        refuse_doubles(names, name)
        kept = [i for i, text in enumerate(names) if text]
        values = [
            [row[i] if i < len(row) else None for i in kept]
            for row in rows
            if any(value not in (None, "") for value in row)
        ]
    finally:
        book.close()
    frame = pd.DataFrame(values, columns=[names[i] for i in kept], dtype=object)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return Sheet(frame, title if len(filled) > 1 else None, filled)


def read_parquet(checked: Checked) -> tuple[pa.Table, str | None, str | None]:
    """Read a Parquet or GeoParquet file: table, name of its geometry column, declared CRS.

    Raises
    ------
    BadInput
        Damaged, more rows or (unpacked) bytes than fit, or geometry not in WKB.
    """
    name = checked.path.name
    _, column, crs, meta = parquet_head(checked)
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if meta.num_rows > MAX_ROWS or unpacked > 16_000_000_000:
        raise BadInput(
            f"{name} says it has {meta.num_rows} rows ({unpacked / 1e9:.1f} GB)",
            f"Send at most {MAX_ROWS} rows at a time.",
        )
    try:
        with pq.ParquetFile(checked.path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from error
    return table, column, crs


def parquet_head(checked: Checked) -> tuple[pa.Schema, str | None, str | None, pq.FileMetaData]:
    """What a Parquet file says of itself: schema, column of geometry, declared CRS, its footer.

    Raises
    ------
    BadInput
        Damaged, or geometry not in WKB.
    """
    name = checked.path.name
    try:
        with pq.ParquetFile(checked.path) as file:
            schema, meta = file.schema_arrow, file.metadata
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from error
    geo = (schema.metadata or {}).get(b"geo")
    if geo is None:
        return schema, None, None, meta
    if guards.fault(geo, "json") is not None:
        raise BadInput(f"{name} has a GeoParquet header that is too long or nested too deep")
    try:
        described: dict[str, Any] = json.loads(geo)
        column = str(described["primary_column"])
        details = described["columns"][column]
        encoding = details.get("encoding")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{name} has a damaged GeoParquet header: {error}") from error
    if encoding != "WKB":
        raise BadInput(f"{name} keeps geometry as {encoding}", "Write it with WKB geometry.")
    # No crs at all means OGC:CRS84 by the standard; a null one means unknown.
    crs = "OGC:CRS84" if "crs" not in details else _projjson(details["crs"])
    return schema, column, crs, meta


def _damaged(name: str, error: Exception) -> BadInput:
    return BadInput(f"{name} is a damaged Parquet file: {error}", "Copy it again.")


def _projjson(crs: Any) -> str | None:
    if crs is None:
        return None
    identity = crs.get("id") if isinstance(crs, dict) else None
    if isinstance(identity, dict) and "authority" in identity and "code" in identity:
        return f"{identity['authority']}:{identity['code']}"
    return json.dumps(crs)


# ------------------------------------------------------------------------------------------
# Text in the wrong encoding
# ------------------------------------------------------------------------------------------

_LATIN_RUN: Final = re.compile(r"[\u0080-\u00ff]{2,}")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


def unmangled(text: str) -> str | None:
    """What a text was before it was read in the wrong encoding; None when it looks right.

    Finds UTF-8 read as GBK (``鍐呰挋``), GBK or UTF-8 read as Latin-1 (``ÄÚÃÉ¹Å``). Text in which
    characters are already lost gives an empty string.
    """
    if "\ufffd" in text or "锟斤拷" in text:
        return ""
    if text.isascii():
        return None
    if _CHINESE.search(text):
        try:
            back = text.encode("gb18030").decode("utf-8")
        except UnicodeDecodeError:
            return None
        # Common words can make sense by chance as letters of other scripts (状态), not as Chinese.
        return back if _CHINESE.search(back) else None
    if _LATIN_RUN.search(text):
        for encoding in ("utf-8", "gb18030"):
            try:
                back = text.encode("cp1252" if encoding == "gb18030" else "latin-1").decode(
                    encoding
                )
            except (UnicodeDecodeError, UnicodeEncodeError):
                continue
            if _CHINESE.search(back) and not _LATIN_RUN.search(back):
                return back
    return None


def refuse_wrong_encoding(frame: pd.DataFrame, name: str) -> None:
    """Refuse a table whose texts, or column names, were read in the wrong encoding before.

    Raises
    ------
    BadInput
        Showing the first text of each column as it is and as it should be.
    """
    problems = []
    for column in frame.columns:
        found: list[tuple[int | None, str, str | None]] = [
            (None, str(column), unmangled(str(column)))
        ]
        series = frame[column]
        if series.dtype == object or pd.api.types.is_string_dtype(series.dtype):
            # unique(): names and categories repeat, and one wrong text tells enough.
            for value in pd.unique(series.dropna()):
                if isinstance(value, str) and (before := unmangled(value)) is not None:
                    row = int(series.index[np.flatnonzero((series == value).to_numpy())[0]])
                    found.append((row, value, before))
                    break
        for at, value, before in found:
            if before is None:
                continue
            was = f"it should probably be {before[:30]!r}" if before else "characters are lost"
            problems.append(
                Problem(
                    f"the text {value[:30]!r} was read in the wrong encoding; {was}",
                    "Export it again as UTF-8, or name the encoding with --encoding gbk.",
                    name,
                    at,
                    str(column),
                )
            )
    if problems:
        raise BadInput(problems)


# ------------------------------------------------------------------------------------------
# Shapefiles
# ------------------------------------------------------------------------------------------

# Marks of the DBF header ("language driver") that mean Chinese.
_DBF_GBK_MARKS: Final = frozenset({0x4D, 0x7A})


def dbf_encoding(checked: Checked) -> tuple[str | None, list[str]]:
    """Encoding of a Shapefile's texts: by its bytes first, then by what it declares.

    Returns
    -------
    Name for GDAL (None: let it decide, all is ASCII), and notes for the report.
    """
    data, declared = _dbf_and_cpg(checked)
    if data is None or len(data) < 32:
        return None, []
    texts = _dbf_texts(data)
    foreign = [text for text in texts if not text.isascii()]
    if not foreign:
        return None, []
    is_utf8 = all(_decodes(text, "utf-8") for text in foreign)
    is_gbk = all(_decodes(text, "gb18030") for text in foreign)
    said = _normal_encoding(declared) or ("gbk" if data[29] in _DBF_GBK_MARKS else None)
    if is_utf8 and said != "gbk":
        return "UTF-8", [] if said == "utf-8" else ["the .cpg is missing; text was found UTF-8"]
    if is_utf8:
        return "UTF-8", ["the file declares GBK, but its text is UTF-8: read as UTF-8"]
    if is_gbk:
        note = {
            "gbk": [],
            "utf-8": ["the .cpg says UTF-8, but the text is GBK: read as GBK"],
        }.get(said or "", ["the .cpg is missing; text was found to be GBK"])
        return "GB18030", note
    if said is None:
        raise BadInput(
            f"the texts of {checked.path.name} are neither UTF-8 nor GBK, and it has no .cpg",
            "Name the encoding with --encoding.",
        )
    return declared, []


def has_cut_names(checked: Checked) -> bool:
    """Whether a Shapefile's field names, of ten bytes at most, end within a UTF-8 character.

    GDAL writes such names and does not read them.
    """
    data, _ = _dbf_and_cpg(checked)
    if data is None or len(data) < 32:
        return False
    names = []
    offset = 32
    while offset + 32 <= len(data) and data[offset] != 0x0D:
        names.append(data[offset : offset + 11].partition(b"\x00")[0])
        offset += 32
    try:
        b"\n".join(names).decode("utf-8")
    except UnicodeDecodeError:
        return all(_decodes(name, "utf-8") for name in names)
    return False


def whole_characters(frame: pd.DataFrame) -> pd.DataFrame:
    """Names and texts of UTF-8 that were read as Latin-1, without a character that was cut."""

    def text(value: Any) -> Any:
        return (
            value.encode("latin-1").decode("utf-8", "ignore") if isinstance(value, str) else value
        )

    frame = frame.rename(columns=text)
    for name in frame.columns[
        [kind in ("object", "string", "str") for kind in map(str, frame.dtypes)]
    ]:
        frame[name] = frame[name].map(text)
    return frame


def _normal_encoding(declared: str | None) -> str | None:
    if declared is None:
        return None
    plain = re.sub(r"[^a-z0-9]", "", declared.lower())
    if plain in ("utf8", "65001"):
        return "utf-8"
    if plain in ("gbk", "gb2312", "gb18030", "936", "cp936", "ansi936"):
        return "gbk"
    return plain or None


def _dbf_and_cpg(checked: Checked) -> tuple[bytes | None, str | None]:
    if checked.format == "zip":
        with zipfile.ZipFile(checked.path) as archive:
            dbf = next((n for n in archive.namelist() if n.lower().endswith(".dbf")), None)
            cpg = next((n for n in archive.namelist() if n.lower().endswith(".cpg")), None)
            with archive.open(dbf) if dbf else io.BytesIO() as file:
                data = file.read(DBF_SAMPLE_BYTES)
            with archive.open(cpg) if cpg else io.BytesIO() as file:
                said = file.read(100).decode("ascii", "ignore").strip()
        return data or None, said or None
    found: dict[str, Path] = {
        p.suffix.lower(): p for p in checked.path.parent.glob(f"{_glob_safe(checked.path.stem)}.*")
    }
    if ".dbf" not in found:
        return None, None
    with found[".dbf"].open("rb") as file:
        data = file.read(DBF_SAMPLE_BYTES)
    said = found[".cpg"].read_text("ascii", "ignore").strip()[:100] if ".cpg" in found else ""
    return data, said or None


def _glob_safe(stem: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", stem)


def _dbf_texts(data: bytes) -> list[bytes]:
    """Texts of the character fields in the sample, without padding; field names too."""
    header, width = struct.unpack_from("<HH", data, 8)
    fields: list[tuple[int, int]] = []
    at, offset = 1, 32
    while offset + 32 <= min(header, len(data)) and data[offset] != 0x0D:
        length = data[offset + 16]
        if data[offset + 11 : offset + 12] == b"C":
            fields.append((at, length))
        at += length
        offset += 32
    texts = []
    if width < 1:
        return []
    for start in range(header, len(data) - width + 1, width):
        for at, length in fields:
            texts.append(data[start + at : start + at + length].rstrip(b" \x00"))
    return texts


def _decodes(text: bytes, encoding: str) -> bool:
    """Whether bytes are text of this encoding, when the last character may be cut."""
    try:
        text.decode(encoding)
    except UnicodeDecodeError as error:
        return "unexpected end" in error.reason or "incomplete" in error.reason
    return True
