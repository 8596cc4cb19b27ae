"""``wangge plan draw``: from files to a file, or on the database to a draft edition."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import sqlalchemy as sa
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from api.commands.plan_layers import REPORTS, BarrierLayers, check_endings, read_plan_layers
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
from gis.errors import BadInput, Problem
from gis.wording import counted, verb
from grids import planning
from grids.models import Building
from grids.redistricting import draw as draw_plan
from grids.redistricting.plan import RULES
from grids.redistricting.rules import CURVE, KEEP
from maps.layer_files import write_layer
from maps.plan_report import write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from grids.redistricting import Plan

SHOWN_OF_A_RULE = 3
QUIET_S: Final = 30.0
"""Where there is no terminal, a line is written at most this often."""
LARGE: Final = 100_000
"""Buildings of an area above which the time and the memory that it takes are told."""
SECONDS_A_BUILDING: Final = 0.37e-3
BASE_GB: Final = 0.35
GB_A_BUILDING: Final = 3.7e-6
"""As measured on old towns of 30,000 to a million buildings (bench/README.md)."""
FATES = {
    "kept": "keep their code and their core",
    "split": "divided",
    "merged": "merged into others",
    "gone": "gone",
    "new": "new",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of it: a plan, and its draft."""

    plan: Plan
    edition: int | None


