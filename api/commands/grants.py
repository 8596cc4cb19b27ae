"""``wangge grants``: access to other areas for a time."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.keys import id_of
from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    moment,
    open_database,
    out,
    print_json,
    print_table,
)
from api.schemas.accounts import GrantOut
from boundaries.accounts import grants, repository
from gis.errors import BadInput, Problem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(
    epilog="Example: wangge grants give wang.yi 990121002 --until 2026-12-31 "
    "--reason 'joint case 2026-17'"
)
def give(
    login: Annotated[str, typer.Argument(help="Login of the account")],
    area: Annotated[str, typer.Argument(help="Code of the unit it shall see")],
    until: Annotated[str, typer.Option(help="When it ends, a year from now at the most")],
    reason: Annotated[str, typer.Option(help="What it is needed for")],
    since: Annotated[str | None, typer.Option(help="When it begins; now when left out")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Let an account see another area until a time."""
    last = moment(until, "--until")
    if last is None:
        raise BadInput(Problem("no end is given", "Give one", field="--until"))
    with open_database(data_dir) as database, database.transaction() as session:
        account = repository.account(session, login)
        grant = grants.give(
            session,
            account,
            area,
            reason=reason,
            until=last,
            since=moment(since, "--since"),
            actor=actor_name(actor),
        )
        shown = GrantOut.of(grant, account.login)
    if as_json:
        print_json(shown.model_dump(mode="json"))
    else:
        out.print(f"{shown.login} sees {shown.area_code} until {shown.until:%Y-%m-%d %H:%M}")
        out.print(f"id: {shown.id}")


@app.command("list", epilog="Example: wangge grants list --in-force --json")
def list_(
    in_force: Annotated[
        bool, typer.Option("--in-force", help="Only those in force or to come")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Grants and broken glass, the newest first."""
    with open_database(data_dir) as database, database.transaction() as session:
        found = [GrantOut.of(*each) for each in repository.grants(session, only_in_force=in_force)]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ["id", "account", "area", "kind", "until", "state", "reason"],
        (
            (each.id, each.login, each.area_code, each.kind, f"{each.until:%Y-%m-%d %H:%M}",
             _state(each), each.reason)
            for each in found
        ),
    )  # fmt: skip


@app.command(epilog="Example: wangge grants revoke 0b1c...")
def revoke(
    grant: Annotated[str, typer.Argument(help="Id of the grant, as listed")],
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """End a grant at once."""
    grant_id = id_of(grant, "grant")
    with open_database(data_dir) as database, database.transaction() as session:
        grants.revoke(session, grant_id, actor=actor_name(actor))
    if as_json:
        print_json({"id": str(grant_id), "revoked": True})
    else:
        out.print(f"grant {grant_id} is revoked")


@app.command(epilog="Example: wangge grants seen 0b1c...")
def seen(
    grant: Annotated[str, typer.Argument(help="Id of the broken glass, as listed")],
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Mark broken glass as looked at."""
    grant_id = id_of(grant, "grant")
    with open_database(data_dir) as database, database.transaction() as session:
        grants.mark_seen(session, grant_id, actor=actor_name(actor))
    if as_json:
        print_json({"id": str(grant_id), "seen": True})
    else:
        out.print(f"grant {grant_id} is marked as seen")


def _state(grant: GrantOut) -> str:
    if grant.ended_at is not None:
        return f"revoked by {grant.ended_by}"
    if grant.kind == "break_glass" and grant.seen_at is None:
        return "NOT SEEN YET"
    return "given" if grant.kind == "grant" else f"seen by {grant.seen_by}"
