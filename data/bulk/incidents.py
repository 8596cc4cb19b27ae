"""Incidents looked up by the workers of a Dask cluster: pages as tasks, the indexes sent once.

Reading and writing stay here, within the transactions of `grids.incidents.relocating`: a worker
gets longitudes and latitudes, answers with numbers of grids, and knows nothing of a database.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from data.bulk import cluster
from grids.incidents.present import Places
from grids.locating import many, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from grids.incidents.present import Layers, Page
    from grids.locating.snapshot import Compiled


class _Handed(NamedTuple):
    number: int
    page: Page


@dataclass(frozen=True, slots=True)
class Workers:
    """Pages spread over the workers of a client (`data.bulk.cluster.connected`)."""

    client: Any

    def placed(self, pages: Iterable[Page], layers: Layers) -> Iterator[tuple[Page, Places]]:
        """See `grids.incidents.present.Placing`."""
        run = f"wangge-incidents-{secrets.token_hex(8)}"
        kinds = [[self._index(each, layers.folder, run) for each in kind]
                 for kind in (layers.base, layers.exclusive)]  # fmt: skip
        names = [[each.name for each in kind] for kind in kinds]
        # New workers get them, too; a worker that cannot open one does not begin.
        self.client.register_plugin(cluster.plugin(run, [*kinds[0], *kinds[1]]))
        most = cluster.AHEAD * max(sum(self.client.nthreads().values()), 1)
        in_hand: deque[tuple[_Handed, Any]] = deque()
        try:
            for number, page in enumerate(pages):
                future = self.client.submit(
                    _places, page.lon, page.lat, names, pure=False, retries=cluster.RETRIES
                )
                in_hand.append((_Handed(number, page), future))
                if len(in_hand) >= most:
                    yield from self._next(in_hand)
            while in_hand:
                yield from self._next(in_hand)
        finally:
            self.client.cancel([future for _, future in in_hand])
            self.client.unregister_worker_plugin(run)

    def _next(self, in_hand: deque[tuple[_Handed, Any]]) -> Iterator[tuple[Page, Places]]:
        for handed, places in cluster.next_done(self.client, in_hand):
            yield handed.page, places

    def _index(self, compiled: Compiled, folder: Path, run: str) -> cluster.Index:
        path = (folder / store.file_name(compiled)).resolve()
        content = None if cluster.all_see(self.client, path) else path.read_bytes()
        name = f"{run}-{compiled.edition.id}"
        return cluster.Index(name, compiled.locator.version, str(path), content)


def _places(lon: NDArray[Any], lat: NDArray[Any], names: list[list[str]]) -> Places:
    """Look a page up on a worker."""
    return Places(
        *(many.locate([cluster.opened(name) for name in kind], lon, lat) for kind in names)
    )