def draw(
    area: Annotated[Path | None, typer.Option(help="Polygons; each 'code' on its own")] = None,
    buildings: Annotated[Path | None, typer.Option(help="With households")] = None,
    barriers: BarrierLayers = None,
    unit: Annotated[str | None, typer.Option(help="Code of the area in the database")] = None,
    target: Annotated[
        float | None,
        typer.Option(help="Households a grid should have; by area type, else 300"),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Largest deviation that passes; by area type, else 0.10")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same input and seed give the same plan")] = 1,
    before: Annotated[
        str | None,
        typer.Option(
            help="Plan to change as little as possible: a file of grids with 'code', or on the "
            "database the number of an edition, whose locks stay"
        ),
    ] = None,
    keep: Annotated[
        float, typer.Option(help="Price of each household that changes its grid; 0: none")
    ] = KEEP,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Also what other prices than --keep would bring, all else as asked: six more "
            "searches on the same cells, on 30,000 buildings a third more time",
        ),
    ] = False,
    locked: Annotated[
        Path | None, typer.Option(help="Grids with 'code' that stay as they are (files)")
    ] = None,
    pinned: Annotated[
        Path | None,
        typer.Option(
            help="Buildings that must lie in a grid of --before: a .csv with 'building_id' (on the "
            "database also 'external_id') and 'code', or points with 'code'"
        ),
    ] = None,
    camps: Annotated[
        Path | None,
        typer.Option(
            help="Points with 'building_id' (on the database also 'external_id') where its "
            "households live part of the year, and 'season'"
        ),
    ] = None,
    exclusive: Annotated[
        Path | None, typer.Option(help="Ground that is no part of the plan (files)")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Exactly so many grids")] = None,
    minimum: Annotated[int | None, typer.Option(help="Fewest grids")] = None,
    maximum: Annotated[int | None, typer.Option(help="Most grids")] = None,
    second: Annotated[
        str | None,
        typer.Option(
            help="Balanced after the households: a column of the buildings, or on the database "
            "'incidents' of the last year or key 'places'; 'area_m2' is the ground of the grids"
        ),
    ] = None,
    second_weight: Annotated[float, typer.Option(help="Its weight beside them")] = 1.0,
    prices: Annotated[
        str | None, typer.Option(help="Area type: urban, micro, rural, pastoral")
    ] = None,
    effort: Annotated[
        str | None, typer.Option(help="quick, normal, thorough, or seconds of this machine")
    ] = None,
    compactness_floor: Annotated[
        float, typer.Option(help="Lowest Polsby-Popper of a grid; a square has 0.79")
    ] = 0.0,
    walk_m: Annotated[
        float | None, typer.Option(help="Longest way on foot across a grid, metres")
    ] = None,
    travel_min: Annotated[
        float | None, typer.Option(help="Longest time between two households of a grid, minutes")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="grids: .gpkg, .geojson, .shp, .parquet")
    ] = None,
    cells: Annotated[Path | None, typer.Option(help="Planning cells, the same formats")] = None,
    report: Annotated[Path | None, typer.Option(help="Page of all findings: .html")] = None,
    title: Annotated[str | None, typer.Option(help="Of the draft edition")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Draw balanced grids: from files to a file, or on the database to a draft edition.

    A layer of a file that has several is named behind a bar, in quotes: 'town.gpkg|units'.
    """
    from_files = area is not None and buildings is not None and out_file is not None
    if from_files == (unit is not None):
        raise typer.BadParameter(
            "give either --area, --buildings and --out for files, or --unit CODE for the database"
        )
    if unit is not None and (locked is not None or exclusive is not None):
        raise typer.BadParameter(
            "--locked and --exclusive are for files; on the database --before NUMBER keeps what is "
            "locked in that plan"
        )
    if unit is not None and any([area, buildings, barriers, out_file, cells]):
        raise typer.BadParameter(
            "--unit draws from the database to the database: leave out --area, --buildings, "
            "--barriers, --out and --cells ('wangge plan export' writes files)"
        )
    if curve and before is None:
        raise typer.BadParameter("--curve compares with an older plan: give --before as well")
    check_endings(out_file, cells, report)
    wishes = planning.Wishes(
        prices=prices, effort=_effort(effort), keep=keep, keeps=CURVE if curve else (),
        count=count, minimum=minimum, maximum=maximum, second=second, second_weight=second_weight,
        compactness_floor=compactness_floor, walk_m=np.inf if walk_m is None else walk_m,
        travel_min=np.inf if travel_min is None else travel_min,
    )  # fmt: skip
    figures = {"target": target, "tolerance": tolerance, "seed": seed}
    done: Drawn | None = None
    made: list[Path] = []
    try:
        with _bar() as tell:
            if unit is None:
                files = {
                    "area": area, "buildings": buildings, "barriers": barriers, "locked": locked,
                    "before": None if before is None else Path(before), "exclusive": exclusive,
                    "pinned": pinned, "camps": camps,
                }  # fmt: skip
                done = _from_files(files, wishes, figures, tell)
            else:
                done = _on_the_database(
                    data_dir, unit, wishes, figures | {"before": _edition(before)}, tell,
                    files={"pinned": pinned, "camps": camps}, title=title,
                    author=actor_name(actor),
                )  # fmt: skip
            tell("writing", 1.0)
            _write(done.plan, (out_file, cells, report), made, title=title or "")
    except KeyboardInterrupt:
        _tell_cancelled(done, made)
        raise
    _tell(done, out_file, made, as_json=as_json)


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    """A bar on a terminal, elsewhere a line now and then, and how to move it."""
    told_at = time.monotonic()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=progress,
        transient=True,
        disable=not progress.is_terminal,
    ) as bar:
        task = bar.add_task("reading", total=1.0)

        def tell(stage: str, share: float) -> None:
            nonlocal told_at
            bar.update(task, description=stage, completed=share)
            if not progress.is_terminal and time.monotonic() - told_at > QUIET_S:
                progress.print(f"{stage}: {share:.0%}")
                told_at = time.monotonic()

        yield tell


def _write(
    plan: Plan,
    paths: tuple[Path | None, Path | None, Path | None],
    made: list[Path],
    *,
    title: str,
) -> None:
    """Write grids, cells and report where asked for, each whole or not at all; `made` grows."""
    out_file, cells, report = paths
    if out_file is not None:
        write_layer(plan.grids, out_file, layer="grids")
        made.append(out_file)
    if cells is not None:
        write_layer(plan.cells.drop(columns=["neighbours", "doors"]), cells, layer="cells")
        made.append(cells)
    if report is not None:
        write_report(plan, report, title=title)
        made.append(report)


def _tell_cancelled(done: Drawn | None, made: Sequence[Path]) -> None:
    """What there is of a drawing that was called off."""
    there = [str(path) for path in made]
    if done is not None and done.edition is not None:
        there.insert(0, f"draft edition {done.edition}")
    whole = f"whole are: {', '.join(there)}" if there else "nothing was written"
    progress.print(f"cancelled; {whole}", markup=False)


def _tell_size(buildings: int) -> None:
    """What a large drawing takes, before it does."""
    if buildings > LARGE:
        minutes = max(1, round(buildings * SECONDS_A_BUILDING / 60))
        progress.print(
            f"{buildings:,} buildings: about {counted(minutes, 'minute')} of one core and "
            f"{BASE_GB + buildings * GB_A_BUILDING:.1f} GB of memory; Ctrl-C calls it off"
        )


def _effort(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _edition(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        remedy = "Give the number of an edition ('wangge plan list'), or draw from files"
        raise BadInput(Problem(f"'{text}' is no number", remedy, field="--before"))
    return int(text)


def _from_files(
    files: dict[str, Any],
    wishes: planning.Wishes,
    figures: dict[str, Any],
    tell: Any,
) -> Drawn:
    layers = read_plan_layers(**files)
    _tell_size(len(layers.frames["buildings"]))
    asked = {name: value for name, value in figures.items() if value is not None}
    with layers.named():
        plan = draw_plan(**layers.frames, **asked, **wishes, progress=tell)
    return Drawn(plan, None)


def _on_the_database(
    data_dir: Path | None,
    unit: str,
    wishes: planning.Wishes,
    figures: dict[str, Any],
    tell: Any,
    *,
    files: dict[str, Path | None],
    title: str | None,
    author: str,
) -> Drawn:
    layers = read_plan_layers(**files)
    with (
        layers.named(),
        open_database(data_dir) as database,
        database.transaction(timeout_s=0) as session,
    ):
        of_county = sa.select(sa.func.count()).where(Building.county_code == unit)
        _tell_size(session.scalar(of_county) or 0)
        plan, edition = planning.draw_draft(
            session, unit, **figures, pinned=layers.frames.get("pinned"),
            camps=layers.frames.get("camps"), title=title, author=author, progress=tell, **wishes,
        )  # fmt: skip
        return Drawn(plan, edition.id)


def _tell(done: Drawn, path: Path | None, made: Sequence[Path], *, as_json: bool) -> None:
    plan = done.plan
    about: dict[str, Any] = {
        "grids": len(plan.grids),
        "households": int(plan.grids["households"].sum()),
        "within_tolerance": round(plan.within_tolerance, 4),
        "mean_deviation": round(float(plan.grids["deviation"].abs().mean()), 4),
        "mean_compactness": round(float(plan.grids["compactness"].mean()), 3),
        "edition": done.edition,
        "file": str(path) if path else None,
    }
    if plan.lineage is not None:
        about["households_moved"] = plan.settings["households_moved"]
    for name in ("households_with_camp", "households_apart"):
        if name in plan.settings:
            about[name] = plan.settings[name]
    if as_json:
        lineage = None if plan.lineage is None else plan.lineage.to_dict("records")
        curve = None if plan.curve is None else plan.curve.to_dict("records")
        findings = [asdict(each) for each in plan.findings]
        print_json({**about, "lineage": lineage, "curve": curve, "findings": findings})
        return
    out.print(
        f"{counted(len(plan.grids), 'grid')}, {counted(about['households'], 'household')} in all; "
        f"{plan.within_tolerance:.1%} within tolerance, mean deviation "
        f"{about['mean_deviation']:.1%}, mean compactness {about['mean_compactness']:.2f}"
    )
    if plan.lineage is not None:
        counts = plan.lineage["fate"].value_counts()
        told = ", ".join(
            f"{counts[fate]:,} {text}" for fate, text in FATES.items() if fate in counts
        )
        moved = counted(
            about["households_moved"], "household changes its grid", "households change their grid"
        )
        out.print(f"{moved}; grids: {told}")
    if "households_apart" in about:
        out.print(
            f"{about['households_apart']:,} of "
            f"{counted(about['households_with_camp'], 'household')} with a camp "
            f"{verb(about['households_apart'], 'has', 'have')} it in another grid than their home"
        )
    if plan.curve is not None:
        print_table(
            ["price of a household moved", "grids", "within tolerance", "households moved",
             "of all", ""],
            (
                (f"{row.keep:g}", f"{row.grids:,}", f"{row.within:.1%}", f"{row.moved:,}",
                 f"{row.moved_share:.1%}", "this plan" if row.drawn else "")
                for row in plan.curve.itertuples()
            ),
        )  # fmt: skip
    _tell_findings(plan, hidden_matters=not any(path.suffix in REPORTS for path in made))
    if done.edition is not None:
        number = done.edition
        out.print(f"draft edition {number}; put it in force with: wangge plan publish {number}")
    for written in made:
        out.print(f"written to {written}", markup=False)


def _tell_findings(plan: Plan, *, hidden_matters: bool) -> None:
    hidden = 0
    for rule, listed in groupby(plan.findings, lambda each: each.rule):
        found = list(listed)
        out.print(f"  {RULES[rule][1]}: {len(found):,}")
        for each in found[:SHOWN_OF_A_RULE]:
            out.print(f"    {each.place}: {each.text}", markup=False)
        if len(found) > SHOWN_OF_A_RULE:
            out.print(f"    and {len(found) - SHOWN_OF_A_RULE:,} more")
            hidden += len(found) - SHOWN_OF_A_RULE
    if hidden and hidden_matters:
        out.print(f"--report FILE.html or --json lists all {len(plan.findings):,}")
