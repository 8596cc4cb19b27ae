"""What can be done with plans over HTTP can be done by command, and the other way round."""

from __future__ import annotations

from typing import get_args

from api.commands import plan
from api.routes import editions, plan_cells, plan_comparison, plan_drawings, plan_shapes, plans
from api.schemas.plans import MoveIn

COMMAND_OF = {
    "GET /plans": "list",
    "POST /plans": "open branch",
    "GET /plans/{plan_id}": "show",
    "GET /plans/{plan_id}/grids": "grids",
    "GET /plans/{plan_id}/cells": "export",
    "GET /plans/{plan_id}/export": "export",
    "GET /plans/{plan_id}/shapes": "export",
    "GET /plans/{plan_id}/moves": "history",
    "POST /plans/{plan_id}/undo": "undo",
    "POST /plans/{plan_id}/redo": "redo",
    "POST /plans/{plan_id}/go-to": "go-to",
    "POST /plans/{plan_id}/locks": "lock",
    "POST /plans/{plan_id}/unlock": "unlock",
    "GET /plans/{plan_id}/comments": "comments",
    "POST /plans/{plan_id}/comments": "comment",
    "POST /plans/{plan_id}/comments/{comment_id}/close": "close-comment",
    "GET /plans/{plan_id}/save-points": "save-points",
    "POST /plans/{plan_id}/save-points": "save-point",
    "POST /plans/{plan_id}/submit": "submit",
    "GET /plans/{plan_id}/reviews": "show",
    "POST /plans/{plan_id}/approve": "approve",
    "POST /plans/{plan_id}/return": "return",
    "POST /plans/{plan_id}/publish": "publish",
    "GET /plans/{plan_id}/comparison": "compare",
    "GET /plans/{plan_id}/difference": "compare",
    "GET /plans/{plan_id}/letters": "compare",
    "POST /plans/drawings": "draw",
    "GET /editions": "list",
    "GET /editions/{edition_id}/to-do": "to-do",
    "POST /editions/{edition_id}/publish": "publish",
    "POST /editions/{edition_id}/rollback": "rollback",
    "POST /editions/{edition_id}/withdraw": "withdraw",
    "GET /editions/{edition_id}/lineage": "lineage",
    # The whole register is checked by one command, beside what else is wrong in it.
    "GET /editions/{edition_id}/breaches": "",
}
KINDS = {"release": "move"}
"""Kinds of moves that the command of another makes; the others are called as their own."""
ONLY_COMMANDS = {"score"}
"""Files are measured where they are: HTTP takes none."""


def test_each_operation_has_a_command_and_each_command_an_operation() -> None:
    modules = (plans, plan_cells, plan_comparison, plan_drawings, plan_shapes, editions)
    offered = {
        f"{method} {route.path.removeprefix('/api/v1')}"
        for module in modules
        for route in module.router.routes
        for method in route.methods
    }
    assert offered - {"POST /plans/{plan_id}/moves"} == set(COMMAND_OF)
    moves = get_args(MoveIn.model_fields["kind"].annotation)
    reached = {name for names in COMMAND_OF.values() for name in names.split()}
    reached |= {KINDS.get(kind, kind) for kind in moves}
    commands = {each.name or each.callback.__name__ for each in plan.app.registered_commands}
    assert commands - ONLY_COMMANDS == reached
