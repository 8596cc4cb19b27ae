"""A CSV file of any size in blocks of whole rows, and a block as a table."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from data.importers import tables
from gis.errors import BadInput, Problem
from gis.locator.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from data.importers.guards import Checked

BLOCK: Final = 8 << 20
"""Bytes of a block, about: it ends with a row."""
LONGEST_ROW: Final = 256 << 20
HEAD: Final = 1 << 20
MOST_BYTES: Final = 4
"""Of a character in UTF-8."""
MORE_PROBLEMS: Final = 100
QUOTE, LINE, RETURN = ord('"'), ord("\n"), ord("\r")


@dataclass(frozen=True, slots=True)
class Form:
    """How a CSV file is written, as another process needs it to read a block.

    ``starts`` is the byte after the header. A file that is ``copied`` (packed, or in UTF-16) has no
    place of its own for a block: it is handed over in UTF-8.
    """

    name: str
    columns: tuple[str, ...]
    separator: str
    encoding: str
    starts: int
    gzipped: bool
    copied: bool


@kernel
def _parts(byte: int, separator: int) -> bool:
    return byte in (separator, LINE, RETURN)


@kernel
def _ends(data: NDArray[np.uint8], separator: int) -> tuple[int, int]:
    """Where the first and the last whole row of a block end; -1 where none does.

    As Arrow reads: a quote opens at the beginning of a value only, two within one are one.
    """
    first, last = -1, -1
    at, count = 0, len(data)
    while at < count:
        byte = data[at]
        at += 1
        if byte > QUOTE:  # nearly all of them
            continue
        if byte == LINE or (byte == RETURN and at < count and data[at] != LINE):
            last = at
            if first < 0:
                first = last
        elif byte == QUOTE and (at == 1 or _parts(data[at - 2], separator)):
            while at < count:
                at += 1
                if data[at - 1] == QUOTE:
                    if at == count or data[at] != QUOTE:
                        break
                    at += 1
    return first, last


def _last_end(buffer: bytearray, held: int, separator: str) -> int:
    if buffer.find(b'"', 0, held) < 0:  # many times as fast
        found = buffer.rfind(b"\n", 0, held) + 1
        return found or buffer.rfind(b"\r", 0, held - 1) + 1
    data = np.frombuffer(buffer, dtype=np.uint8, count=held)
    return max(_ends(data, ord(separator))[1], 0)


def form_of(checked: Checked) -> Form:
    """Header, separator and encoding of a file.

    Raises
    ------
    BadInput
        It is empty, in no encoding that is known, or has a column twice.
    """
    name = checked.path.name
    encoding = _encoding(checked)
    is_utf16 = encoding == "utf-16"
    with _opened(checked) as file:
        head = _utf8_of(file)(HEAD) if is_utf16 else file.read(HEAD)
    mark = codecs.BOM_UTF8 if head.startswith(codecs.BOM_UTF8) else b""
    lead = len(head) - len(head[len(mark) :].lstrip(b"\r\n"))
    rest = head[lead:]
    line = rest.split(b"\n", 1)[0]
    separator = max(",\t;|", key=lambda sign: line.count(sign.encode()))
    first, _ = _ends(np.frombuffer(rest, dtype=np.uint8), ord(separator))
    if first < 0:
        first = len(rest)
    codec = "utf-8" if is_utf16 else encoding
    header = rest[:first].decode(codec)
    names = next(csv.reader([header], delimiter=separator), [])
    if not names:
        raise BadInput(f"{name} is empty", "Export it again.")
    tables.refuse_doubles(names, name)
    titled = [each.strip() or f"Unnamed: {n}" for n, each in enumerate(names)]
    return Form(
        name, tuple(titled), separator, codec, lead + first, checked.gzipped,
        checked.gzipped or is_utf16,
    )  # fmt: skip


def _encoding(checked: Checked) -> str:
    """By its mark, else by the first part of the file that is not plain ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with gzip.open(checked.path) if checked.gzipped else checked.path.open("rb") as file:
        while chunk := file.read(HEAD):
            if file.tell() <= HEAD and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                return "utf-16"
            if chunk.isascii():
                continue
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return "gb18030"
            return "utf-8"
    return "utf-8"


