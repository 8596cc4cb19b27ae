"""``wangge secrets``: the keys that phones, id numbers and reporters are encrypted with."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    open_database,
    out,
    print_json,
    print_table,
    progress,
)
from data import rotation
from gis.secrets import Keyring
from gis.wording import counted

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog="Example: wangge secrets status --json")
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Where the keys are, and how many values each of them holds; never the keys themselves."""
    with open_database(data_dir) as database:
        path = database.settings.secrets_path
        newest = Keyring.open(path).newest_id.hex()
        held = rotation.count_by_key(database)
    if as_json:
        print_json({"file": str(path), "newest": newest, "values": held})
        return
    out.print(f"keys: {path}", markup=False)
    held.setdefault(newest, 0)
    print_table(
        ["key", "values", ""],
        ((key, n, "encrypts now" if key == newest else "") for key, n in sorted(held.items())),
    )


@app.command(epilog="Example: wangge secrets rotate --drop-old")
def rotate(
    data_dir: DataDir = None,
    actor: Actor = None,
    drop_old: Annotated[
        bool,
        typer.Option("--drop-old", help="Take the old keys out of the file: old backups need them"),
    ] = False,
) -> None:
    """Make a new key and encrypt every value with it; may be broken off and started again."""
    with open_database(data_dir) as database, progress.status("encrypting") as shown:
        path = database.settings.secrets_path
        done = rotation.rotate(
            database,
            path,
            actor=actor_name(actor),
            drop_old=drop_old,
            say=lambda n: shown.update(f"encrypting: {counted(n, 'value')}"),
        )
    out.print(f"{done.values} values are encrypted with a new key in {path}", markup=False)
    out.print("Keep a copy of that file apart from the backups: without it they cannot be read.")
