"""``wangge keys``: API keys of programs."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated

import typer

from api.commands.accounts import area_of
from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    open_database,
    out,
    print_json,
    print_table,
)
from api.schemas.accounts import KeyOut, NewKeyOut
from boundaries.accounts import credentials, repository
from gis.errors import BadInput, Problem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(
    epilog="Example: wangge keys issue hotline --name '12345 hotline' --right incidents.report "
    "--days 365"
)
def issue(
    login: Annotated[str, typer.Argument(help="Login of the program's account (integrator)")],
    name: Annotated[str, typer.Option(help="What the key is for")],
    days: Annotated[int, typer.Option(min=1, max=400, help="How long it lasts")] = 90,
    per_minute: Annotated[
        int, typer.Option(min=1, help="Requests a minute")
    ] = credentials.PER_MINUTE,
    right: Annotated[
        list[str] | None, typer.Option(help="Only this right; may be repeated")
    ] = None,
    area: Annotated[str | None, typer.Option(help="Only this part of the account's area")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Issue a key, told once. It never reaches further than its account."""
    with open_database(data_dir) as database, database.transaction() as session:
        account = repository.account(session, login)
        key, secret = credentials.issue_key(
            session,
            account,
            name,
            author=actor_name(actor),
            lasts=timedelta(days=days),
            per_minute=per_minute,
            rights=right or None,
            area_code=area_of(area) if area is not None else None,
        )
        told = NewKeyOut.told(key, account.login, secret)
    if as_json:
        print_json(told.model_dump(mode="json"))
        return
    out.print(f"{told.name} for {told.login}, until {told.expires_at:%Y-%m-%d}", markup=False)
    out.print(f"key: [bold]{told.key}[/]  (told this once)")


@app.command("list", epilog="Example: wangge keys list --json")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Every key, ended ones too; never the key itself."""
    with open_database(data_dir) as database, database.transaction() as session:
        found = [KeyOut.of(*each) for each in repository.keys(session)]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ["id", "account", "name", "until", "last used", "state"],
        (
            (
                each.id,
                each.login,
                each.name,
                f"{each.expires_at:%Y-%m-%d}",
                f"{each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never",
                f"revoked by {each.ended_by}" if each.ended_at else "in force",
            )
            for each in found
        ),
    )


@app.command(epilog="Example: wangge keys revoke 0b1c...")
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, as listed")],
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """End a key at once."""
    key_id = id_of(key, "key")
    with open_database(data_dir) as database, database.transaction() as session:
        credentials.revoke_key(session, key_id, author=actor_name(actor))
    if as_json:
        print_json({"id": str(key_id), "revoked": True})
    else:
        out.print(f"key {key_id} is revoked")


def id_of(text: str, field: str) -> uuid.UUID:
    """An id of the command line."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadInput(
            Problem(f"'{text}' is no id", "Copy it whole from the list", field=field)
        ) from None