def _opened(checked: Checked) -> gzip.GzipFile | io.FileIO:
    return gzip.open(checked.path) if checked.gzipped else checked.path.open("rb", buffering=0)


def _utf8_of(file: gzip.GzipFile | io.FileIO) -> Callable[[int], bytes]:
    """What reads so many bytes of UTF-8, or somewhat fewer, from a file in UTF-16."""
    text = io.TextIOWrapper(file, encoding="utf-16", newline="")
    return lambda most: text.read(max(most // MOST_BYTES, 1)).encode()


def blocks(checked: Checked, form: Form) -> Iterator[tuple[int, int, bytes | None]]:
    """Whole rows, some ``BLOCK`` bytes of them at a time: where they begin, end, and what they are.

    The bytes themselves only of a file that is copied: of another they are read by who needs them
    (`read_block`), and here they pass through one buffer, which is all that finding rows costs.

    Raises
    ------
    BadInput
        A row does not end: a quote is not closed.
    """
    buffer = bytearray(BLOCK)
    begins, held = form.starts, 0
    with _opened(checked) as file:
        fill = _filling(file, form)
        while True:
            with memoryview(buffer) as view:
                while held < len(buffer) and (got := fill(view[held:])):
                    held += got
            is_last = held < len(buffer)
            end = held if is_last else _last_end(buffer, held, form.separator)
            if end:
                yield begins, begins + end, bytes(buffer[:end]) if form.copied else None
                buffer[: held - end] = buffer[end:held]
                begins, held = begins + end, held - end
                del buffer[max(BLOCK, held) :]
            elif held > LONGEST_ROW:
                raise BadInput(
                    Problem(
                        f"the row that begins at byte {begins:,} does not end within "
                        f"{LONGEST_ROW >> 20} MB",
                        "A quote is not closed there: write a quote within a text twice.",
                        form.name,
                    )
                )
            if is_last:
                return
            if held == len(buffer):
                buffer.extend(bytes(BLOCK))


def _filling(file: gzip.GzipFile | io.FileIO, form: Form) -> Callable[[memoryview], int]:
    """What puts the file's next bytes, in UTF-8, into a buffer; 0 at the end."""
    if form.gzipped or not form.copied:
        file.seek(form.starts)
        return file.readinto
    utf8 = _utf8_of(file)
    left = bytearray()
    skipped = 0
    while skipped < form.starts and (chunk := utf8(form.starts - skipped)):
        left += chunk
        skipped += len(chunk)
    del left[: form.starts]

    def fill(view: memoryview) -> int:
        if not left:
            left.extend(utf8(BLOCK))
        size = min(len(view), len(left))
        view[:size] = left[:size]
        del left[:size]
        return size

    return fill


def table_of(block: bytes, form: Form) -> pa.Table:
    """A block as a table of texts, null where empty.

    Raises
    ------
    BadInput
        Rows have more or fewer values than there are columns (their number within the block), or
        it is no text of the encoding.
    """
    problems: list[Problem] = []

    def refuse(row: Any) -> str:
        if len(problems) < MORE_PROBLEMS:
            problems.append(
                Problem(
                    f"it has {row.actual_columns} values for {row.expected_columns} columns",
                    "Put texts that hold a separator in double quotes.",
                    form.name,
                    row.number,
                )
            )
        return "skip"

    try:
        text = block if form.encoding == "utf-8" else block.decode(form.encoding).encode()
        table = pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(
                column_names=form.columns, use_threads=False, block_size=len(text) + 1
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=form.separator, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(form.columns, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except UnicodeDecodeError as error:
        raise _unreadable(form, str(error)) from error
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return pa.table({name: pa.array([], pa.string()) for name in form.columns})
        raise _unreadable(form, str(error)) from error
    if problems:
        raise BadInput(problems)
    return table


def _unreadable(form: Form, why: str) -> BadInput:
    return BadInput(
        Problem(
            f"it is no regular table in {form.encoding}: {why.splitlines()[0]}",
            "Export it again as UTF-8, texts that hold a separator in double quotes.",
            form.name,
        )
    )


def read_block(path: Path, start: int, stop: int) -> bytes:
    """The bytes of a block that another process found."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(stop - start)
