"""``wangge up`` and ``wangge demo``."""

from __future__ import annotations

import signal
import socket
import sys
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from api import refusals, serving, thin, warming
from api.app import create_app
from api.commands.nightly import every_night, when_editions_begin
from api.commands.shared import (
    DataDir,
    anchor_places,
    audit_settings,
    database_settings,
    out,
    progress,
    server_settings,
)
from api.routes.demo import DemoDoor, door
from boundaries.accounts import service
from data import backup, demo_accounts, schema
from data import demo as demo_place
from gis.audit import anchors
from gis.database import Database
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from types import FrameType

    from api.settings import ServerSettings

Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Port; the first free from 8000 when left out"),
]
PORTS_TRIED = 50
LAST_WORDS_S = 5

up = typer.Typer(rich_markup_mode=None)
demo = typer.Typer(rich_markup_mode=None)


@up.command(epilog="Example: wangge up --port 8080 --data-dir /srv/wangge")
def _up(port: Port = None, data_dir: DataDir = None) -> None:
    """Serve the API and the viewer: embedded PostGIS unless WANGGE_DATABASE_URL is set."""
    began = time.monotonic()
    settings = _settings(port)
    _stop_like_ctrl_c()
    with Database.open(database_settings(data_dir)) as database:
        schema.upgrade(database)
        _tell_first_administrator(database)
        _serve(database, settings, began, anchor_places(data_dir))


@demo.command(epilog="Example: wangge demo --port 8080")
def _demo(port: Port = None, data_dir: DataDir = None) -> None:
    """Serve an invented banner county (示范旗) with all layers: nothing in it is real."""
    began = time.monotonic()
    settings = _settings(port)
    if not settings.is_loopback or settings.behind_proxy:
        raise BadInput(
            Problem(
                "the demo lets everybody in, so it is for this machine only",
                "Leave WANGGE_HOST and WANGGE_BEHIND_PROXY unset, or use 'wangge up'",
            )
        )
    _stop_like_ctrl_c()
    stored = database_settings(data_dir)
    if stored.database_url is None and data_dir is None:
        # Apart from real data: the demo never lands in the folder of an installation.
        stored = database_settings(stored.data_dir / "demo")
    with Database.open(stored) as database:
        schema.upgrade(database)
        if demo_place.is_loaded(database):
            progress.print("the demo place is there already")
        else:
            # Here, not above: it brings the planner and its compiler, which cost seconds and which
            # a second start does not need.
            from data.sample import loading  # noqa: PLC0415

            loading.load(database, actor="wangge demo", say=progress.print)
        file = demo_accounts.ensure(database, stored.data_dir)
        progress.print(f"accounts of the demo, with their passwords: {file}", soft_wrap=True)
        known = demo_accounts.listed(database)
        places = anchor_places(stored.data_dir)
        _serve(database, settings, began, places, door(database, known) if known else None)


def _tell_first_administrator(database: Database) -> None:
    """Make ``admin`` where nobody has an account, and tell its one-time password once.

    To a person at a terminal only: what is written anywhere else stays there, so then it goes into
    a file that nobody else can read.
    """
    with database.transaction() as session:
        password = service.first_administrator(session)
    if password is None:
        return
    if sys.stdout.isatty():
        out.print(
            f"\nNobody has an account yet. Sign in as [bold]{service.FIRST_LOGIN}[/] with the "
            f"one-time password [bold]{password}[/]\nIt is shown this once and has to be changed. "
            "What comes next: docs/administration.md\n"
        )
        return
    path = database.settings.data_dir / "first-sign-in.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"{service.FIRST_LOGIN} {password}\n", encoding="utf-8")
    progress.print(
        f"nobody has an account yet: login and one-time password are in {path}; remove it after "
        "the first sign-in",
        soft_wrap=True,
    )


def _stop_like_ctrl_c() -> None:
    """Let SIGTERM unwind like Ctrl-C, also while the demo is being made.

    Uvicorn raises the signal again when it has shut down: without a handler that would end the
    process there and then, and leave the embedded server running.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def _settings(port: int | None) -> ServerSettings:
    """The settings with a port that is free now, before anything else takes its time."""
    settings = server_settings()
    if port is not None:
        _listen(settings.host, port).close()
        return settings.model_copy(update={"port": port})
    return settings.model_copy(update={"port": _free_port(settings.host, settings.port)})


def _free_port(host: str, first: int) -> int:
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        try:
            _listen(host, port).close()
        except BadInput:
            continue
        return port
    raise BadInput(Problem(f"no port from {first} on is free", "Choose one with --port"))


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: two servers can bind one port, but only one of them can listen."""
    # The protocol is named, or asyncio does not send small answers at once (TCP_NODELAY): each
    # would wait 40 ms for the client's delayed acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise BadInput(
            Problem(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                "Choose another port with --port, or leave it out for the first free one",
            )
        ) from None
    return listening


def _serve(
    database: Database,
    settings: ServerSettings,
    began: float,
    places: anchors.Places,
    demo_door: DemoDoor | None = None,
) -> None:
    backup.clear_leftovers(database)
    app = create_app(settings, database, revision=schema.status(database).head, demo=demo_door)
    server = uvicorn.Server(
        serving.config(
            app,
            settings,
            # Whom to believe about the address is api/client.py's to say.
            proxy_headers=False,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.has_tls else "http"
    # Said only when it is true: from here on, whoever opens the page is served.
    with _listen(settings.host, settings.port) as listening:
        out.print(
            f"wangge is up at [bold]{scheme}://{host}:{settings.port}/[/] "
            f"after {time.monotonic() - began:.1f} s (Ctrl-C stops it)"
        )
        stopping = Event()
        if database.cluster is not None:
            Thread(target=database.cluster.keep_running, args=(stopping,), daemon=True).start()
        Thread(
            target=every_night,
            args=(database, stopping),
            kwargs={"timezone": settings.timezone},
            daemon=True,
        ).start()
        Thread(target=when_editions_begin, args=(database, stopping), daemon=True).start()
        every_s = audit_settings().anchor_every_s
        Thread(
            target=anchors.keep_anchoring,
            args=(database, places, stopping),
            kwargs={"every_s": every_s},
            daemon=True,
        ).start()
        located = thin.begin(app.state, database, stopping)
        Thread(target=warming.warm, args=(stopping,), daemon=True).start()
        noted = (app.state.refusals, app.state.early_refusals)
        writing = Thread(target=refusals.keep_writing, args=(noted, stopping), daemon=True)
        writing.start()
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            progress.print("stopped")
        finally:
            stopping.set()
            # What is still to be written needs the database, which is closed next.
            for thread in (writing, *located):
                thread.join(LAST_WORDS_S)
