"""The same over Dask distributed: pieces as tasks, the index sent once to each worker.

A worker gets the index when it comes, also one that takes the place of another: by its path where
the worker sees the file and its checksum fits, else its bytes. Pieces are read, and their results
written, by the workers themselves where they see the same files; else they are handed over.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections import deque
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pyarrow as pa

from data.bulk import pieces, work
from gis.errors import BadInput, Missing, Problem, Unavailable
from gis.locator import Locator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data.bulk.output import Output
    from data.bulk.pieces import Piece
    from data.bulk.work import Done, Task

RETRIES: Final = 2
AHEAD: Final = 4
"""Pieces in hand for each thread of a worker: enough that none waits, few to hold."""
TOGETHER: Final = 2
"""Pieces for each thread that are handed over at once: to hand them over costs as much as one."""
LOCAL: Final = "local:"
# What a cluster of one machine's own does without: it takes processor from the pieces.
PLAIN: Final = {
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.work-stealing": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
}
CONNECT_S: Final = 20


class Numbered(Protocol):
    """What is handed over, by the number that it is told by."""

    @property
    def number(self) -> int:
        """From 0."""


Handed = TypeVar("Handed", bound=Numbered)

_opened: dict[str, Locator] = {}
"""Locators of this worker, by the name that a run gave its index."""


@dataclass(frozen=True, slots=True)
class Index:
    """The compiled grids as a worker gets them: a file that it sees, or the bytes of one."""

    name: str
    version: str
    path: str
    content: bytes | None

    def come(self, folder: Path) -> None:
        """Map the file, or write the bytes to one in the worker's folder and map that.

        A file that is not there is let be: pieces that need it say so.

        Raises
        ------
        BadInput
            It is not what was sent.
        """
        path = Path(self.path)
        if self.content is not None:
            path = folder / f"{self.name}.locator"
            path.write_bytes(self.content)
        elif not path.exists():
            # What a run that was killed has left behind, to a worker that came after it.
            return
        locator = Locator.open(path)
        locator.verify()
        if locator.version != self.version:
            raise BadInput(f"{path} is another index than was sent", "Begin anew")
        _opened[self.name] = locator

    def go(self) -> None:
        """Let go of it."""
        _opened.pop(self.name, None)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of a scheduler, or of a cluster of this machine's own.

    Parameters
    ----------
    address
        ``tcp://host:8786``, or ``local:N`` for N processes.

    Raises
    ------
    Missing
        Dask distributed is not installed.
    BadInput
        No scheduler answers there, or it has no workers.
    """
    try:
        distributed: Any = import_module("distributed")
        dask: Any = import_module("dask")
    except ImportError:
        raise Missing(
            "Dask distributed, which --scheduler needs, is not installed",
            "pip install 'wangge[dask]'",
        ) from None
    if address.startswith(LOCAL):
        with (
            dask.config.set(PLAIN),
            # Without a limit to watch: results lie in files, workers hold a piece at a time.
            distributed.LocalCluster(
                n_workers=_count(address), threads_per_worker=1, processes=True,
                dashboard_address="127.0.0.1:0", memory_limit=0,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise BadInput(
            Problem(
                f"no scheduler answers at {address} ({type(error).__name__})",
                "Start one with 'dask scheduler' and workers with 'dask worker ADDRESS', or say "
                "local:2 for two processes of this machine",
                field="--scheduler",
            )
        ) from None
    with client:
        if not client.nthreads():
            raise BadInput(
                Problem(
                    f"the scheduler at {address} has no workers",
                    f"Start some with 'dask worker {address}'",
                    field="--scheduler",
                )
            )
        yield client


def _count(address: str) -> int:
    text = address.removeprefix(LOCAL)
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise BadInput(
            Problem(f"'{address}' names no number of processes", "Say local:2", field="--scheduler")
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class Workers:
    """Pieces spread over the workers of a client."""

    client: Any
    locator: Locator

    def results(
        self, todo: Iterator[Piece], task: Task, output: Output
    ) -> Iterator[tuple[Piece, Done]]:
        """See `data.bulk.run.Spread`."""
        sees_result = all_see(self.client, _token_in(output.home))
        index = self._index(output.home, is_shared=sees_result)
        # New workers get it, too; a worker that cannot open it does not begin.
        self.client.register_plugin(plugin(index.name, [index]))
        threads = max(sum(self.client.nthreads().values()), 1)
        in_hand: deque[tuple[Piece, Any]] = deque()
        sees_points: bool | None = None
        try:
            while some := list(islice(todo, TOGETHER * threads)):
                if sees_points is None:
                    sees_points = all_see(self.client, Path(some[0].path))
                sent = some
                if not sees_points:
                    sent = [
                        pieces.with_content(each, task.shape, with_folders=not task.keeps_folders)
                        for each in some
                    ]
                targets = [
                    str(output.target(each).resolve()) if sees_result else None for each in some
                ]
                futures = self.client.map(
                    _work, sent, targets, task=task, index=index.name, pure=False, retries=RETRIES
                )
                in_hand.extend(
                    (replace(piece, content=None), future)
                    for piece, future in zip(some, futures, strict=True)
                )
                while len(in_hand) > (AHEAD - TOGETHER) * threads:
                    yield from next_done(self.client, in_hand)
            while in_hand:
                yield from next_done(self.client, in_hand)
        finally:
            self.client.cancel([future for _, future in in_hand])
            self.client.unregister_worker_plugin(index.name)

    def _index(self, home: Path, *, is_shared: bool) -> Index:
        path = (home / "index.locator").resolve()
        self.locator.save(path)
        content = None if is_shared else path.read_bytes()
        name = f"wangge-index-{secrets.token_hex(8)}"
        return Index(name, self.locator.version, str(path), content)


def all_see(client: Any, path: Path) -> bool:
    """Whether every worker finds the same file under the same name."""
    try:
        seen = client.run(_mark, str(path.resolve()))
    except ImportError as error:
        raise Missing(
            f"a worker does not have wangge ({error})", "pip install 'wangge[dask]'"
        ) from error
    return set(seen.values()) == {_mark(str(path.resolve()))}


def next_done(client: Any, in_hand: deque[tuple[Handed, Any]]) -> list[tuple[Handed, Any]]:
    """The first of what is in hand, waited for, and those after it that are done.

    Raises
    ------
    Unavailable
        The workers are gone.
    """
    done = list(takewhile(lambda each: each[1].done(), in_hand)) or [in_hand[0]]
    distributed: Any = import_module("distributed")
    try:
        results = client.gather([future for _, future in done])
    except (
        distributed.KilledWorker, distributed.comm.CommClosedError, CancelledError,
    ) as error:  # fmt: skip
        raise Unavailable(
            f"the workers are gone, or died of the rows of piece {done[0][0].number} or one "
            f"after it again and again ({type(error).__name__}): look at their logs and memory"
        ) from error
    for _, future in done:
        future.release()
        in_hand.popleft()
    return [(each, result) for (each, _), result in zip(done, results, strict=True)]


def opened(name: str) -> Locator:
    """The index that a run gave a name, on a worker.

    Raises
    ------
    Unavailable
        The worker has none of that name.
    """
    locator = _opened.get(name)
    if locator is None:
        raise Unavailable(
            "a worker came that does not see the grids' index where the others do: give all "
            "workers the same folders, or begin anew with the workers that there are"
        )
    return locator


def plugin(name: str, indexes: Sequence[Index]) -> Any:
    """Indexes as Dask's own kind of plugin, which is known only where Dask is installed."""
    base: Any = import_module("distributed").WorkerPlugin
    title, sent = name, tuple(indexes)

    # It travels by value: what it names of this module it would take along as a copy.
    class Plugin(base):  # type: ignore[misc]
        name = title

        def setup(self, worker: Any) -> None:
            for index in sent:
                index.come(Path(worker.local_directory))
            # Arrow's own threads would take the processors that the other workers count on.
            pa.set_cpu_count(worker.state.nthreads)

        def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
            for index in sent:
                index.go()

    return Plugin()


def _token_in(folder: Path) -> Path:
    path = folder / "token"
    path.write_text(secrets.token_hex(16))
    return path


def _mark(path: str) -> tuple[int, bytes] | None:
    """What tells a file from another of its name; None where there is none."""
    try:
        with Path(path).open("rb") as file:
            return os.fstat(file.fileno()).st_size, file.read(1 << 16)
    except OSError:
        return None


def _work(piece: Piece, target: str | None, task: Task, index: str) -> Done:
    """Do a piece on a worker; a file that appears at its place is whole."""
    locator = opened(index)
    if target is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "piece"
            done = work.locate_piece(piece, task, locator, path)
            return replace(done, content=path.read_bytes())
    fresh = Path(f"{target}.{os.getpid()}.{secrets.token_hex(4)}")
    done = work.locate_piece(piece, task, locator, fresh)
    fresh.replace(target)
    return done
