"""What is shown of an edition's grids: a mapped file of rows, of which few are in memory.

All editions of a county would fill the memory of every process; who asks for a moment of years ago
asks for a few grids of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self, overload

import numpy as np

from gis.errors import BadInput
from grids.locating.facts import GridFacts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

KEPT: Final = 50_000
"""Grids of all editions that are kept as objects, some 20 MB."""
_TEXTS: Final = ("code", "name", "unit_code", "county_code", "area_type")
_NUMBERS: Final = {"grid_id": "<i8", "households": "<i8", "target": "<i8", "deviation": "<f8"}
_DIGEST: Final = hashlib.sha256().digest_size


class GridTable(Sequence[GridFacts]):
    """The grids of one edition, in the order of their codes.

    A file in numpy's own format (NPY), with the SHA-256 of all before it at its end.
    """

    def __init__(self, path: Path, rows: NDArray[Any]) -> None:
        self.path, self._rows = path, rows

    @classmethod
    def write(cls, path: Path, grids: Iterable[GridFacts]) -> None:
        """Write a file; it has its name once it is whole on disk."""
        listed = [
            tuple(
                getattr(each, name) if name in _NUMBERS else getattr(each, name).encode()
                for name in (*_TEXTS, *_NUMBERS)
            )
            for each in grids
        ]
        wide = [max((len(row[n]) for row in listed), default=0) or 1 for n in range(len(_TEXTS))]
        kinds = [(name, f"S{size}") for name, size in zip(_TEXTS, wide, strict=True)]
        rows = np.array(listed, dtype=np.dtype([*kinds, *_NUMBERS.items()]))
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with fresh.open("w+b") as file:
                np.save(file, rows, allow_pickle=False)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").digest()
                file.write(digest)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a file.

        Raises
        ------
        BadInput
            It is no such file, or was cut short.
        """
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
            names = rows.dtype.names
        except (ValueError, OSError, EOFError) as error:
            raise BadInput(f"{path} holds no grids of an edition: {error}", "Remove it") from error
        if names != (*_TEXTS, *_NUMBERS):
            raise BadInput(f"{path} holds no grids of an edition", "Remove it")
        # A plain array over the same map: numpy's own class for maps takes its time for each row.
        return cls(path, rows.view(np.ndarray))

    def verify(self) -> None:
        """Read all of the file.

        Raises
        ------
        BadInput
            It is not what was written.
        """
        data = self.path.read_bytes()
        if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
            raise BadInput(f"{self.path} was damaged", "Remove it: it is made anew")

    def __len__(self) -> int:
        """Number of grids."""
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> GridFacts: ...
    @overload
    def __getitem__(self, position: slice) -> list[GridFacts]: ...
    def __getitem__(self, position: int | slice) -> GridFacts | list[GridFacts]:
        """The grid at a position."""
        if isinstance(position, slice):
            return [self[n] for n in range(*position.indices(len(self)))]
        return _facts(self, int(position))

    @property
    def grid_ids(self) -> NDArray[np.int64]:
        """Of every grid."""
        found: NDArray[np.int64] = self._rows["grid_id"]
        return found

    @property
    def unit_codes(self) -> NDArray[np.bytes_]:
        """Of every grid, in ASCII."""
        found: NDArray[np.bytes_] = self._rows["unit_code"]
        return found

    def read(self, position: int) -> GridFacts:
        """The grid at a position, as an object of its own."""
        code, name, unit, county, area_type, *numbers = self._rows[position].item()
        return GridFacts(
            numbers[0], code.decode(), name.decode(), unit.decode(), county.decode(),
            area_type.decode(), *numbers[1:],
        )  # fmt: skip


@lru_cache(maxsize=KEPT)
def _facts(table: GridTable, position: int) -> GridFacts:
    return table.read(position)
