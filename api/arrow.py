"""Batches as Arrow IPC streams: read with care, since it is a stranger's, and written."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.batches import (
    EARLIEST_S,
    FIELDS,
    LATEST_S,
    LONGEST_ID,
    Batch,
    Common,
    Faults,
    check_count,
    columns,
)
from api.dependencies import parse_time
from gis.errors import BadInput, Problem, WanggeError
from grids.locating.batches import Points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from api.settings import ServerSettings

MOST_BATCHES: Final = 10_000
END: Final = b"\xff\xff\xff\xff\0\0\0\0"
"""What a whole stream ends with (Arrow columnar format, IPC streaming format)."""
_WANTED: Final = {
    "lon": "a column of numbers",
    "lat": "a column of numbers",
    "accuracy_m": "a column of numbers",
    "id": "a column of texts or whole numbers",
    "at": "a column of timestamps, or of texts as ISO 8601",
}


def read(body: bytes, common: Common, settings: ServerSettings) -> Batch:
    """Read a batch from an Arrow IPC stream.

    Raises
    ------
    BadInput
        It is no such stream, cut short, compressed, or has not the columns; or rows are bad.
    """
    table = _table(body, common)
    moment = parse_time(common.at, "at", settings) if common.at else datetime.now(UTC)
    faults = Faults()
    x, y = (_numbers(table, name, faults) for name in ("lon", "lat"))
    accuracy = np.full(len(x), np.nan)
    if "accuracy_m" in table.column_names:
        accuracy = _floats(table["accuracy_m"])
        # NaN is no accuracy; what is null was left out.
        given = table["accuracy_m"].is_valid().to_numpy()
        accuracy[given & np.isnan(accuracy)] = -1
    at = np.full(len(x), moment.timestamp())
    if "at" in table.column_names:
        at = _moments(table["at"], moment.timestamp(), settings, faults)
    ids = table["id"].combine_chunks() if "id" in table.column_names else None
    if ids is not None and pa.types.is_string(ids.type) and len(ids):
        long = pc.greater(pc.utf8_length(ids), LONGEST_ID).fill_null(fill_value=False)
        for row in np.flatnonzero(long.to_numpy(zero_copy_only=False)).tolist():
            faults.note(row + 1, "id", f"it has more than {LONGEST_ID} characters", "Shorten it")
    points = columns(Points(x, y, at, accuracy), common.crs, faults)
    return Batch(points, ids, common, moment)


def _table(body: bytes, common: Common) -> pa.Table:
    try:
        rows = sum(_rows_of(body))
        check_count(rows, common)
        with pa.ipc.open_stream(body) as reader:
            _check_schema(reader.schema)
            batches = []
            for batch in reader:
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        raise BadInput(
            Problem(
                "the body is no Arrow IPC stream that can be read, or is cut short "
                f"({type(error).__name__})",
                "Write it with an IPC stream writer, and close the writer",
                field="body",
            )
        ) from None
    if not body.endswith(END):
        raise BadInput(
            Problem(
                "the Arrow stream has no end: it may have been cut short",
                "Close the writer before sending",
                field="body",
            )
        )
    return _plain(table)


def _rows_of(body: bytes) -> Iterator[int]:
    """Rows of each record batch; refuses compressed ones, which a few bytes blow up to gigabytes.

    Looks at the messages' metadata, which pyarrow has checked, before any of them is unpacked.
    """
    # Message: header_type is its field 1, header its field 2. RecordBatch: length is its field 0,
    # compression its field 3; DictionaryBatch holds a RecordBatch in its field 1.
    # (Arrow columnar format, Message.fbs; FlatBuffers internals.)
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(body)):
        if number > MOST_BATCHES:
            raise ValueError("too many messages")
        if message.type not in ("record batch", "dictionary"):
            continue
        data = message.metadata.to_pybytes()
        table = _follow(data, 0)
        record = _follow(data, _field(data, table, 2))
        if message.type == "dictionary":
            record = _follow(data, _field(data, record, 1))
        if _field(data, record, 3):
            raise BadInput(
                Problem(
                    "the Arrow stream is compressed", "Write it without compression", field="body"
                )
            )
        length = _field(data, record, 0)
        rows = struct.unpack_from("<q", data, length)[0] if length else 0
        yield rows if message.type == "record batch" else 0


def _follow(data: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a FlatBuffers table lies; 0 where it is left out."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    size = struct.unpack_from("<H", data, vtable)[0]
    slot = 4 + 2 * number
    if slot + 2 > size:
        return 0
    offset = int(struct.unpack_from("<H", data, vtable + slot)[0])
    return table + offset if offset else 0


def _check_schema(schema: pa.Schema) -> None:
    problems = []
    for name in dict.fromkeys(schema.names):
        if name not in FIELDS:
            problems.append(
                Problem("there is no such column", f"One of: {', '.join(FIELDS)}", field=name[:64])
            )
        elif schema.names.count(name) > 1:
            problems.append(Problem("it is given more than once", "Give it once", field=name))
        elif not _is_fit(name, schema.field(name).type):
            kind = str(schema.field(name).type)[:40]
            problems.append(Problem(f"it is {kind}", f"Give {_WANTED[name]}", field=name))
    problems += [
        Problem("the column is missing", f"Give {_WANTED[name]}", field=name)
        for name in ("lon", "lat")
        if name not in schema.names
    ]
    if problems:
        raise BadInput(problems)


def _is_fit(name: str, kind: pa.DataType) -> bool:
    if name in {"id", "at"} and pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if name == "id":
        return is_text or pa.types.is_integer(kind)
    if name == "at":
        return is_text or pa.types.is_timestamp(kind)
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _plain(table: pa.Table) -> pa.Table:
    """Texts as such, without dictionaries; all else as it came."""
    for number, name in enumerate(table.column_names):
        kind = table.schema.field(name).type
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_large_string(value):
            value = pa.string()
        if value != kind:
            table = table.set_column(number, name, table[name].cast(value))
    return table


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers; NaN where there is none."""
    found = column.cast(pa.float64(), safe=False).to_numpy()
    return np.array(found, dtype=np.float64)


def _numbers(table: pa.Table, name: str, faults: Faults) -> NDArray[np.float64]:
    found = _floats(table[name])
    for row in np.flatnonzero(~np.isfinite(found)).tolist():
        faults.note(row + 1, name, "it is no finite number", "Give a number")
    found[~np.isfinite(found)] = np.nan
    return found


def _moments(
    column: pa.ChunkedArray, moment: float, settings: ServerSettings, faults: Faults
) -> NDArray[np.float64]:
    """Seconds since 1970; the common moment where there is none."""
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            column = pc.assume_timezone(
                column, settings.timezone, ambiguous="earliest", nonexistent="earliest"
            )
        per_s = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        found = _floats(column.cast(pa.int64())) / per_s
        found[~column.is_valid().to_numpy()] = moment
        return found
    known: dict[Any, float] = {None: moment}
    found = np.empty(len(column))
    for row, text in enumerate(column.to_pylist()):
        if text not in known:
            try:
                seconds = parse_time(text, "at", settings).timestamp()
                known[text] = seconds if EARLIEST_S <= seconds <= LATEST_S else np.nan
            except (WanggeError, ValueError, OverflowError):
                known[text] = np.nan
        found[row] = known[text]
        if np.isnan(found[row]):
            faults.note(
                row + 1, "at", f"'{text[:40]}' is no time",
                "Write it as 2026-06-30 or 2026-06-30T21:30:00+08:00",
            )  # fmt: skip
    return found
