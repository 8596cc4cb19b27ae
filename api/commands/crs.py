"""``wangge crs``: which coordinate system a layer is in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.commands.layers import read_layer
from api.commands.shared import AsJson, out, print_json, print_table
from gis.crs_check import check as check_layer
from gis.wording import counted

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """Which coordinate system a layer is in."""


@app.command(epilog="Example: wangge crs check counties.geojson --against 'surveyed.gpkg|counties'")
def check(
    file: Annotated[Path, typer.Argument(help="The layer in doubt: FILE or 'FILE|LAYER'")],
    against: Annotated[Path, typer.Option(help="A layer of the same place, known to be WGS 84")],
    as_json: AsJson = False,
) -> None:
    """Compare a layer with one of the same place: WGS 84, GCJ-02, BD-09, or axes swapped."""
    doubtful = read_layer(file).to_crs(4326)
    known = read_layer(against).to_crs(4326)
    found = check_layer(doubtful.geometry.to_numpy(), known.geometry.to_numpy())
    if as_json:
        print_json(asdict(found))
        return
    out.print(found.verdict)
    out.print(found.verdict_zh)
    print_table(
        ["taken as", "remaining m"], ((name, f"{m:.1f}") for name, m in found.residual_m.items())
    )
    out.print(
        f"confidence {found.confidence:.0%}, {counted(found.n, 'vertex', 'vertices')} compared"
    )
