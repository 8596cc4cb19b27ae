"""``wangge``: the one command. Sub-commands load when they are called, so that help is quick."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from typer.core import TyperGroup

from gis.errors import BadInput, Missing, WanggeError, listed

# Name, module that holds its typer application, and its line in the help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "up": ("api.commands.serve:up", "Serve the API and the viewer on this machine"),
    "demo": ("api.commands.serve:demo", "The same, with an invented banner county loaded"),
    "db": ("api.commands.db:app", "The database: status, upgrade, backup, restore, check, psql"),
    "import": ("api.commands.importing:app", "Bring files in: a dry run unless --commit"),
    "plan": ("api.commands.plan:app", "Draw grids, score, publish and roll back editions"),
    "people": ("api.commands.people:app", "Assign workers to grids, record leaves"),
    "duty": ("api.commands.duty:app", "Heads, leaders, departments; the emergency roster"),
    "audit": ("api.commands.audit:app", "Who saw and changed what; whether the log is whole"),
    "address": ("api.commands.address:app", "Addresses to places and back; those to be decided"),
    "locate": ("api.commands.locate:app", "Which grid a place belongs to, and who answers"),
    "incidents": ("api.commands.incidents:app", "Duplicates, repeat addresses, another edition"),
    "heatmap": ("api.commands.heatmap:app", "Density of incidents: HTML, PNG, GeoTIFF, contours"),
    "gridmap": ("api.commands.gridmap:app", "Incidents by grid: counts and rates, print and page"),
    "hotspots": ("api.commands.hotspots:app", "Where there was more than chance explains"),
    "attention": ("api.commands.attention:app", "Where to look first this week; its back-test"),
    "retention": ("api.commands.retention:app", "How long personal data is kept; what is due"),
    "secrets": ("api.commands.secrets:app", "Keys that phones and id numbers are encrypted with"),
    "accounts": ("api.commands.accounts:app", "Who may sign in, as what and where"),
    "keys": ("api.commands.keys:app", "API keys of programs: issue, list, revoke"),
    "grants": ("api.commands.grants:app", "Access to other areas for a time, and broken glass"),
    "signs": ("api.commands.signs:app", "Signs that residents scan to report: put up, print"),
    "crs": ("api.commands.crs:app", "Which coordinate system a layer is in"),
}
REFUSED, USAGE, MISSING = 1, 2, 3
SHOWN_PROBLEMS = 50

errors = Console(stderr=True, highlight=False, soft_wrap=True)


class LazyGroup(TyperGroup):
    """Imports a sub-command's module when it is asked for, not before."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The sub-command, made by typer from the module's application."""
        if cmd_name not in COMMANDS:
            return None
        place, line = COMMANDS[cmd_name]
        module, _, name = place.partition(":")
        command = typer.main.get_command(getattr(importlib.import_module(module), name))
        command.name, command.short_help = cmd_name, line
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List them from the table above, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Grid-management GIS for grassroots governance: draw, publish and locate grids in PostGIS.

    Exit codes: 0 done, 1 refused (bad data, named), 2 usage, 3 something is missing on the machine.
    """


def main() -> None:
    """Run the command line; every error of wangge's becomes a text and an exit code."""
    try:
        app(prog_name="wangge")
    except Missing as error:
        errors.print(f"[bold red]missing[/] {escape(error.what)}")
        if error.install:
            errors.print(f"  install it with:  {escape(error.install)}")
        sys.exit(MISSING)
    except BadInput as error:
        lines = listed(error.problems)
        for line in lines[:SHOWN_PROBLEMS]:
            errors.print(f"[bold red]refused[/] {escape(line)}")
        more = len(lines) - SHOWN_PROBLEMS
        if more > 0:
            errors.print(f"... and {more} more")
        sys.exit(REFUSED)
    except WanggeError as error:
        errors.print(f"[bold red]refused[/] {escape(str(error))}")
        sys.exit(REFUSED)
    except BrokenPipeError:
        # The reader, such as head, has had enough; nor does Python flush to it as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        errors.print(f"[bold red]refused[/] {escape(f'{where}{error.strerror or error}')}")
        sys.exit(REFUSED)
    except (OperationalError, InterfaceError) as error:
        # The statement and its values stay out of the text.
        errors.print(f"[bold red]refused[/] the database gave up: {escape(_first_line(error))}")
        sys.exit(REFUSED)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


if __name__ == "__main__":
    main()
