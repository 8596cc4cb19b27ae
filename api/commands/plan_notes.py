"""``wangge plan``: where a plan stands, names for its states, comments and locks."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.plan_moves import Codes, Plan, grid_numbers, tell_plan
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
from api.schemas.plan_reviews import ReviewStepOut
from api.schemas.plans import CommentOut, PlanOut, SavePointOut
from boundaries import editions
from gis.wording import counted
from grids.plans import approval, changes, locks, notes, opening


def register(app: typer.Typer) -> None:
    """Add the commands to those of ``wangge plan``."""
    for name, command, example in (
        ("show", show, "wangge plan show 4"),
        ("save-point", save_point, "wangge plan save-point 4 first"),
        ("save-points", save_points, "wangge plan save-points 4"),
        ("comments", comments, "wangge plan comments 4"),
        ("comment", comment, "wangge plan comment 4 'a school stands here' --lon 116.6 --lat 44.9"),
        ("close-comment", close_comment, "wangge plan close-comment 4 17"),
        ("lock", lock, "wangge plan lock 4 990121001001003    or all: wangge plan lock 4"),
        ("unlock", unlock, "wangge plan unlock 4"),
    ):
        app.command(name, epilog=f"Example: {example}")(command)


def show(plan: Plan, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Figures of a plan, where it stands, and what reviewers said of it, newest first."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        steps = [ReviewStepOut.of(each) for each in approval.steps(session, row)]
        if as_json:
            shown = PlanOut.of(row, editions.get(session, plan)).model_dump(mode="json")
            print_json(shown | {"reviews": [each.model_dump(mode="json") for each in steps]})
            return
        tell_plan(session, row, as_json=False)
        state = PlanOut.of(row, editions.get(session, plan)).state
        out.print(
            f"it is {state}, after move {row.head}" if row.head else f"it is {state}, as it began"
        )
    if steps:
        print_table(
            ["when (UTC)", "who", "what", "remark"],
            ((f"{e.at:%Y-%m-%d %H:%M:%S}", e.author, e.kind, e.note) for e in steps),
        )


def save_point(
    plan: Plan,
    name: Annotated[str, typer.Argument(help="What to call the plan as it is now")],
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Name the plan as it is, to come back to it."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        made = notes.save_point(session, row, name, author=actor_name(actor))
        out.print(f"'{made.name}' is plan {plan} after move {made.seq}", markup=False)


def save_points(plan: Plan, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Names that states of a plan were given, the newest first."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        found = [SavePointOut.of(each) for each in notes.save_points(session, row)]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ["name", "after move", "who", "when (UTC)"],
        ((e.name, e.move, e.author, f"{e.at:%Y-%m-%d %H:%M:%S}") for e in found),
    )


def comments(plan: Plan, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Comments on a plan, open ones first."""
    with open_database(data_dir) as database, database.transaction() as session:
        found = [
            CommentOut.of(each) for each in notes.comments(session, opening.get(session, plan))
        ]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ["number", "who", "place", "what", "state"],
        (
            (each.id, each.author,
             f"{each.lon:.6f}, {each.lat:.6f}" if each.lon is not None else "",
             each.words, f"closed by {each.closed_by}" if each.closed_at else "open")
            for each in found
        ),
    )  # fmt: skip


def comment(
    plan: Plan,
    words: Annotated[str, typer.Argument(help="What is to be said")],
    lon: Annotated[float | None, typer.Option(help="Longitude it is pinned to, WGS 84")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Leave a comment, pinned to a place or to the whole plan."""
    if (lon is None) != (lat is None):
        raise typer.BadParameter("--lon and --lat come together")
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        place = (lon, lat) if lon is not None and lat is not None else None
        made = notes.comment(session, row, words, author=actor_name(actor), place=place)
        out.print(f"comment {made.id} on plan {plan}")


def close_comment(
    plan: Plan,
    number: Annotated[int, typer.Argument(help="Number of the comment")],
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Say that a comment is dealt with; it stays to be read."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        made = notes.close(session, row, number, author=actor_name(actor))
        out.print(f"comment {number} on plan {plan} is closed by {made.closed_by}", markup=False)


def lock(plan: Plan, codes: Codes = None, data_dir: DataDir = None, actor: Actor = None) -> None:
    """Lock grids, so that no move touches them; all of them when none is named."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = changes.plan_for_change(session, plan)
        wanted = grid_numbers(session, plan, codes) if codes else None
        made = locks.lock(session, row, wanted, author=actor_name(actor))
        out.print(f"{counted(len(made), 'grid')} locked")


def unlock(plan: Plan, codes: Codes = None, data_dir: DataDir = None, actor: Actor = None) -> None:
    """Unlock grids, whoever locked them; all of them when none is named."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = changes.plan_for_change(session, plan)
        wanted = grid_numbers(session, plan, codes) if codes else None
        freed = locks.unlock(session, row, wanted, author=actor_name(actor))
        out.print(f"{counted(len(freed), 'grid')} unlocked")
