"""A CSV file of any size in blocks of whole rows, and a block as a table."""

from __future__ import annotations

import codecs
import csv
import gzip
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
    from collections.abc import Iterator
    from pathlib import Path

    from data.importers.guards import Checked

BLOCK: Final = 8 << 20
"""Bytes of a block, about: it ends with a row."""
LONGEST_ROW: Final = 256 << 20
HEAD: Final = 1 << 20
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
def _ends(data: NDArray[np.uint8], separator: int) -> tuple[int, int]:
    """Where the first and the last whole row of a block end; -1 where none does.

    As Arrow reads: a quote opens at the beginning of a value only, two within one are one.
    """
    first, last = -1, -1
    is_quoted, is_beginning = False, True
    at, count = 0, len(data)
    while at < count:
        byte = data[at]
        if is_quoted:
            if byte == QUOTE:
                if at + 1 < count and data[at + 1] == QUOTE:
                    at += 1
                else:
                    is_quoted = False
        elif byte == LINE or (byte == RETURN and at + 1 < count and data[at + 1] != LINE):
            last = at + 1
            if first < 0:
                first = last
            is_beginning = True
        elif byte == QUOTE and is_beginning:
            is_quoted, is_beginning = True, False
        else:
            is_beginning = byte == separator
        at += 1
    return first, last


def _last_end(block: bytes, separator: str) -> int:
    if b'"' not in block:  # many times as fast
        found = block.rfind(b"\n") + 1
        return found or block.rfind(b"\r", 0, len(block) - 1) + 1
    return max(_ends(np.frombuffer(block, dtype=np.uint8), ord(separator))[1], 0)


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
    head = b""
    for chunk in _bytes(checked, is_utf16=is_utf16):
        head += chunk
        if len(head) >= HEAD:
            break
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


def _bytes(checked: Checked, *, is_utf16: bool) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    with gzip.open(checked.path) if checked.gzipped else checked.path.open("rb") as file:
        while chunk := file.read(BLOCK):
            yield decoder.decode(chunk).encode() if is_utf16 else chunk


def blocks(checked: Checked, form: Form) -> Iterator[tuple[int, bytes]]:
    """Whole rows, some ``BLOCK`` bytes of them at a time, and the byte at which they begin.

    Raises
    ------
    BadInput
        A row does not end: a quote is not closed.
    """
    is_utf16 = form.copied and not form.gzipped
    begins, left = form.starts, form.starts
    pending: list[bytes] = []
    held = 0
    for whole in _bytes(checked, is_utf16=is_utf16):
        chunk = whole
        if left:
            skipped = min(left, len(chunk))
            left, chunk = left - skipped, chunk[skipped:]
        pending.append(chunk)
        held += len(chunk)
        if held < BLOCK:
            continue
        block = b"".join(pending)
        end = _last_end(block, form.separator)
        if end:
            yield begins, block[:end]
            begins += end
            block = block[end:]
        elif held > LONGEST_ROW:
            raise BadInput(
                Problem(
                    f"the row that begins at byte {begins:,} does not end within "
                    f"{LONGEST_ROW >> 20} MB",
                    "A quote is not closed there: write a quote within a text twice.",
                    form.name,
                )
            )
        pending, held = [block], len(block)
    if held:
        yield begins, b"".join(pending)


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
