"""Where incidents lie now: read in pages as arrays, and looked up here or by others."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from grids.locating import many
from grids.locating.many import Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from grids.locating.snapshot import Compiled

FIRST: Final = bytes(16)
"""Below every id."""
# COPY in binary (PostgreSQL, "Binary Format"): 19 bytes of header, for each row the number of
# values and before each its length, two bytes at the end. All big-endian.
_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2
_VALUES: Final = (
    ("id", "V16"), ("lon", ">f8"), ("lat", ">f8"), ("grid", ">i8"), ("edition", ">i8"),
    ("is_open", "?"),
)  # fmt: skip
_ROW: Final = np.dtype(
    [("values", ">i2"), *((f"{name}{part}", kind) for name, of in _VALUES
                          for part, kind in (("_bytes", ">i4"), ("", of)))]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """Incidents in the order of their ids, as many as fit.

    Attributes
    ----------
    ids
        (n, 16) bytes.
    lon, lat
        Present place, WGS 84 degrees; NaN for one that has none.
    grid, edition
        Where they are known to lie; 0 for nowhere.
    is_open
        Not over yet.
    """

    ids: NDArray[np.uint8]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    grid: NDArray[np.int64]
    edition: NDArray[np.int64]
    is_open: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many."""
        return len(self.lon)

    @property
    def last(self) -> bytes:
        """The highest id."""
        return self.ids[-1].tobytes()


class Layers(NamedTuple):
    """Compiled editions that are in force at one moment, and the folder of their files."""

    base: Sequence[Compiled]
    exclusive: Sequence[Compiled]
    folder: Path


class Places(NamedTuple):
    """The base and the exclusive grid of each incident of a page."""

    base: Found
    exclusive: Found


class Placing(Protocol):
    """Who looks pages up: this process, or many."""

    def placed(self, pages: Iterable[Page], layers: Layers) -> Iterator[tuple[Page, Places]]:
        """Each page with its places, in their order; only so many are read ahead as keeps busy."""


class Here:
    """One page after the other, in this process."""

    def placed(self, pages: Iterable[Page], layers: Layers) -> Iterator[tuple[Page, Places]]:
        """See `Placing`."""
        kinds = [[each.locator for each in kind] for kind in (layers.base, layers.exclusive)]
        for page in pages:
            yield page, Places(*(many.locate(kind, page.lon, page.lat) for kind in kinds))


def read(session: Session, after: bytes, size: int, wanted: Mapping[str, Any]) -> Page:
    """The incidents that come after an id, so many at the most.

    Parameters
    ----------
    wanted
        ``area``, ``since``, ``until`` and ``open_only`` of `grids.incidents.relocating.Wanted`.
    """
    query = files("grids.incidents").joinpath("sql/relocate_page.sql").read_text(encoding="utf-8")
    driver: Any = session.connection().connection.driver_connection
    values = {"after": uuid.UUID(bytes=after), "size": size, **wanted}
    with (
        driver.cursor() as cursor,
        # A tenth of the time of rows that become objects one by one.
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)", values) as copy,
    ):
        sent = b"".join(copy)
    rows = np.frombuffer(sent[_HEADER_BYTES:-_TRAILER_BYTES], dtype=_ROW)
    plain = (rows[name].astype(np.dtype(of).newbyteorder("=")) for name, of in _VALUES[1:])
    ids = np.frombuffer(rows["id"].tobytes(), dtype=np.uint8).reshape(-1, 16)
    return Page(ids, *plain)
