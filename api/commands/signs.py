"""``wangge signs``: signs that residents scan to report without an account."""

from __future__ import annotations

from pathlib import Path
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
from api.schemas.intake import SignOut
from grids.incidents import intake
from maps.output import replacing

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
CodeArgument = Annotated[str, typer.Argument(help="Code of the sign, as listed or as printed")]


@app.command(
    "put-up", epilog="Example: wangge signs put-up '东苑小区北门' --lon 116.61 --lat 44.92"
)
def put_up(
    place_name: Annotated[str, typer.Argument(help="What the place is called")],
    lon: Annotated[float, typer.Option(help="Longitude, WGS 84 degrees")],
    lat: Annotated[float, typer.Option(help="Latitude, WGS 84 degrees")],
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Make a sign for a place; print its poster next."""
    with open_database(data_dir) as database, database.transaction() as session:
        sign = intake.put_up(session, place_name, lon=lon, lat=lat, actor=actor_name(actor))
        made = SignOut.of(sign)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    out.print(f"sign {made.code} for {made.place_name} ({made.area_code})", markup=False)
    out.print(
        f"print it:  wangge signs poster {made.code} --url https://... --output {made.code}.pdf",
        markup=False,
    )


@app.command("list", epilog="Example: wangge signs list --json")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Every sign, those taken down last."""
    with open_database(data_dir) as database, database.transaction() as session:
        found = [SignOut.of(each) for each in intake.signs(session)]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ["code", "place", "unit", "since", "state"],
        (
            (
                each.code,
                each.place_name,
                each.area_code,
                f"{each.created_at:%Y-%m-%d}",
                f"taken down by {each.ended_by}" if each.ended_at else "in use",
            )
            for each in found
        ),
    )


@app.command("take-down", epilog="Example: wangge signs take-down 4k7m2p9xh3vd")
def take_down(
    code: CodeArgument, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """End a sign: whoever scans it is told that it is no longer in use."""
    with open_database(data_dir) as database, database.transaction() as session:
        sign = SignOut.of(intake.take_down(session, code, actor=actor_name(actor)))
    if as_json:
        print_json(sign.model_dump(mode="json"))
    else:
        out.print(f"sign {sign.code} is taken down", markup=False)


@app.command(
    epilog="Example: wangge signs poster 4k7m2p9xh3vd --url https://wangge.example.cn -o sign.pdf"
)
def poster(
    code: CodeArgument,
    url: Annotated[str, typer.Option(help="Where residents reach the service, https://...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .pdf")],
    data_dir: DataDir = None,
) -> None:
    """One page to print, A5: the square code, the place, and how to use it."""
    # Here, not above: it loads matplotlib.
    from maps.poster import draw  # noqa: PLC0415

    with open_database(data_dir) as database, database.transaction() as session:
        sign = intake.found(session, code)
        page = draw(sign.code, sign.place_name, url)
    with replacing(output) as file:
        file.write_bytes(page)
    out.print(f"wrote {output}", markup=False)
