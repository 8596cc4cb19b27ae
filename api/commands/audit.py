"""``wangge audit``: who saw and changed what, and whether the log of it is whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.commands.shared import (
    AsJson,
    DataDir,
    anchor_places,
    moment,
    open_database,
    out,
    print_json,
    print_table,
    progress,
    server_settings,
)
from gis.audit import anchors as anchoring
from gis.audit import keys, listing, proof, unusual, verify
from gis.errors import BadInput, Problem
from gis.wording import counted

if TYPE_CHECKING:
    from gis.audit.entries import AuditEntry

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
PublicKey = Annotated[
    list[Path] | None,
    typer.Option("--key", help="Public key (PEM) that anchors may be signed with; may be repeated"),
]


def _trusted(given: list[Path] | None, data_dir: Path | None) -> set[bytes]:
    """The keys that were given, else those of this installation."""
    own = anchor_places(data_dir).key
    paths = given or [own, *own.parent.glob(f"*{keys.PUBLIC_SUFFIX}")]
    missing = [each for each in given or () if not each.exists()]
    if missing:
        raise BadInput(Problem("there is no such file", source=str(missing[0]), field="--key"))
    return keys.public_keys(paths)


@app.command(
    "verify", epilog="Example: wangge audit verify --anchors /mnt/elsewhere/anchors --json"
)
def _verify(
    anchors: Annotated[
        list[Path] | None,
        typer.Option("--anchors", help="Folder of anchors outside the database; may be repeated"),
    ] = None,
    key: PublicKey = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Work out every chain anew and compare it with the anchors; exit 1 when something is wrong.

    Without --anchors those of the data folder and of WANGGE_ANCHOR_DIR are taken. Whoever can write
    to both the database and a folder can change both: give one that they cannot write to.
    """
    folders = anchors or [each for each in anchor_places(data_dir).folders if each.is_dir()]
    absent = [each for each in folders if not each.is_dir()]
    if absent:
        raise BadInput(Problem("there is no such folder", source=str(absent[0]), field="--anchors"))
    columns = (TextColumn("entries"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with open_database(data_dir) as database, Progress(*columns, console=progress) as bar:
        task = bar.add_task("verify", total=None)
        report = verify.verify(
            database,
            folders=folders,
            keys=_trusted(key, data_dir),
            progress=lambda done, every: bar.update(task, completed=done, total=every),
        )
    if as_json:
        print_json(report.as_json())
    else:
        for note in report.notes:
            out.print(f"note: {note}", markup=False)
        for each in report.breaches:
            out.print(f"BROKEN {each}", markup=False)
        rate = report.rows / report.seconds if report.seconds else 0
        out.print(
            f"{counted(report.rows, 'entry', 'entries')} of {counted(report.streams, 'stream')}, "
            f"{counted(report.anchored, 'anchor')}, "
            f"{report.seconds:.1f} s ({rate:,.0f} entries a second): "
            + ("[bold red]not whole[/]" if report.breaches else "[green]whole[/]")
        )
    if report.breaches:
        raise typer.Exit(1)


@app.command("anchor", epilog="Example: wangge audit anchor")
def _anchor(
    after_restore: Annotated[
        str | None,
        typer.Option(
            "--after-restore",
            metavar="REASON",
            help="Own up to anchored entries that a restore has lost, and go on from here",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Sign what was added since the last anchor, and write it outside the database."""
    places = anchor_places(data_dir)
    with open_database(data_dir) as database:
        if after_restore is None:
            made = anchoring.anchor(database, places)
        else:
            made = anchoring.accept_loss(database, places, after_restore)
    if as_json:
        print_json([json.loads(each.line()) for each in made])
        return
    for each in made:
        what = "anchored" if each.kind == "root" else "given up"
        out.print(f"{what} entries {each.first_seq} to {each.last_seq} of stream {each.stream}")
    out.print(f"written to {', '.join(str(each) for each in places.folders)}", markup=False)


@app.command("proof", epilog="Example: wangge audit proof 4711 > entry.json")
def _proof(
    entry: Annotated[int | None, typer.Argument(help="Id of the entry")] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", help="Check the proof in this file; no database needed"),
    ] = None,
    key: PublicKey = None,
    data_dir: DataDir = None,
) -> None:
    """Prove that an entry was in the log when an anchor was signed, or check such a proof."""
    if (entry is None) == (check is None):
        raise BadInput(Problem("give the id of an entry, or a proof with --check, one of the two"))
    if entry is not None:
        with open_database(data_dir) as database, database.transaction() as session:
            print_json(proof.prove(session, entry))
        return
    assert check is not None
    try:
        given = json.loads(check.read_text(encoding="utf-8"))
    except ValueError:
        raise BadInput(Problem("it is no JSON", source=str(check))) from None
    proven, root = proof.check(given, _trusted(key, data_dir))
    print_json({"anchored_at": root.at, "anchor": root.number, "entry": proven})


@app.command("list", epilog="Example: wangge audit list --actor wang --since 2026-07-01 --json")
def _list(
    actor: Annotated[
        str | None, typer.Option("--actor", help="Login, or user of the system")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="read, reveal, ...; 'incident.' for all of them")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of object: person")] = None,
    object_id: Annotated[str | None, typer.Option("--object", help="Id of the object")] = None,
    since: Annotated[str | None, typer.Option("--since", help="First moment")] = None,
    until: Annotated[str | None, typer.Option("--until", help="First moment after it")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    before: Annotated[
        int | None, typer.Option("--before", help="Only older than this id: the next page")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Entries of the log, newest first; reading it is an entry too."""
    wanted = listing.Filter(
        actor=actor,
        action=action,
        object_kind=kind,
        object_id=object_id,
        start=moment(since, "--since"),
        end=moment(until, "--until"),
    )
    with open_database(data_dir) as database, database.transaction() as session:
        found = listing.page(session, wanted, limit=limit, before=before)
    if as_json:
        entries = [_as_json(each, found.purpose_of(each)) for each in found.entries]
        print_json({"entries": entries, "next": found.following})
        return
    print_table(
        ["id", "when (UTC)", "who", "role", "did", "to", "fields", "count", "for", "from"],
        (
            (
                each.id,
                f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                each.actor,
                each.role,
                each.action,
                f"{each.object_kind} {each.object_id}".strip(),
                each.fields,
                each.count,
                found.purpose_of(each),
                each.origin,
            )
            for each in found.entries
        ),
    )
    if found.following is not None:
        out.print(f"more with --before {found.following}")


def _as_json(entry: AuditEntry, purpose: str) -> dict[str, Any]:
    names = [each.key for each in entry.__table__.columns if each.key not in {"hash", "purpose"}]
    return {name: getattr(entry, name) for name in names} | {
        "purpose": purpose,
        "hash": entry.hash.hex(),
    }


@app.command("unusual", epilog="Example: wangge audit unusual --from 2026-07-01 --to 2026-08-01")
def _unusual(
    start: Annotated[str | None, typer.Option("--from", help="First moment; a month ago")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after it; now")] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option("--thresholds", help="TOML file instead of the one that comes along"),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Uses worth a question: at night, in masses, outside the own area, one person again."""
    last = moment(end, "--to") or datetime.now(UTC)
    first = moment(start, "--from") or last - timedelta(days=30)
    if first >= last:
        raise BadInput(Problem("the period ends before it begins", "Give --from before --to"))
    limits = unusual.thresholds(thresholds)
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        found = unusual.unusual(
            session, first, last, zone=server_settings().timezone, limits=limits
        )
    if as_json:
        print_json([{name: getattr(each, name) for name in each.__slots__} for each in found])
        return
    if not found:
        out.print(f"nothing unusual from {first.isoformat()} to {last.isoformat()}")
    for each in found:
        what = " ".join(filter(None, (each.object_kind, each.object_id)))
        since, until = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in (each.first, each.last))
        out.print(
            f"{each.rule:8} {each.actor} ({each.role or '-'}) {what}  {since} to {until} UTC, "
            f"entries {each.first_id}-{each.last_id}\n"
            f"         {each.why['zh']}\n         {each.why['en']}",
            markup=False,
        )
