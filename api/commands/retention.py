"""``wangge retention``: how long personal data is kept."""

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
)
from data import retention
from gis.wording import counted

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog="Example: wangge retention show --json")
def show(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Every rule: what is kept how long, on which basis, and what happens then."""
    with open_database(data_dir) as database, database.transaction() as session:
        rules = retention.rules(session)
    if as_json:
        print_json(
            [
                {
                    "entity": each.entity, "action": each.action, "days": each.days,
                    "counted_from": each.counted_from, "basis_zh": each.basis_zh,
                    "basis_en": each.basis_en,
                }
                for each in rules
            ]
        )  # fmt: skip
        return
    print_table(
        ["what", "then", "days", "counted from", "basis"],
        ((r.entity, r.action, r.days, r.counted_from, r.basis_zh) for r in rules),
    )


@app.command(name="set", epilog="Example: wangge retention set track_fixes 14")
def set_days(
    entity: Annotated[str, typer.Argument(help="What is kept, as 'show' names it")],
    days: Annotated[int, typer.Argument(min=1, max=36500, help="For how many days")],
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Change how long something is kept."""
    with open_database(data_dir) as database, database.transaction() as session:
        retention.set_days(session, entity, days, actor=actor_name(actor))
    out.print(f"{entity} is kept for {counted(days, 'day')}")


@app.command(epilog="Example: wangge retention run --commit")
def run(
    data_dir: DataDir = None,
    actor: Actor = None,
    commit: Annotated[bool, typer.Option("--commit", help="Do it; otherwise only count")] = False,
    as_json: AsJson = False,
) -> None:
    """Apply every rule: a dry run unless --commit. 'wangge up' does it every night."""
    with open_database(data_dir) as database:
        outcomes = retention.run(database, actor=actor_name(actor), commit=commit)
    if as_json:
        print_json({"committed": commit, "rows": {e.rule.entity: e.rows for e in outcomes}})
        return
    print_table(
        ["what", "then", "older than days", "rows"],
        ((e.rule.entity, e.rule.action, e.rule.days, e.rows) for e in outcomes),
    )
    if not commit:
        out.print("Nothing was changed. Add --commit to do it.")
