r"""The file of an index: named arrays behind a header, written whole or not at all, then mapped.

::

    wangge-locator 2\n      what it is, and the version of the format
    4 bytes                 length of the header, little-endian
    32 bytes                SHA-256 of the header
    header                  JSON: arrays (name, type, length, place), size of the file, SHA-256 of
                            the arrays, metadata
    arrays                  each at a multiple of 64 bytes

Opening reads the header and maps the rest: milliseconds, whatever the size, and processes share the
pages. The header's checksum and the file's size are looked at then; the arrays' checksum needs all
of the file to be read and is looked at by ``verify``. A file is never changed: a newer one is
written beside it and takes its name, and who has the old one mapped keeps it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Arrays = dict[str, NDArray[Any]]

NAME: Final = b"wangge-locator "
VERSION: Final = 2
FORMAT: Final = NAME + b"%d\n" % VERSION
ALIGNED: Final = 64
LONGEST_HEADER: Final = 1 << 24


class Content(NamedTuple):
    """What a file holds: arrays that cannot be written to, metadata, checksum of the arrays."""

    arrays: Arrays
    metadata: dict[str, Any]
    version: str


def version_of(arrays: Arrays) -> str:
    """SHA-256 of the arrays, in hexadecimal: the same layer always has the same."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.size}\n".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def write(path: Path, arrays: Arrays, metadata: Mapping[str, Any], version: str) -> None:
    """Write a file; at its name there is the old one, if any, until the new one is whole on disk.

    Raises
    ------
    BadInput
        The metadata cannot be said in JSON.
    """
    try:
        told = json.loads(json.dumps(dict(metadata), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"the metadata cannot be kept: {error}", "Give text, numbers and lists of them"
        ) from error
    header, places = _header(arrays, told, version)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            file.write(header)
            for name, place in places.items():
                file.write(b"\0" * (place - file.tell()))
                file.write(np.ascontiguousarray(arrays[name]).view(np.uint8).data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _settle(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the folder itself written to disk, so that the name outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _header(arrays: Arrays, metadata: dict[str, Any], version: str) -> tuple[bytes, dict[str, int]]:
    """Everything before the arrays, and where each array begins."""
    lengths = {name: int(array.nbytes) for name, array in arrays.items()}
    start = 0
    while True:  # the places are in the header, whose length moves them: twice is enough
        places, end = {}, start
        for name, length in lengths.items():
            places[name] = -(-end // ALIGNED) * ALIGNED
            end = places[name] + length
        body = json.dumps(
            {
                "arrays": [
                    [name, arrays[name].dtype.str, arrays[name].size, places[name]]
                    for name in arrays
                ],
                "bytes": end,
                "metadata": metadata,
                "version": version,
            },
            ensure_ascii=False,
        ).encode(errors="surrogatepass")
        header = FORMAT + len(body).to_bytes(4, "little") + hashlib.sha256(body).digest() + body
        if len(header) <= start:
            return header, places
        start = len(header) + ALIGNED


def read(path: Path) -> Content:
    """Map a file.

    Raises
    ------
    BadInput
        It cannot be read, is none of ours, of another version, or not whole.
    """
    try:
        with path.open("rb") as file:
            header = _checked_header(file.read(len(FORMAT) + 36), file, path)
            size = os.fstat(file.fileno()).st_size
            if size != header["bytes"]:
                raise _damaged(path, f"it has {size:,} bytes instead of {header['bytes']:,}")
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise BadInput(Problem(f"it cannot be read: {error.strerror}", source=str(path))) from error
    arrays: Arrays = {
        name: np.frombuffer(whole, dtype=kind, count=count, offset=place)
        for name, kind, count, place in header["arrays"]
    }
    return Content(arrays, header["metadata"], header["version"])


def _checked_header(start: bytes, file: Any, path: Path) -> dict[str, Any]:
    line = start[: len(FORMAT)]
    if line.startswith(NAME.rstrip()) and line != FORMAT and line.endswith(b"\n"):
        told = line[len(NAME) :].decode("ascii", "replace").strip()
        raise BadInput(
            Problem(
                f"this is a locator file of format {told}; format {VERSION} is read here",
                "Build it anew",
                source=str(path),
            )
        )
    length = int.from_bytes(start[len(FORMAT) : len(FORMAT) + 4], "little")
    if line != FORMAT or len(start) < len(FORMAT) + 36 or length > LONGEST_HEADER:
        raise _damaged(path, "it does not begin as one")
    body = file.read(length)
    if hashlib.sha256(body).digest() != start[len(FORMAT) + 4 :]:
        raise _damaged(path, "its header does not fit its checksum")
    # What the checksum vouches for was written by ``write``: it needs no further distrust.
    return json.loads(body.decode(errors="surrogatepass"))


def _damaged(path: Path, why: str) -> BadInput:
    return BadInput(
        Problem(
            f"this is no locator file of wangge's, or it was damaged: {why}",
            "Build it anew",
            source=str(path),
        )
    )


def verify(content: Content) -> None:
    """Read all arrays and compare them with their checksum.

    Raises
    ------
    BadInput
        They are not what was written.
    """
    if version_of(content.arrays) != content.version:
        raise BadInput(
            "the arrays of this locator do not fit their checksum: it was damaged", "Build it anew"
        )
