"""``wangge address``: addresses taken apart, found, told of a point, and decided."""

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
from api.schemas.addresses import AliasOut, PartOut, ReverseOut, ReviewOut, SearchOut
from gis.database import execute
from gis.errors import BadInput
from gis.wording import counted
from grids.addresses import aliases as said
from grids.addresses import gazetteer, review, search
from grids.addresses.candidates import NEAR_M
from grids.addresses.parts import Address
from grids.addresses.reverse import HOUSE_M, reverse
from grids.incidents import placing

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
TextArgument = Annotated[str, typer.Argument(help="An address as somebody wrote it")]
_WORDS = {
    "exact": "as a person said", "street_number": "house number", "building": "building",
    "place": "place", "crossing": "crossing of two streets", "street": "street or estate alone",
    "interpolated": "between house numbers", "trigram": "a name like it", "division": "unit alone",
}  # fmt: skip


@app.command("search", epilog="Example: wangge address search '样例镇标高街27号3栋2单元'")
def find(
    text: TextArgument,
    near: Annotated[
        tuple[float, float] | None, typer.Option(help="LON LAT of somewhere close to it")
    ] = None,
    within: Annotated[
        float, typer.Option(help="With --near: metres from there beyond which nothing is sure")
    ] = NEAR_M,
    limit: Annotated[int, typer.Option(min=1, max=100)] = search.LIMIT,
    ask: Annotated[
        bool, typer.Option("--ask", help="When it is not sure, leave it to a person (reviews)")
    ] = False,
    county: Annotated[
        str | None, typer.Option(help="With --ask: county whose people are asked")
    ] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Places that an address may mean, the likeliest first, and how sure that is."""
    with open_database(data_dir) as database, database.transaction() as session:
        address = search.understand(session, text)
        found = search.found(session, address, near=near, limit=limit, within_m=within)
        kept = None
        if ask and not (found and found[0].is_confident):
            area = county or (found[0].area_code[:6] if found else None)
            if area is None:
                raise BadInput("nothing was found, and no county to ask in", "Say --county CODE.")
            kept = review.enqueue(
                session, text, found, county_code=area, actor=actor_name(actor)
            ).id
        shown = SearchOut.of(address, found)
    if as_json:
        print_json(shown.model_dump(mode="json") | {"review": kept})
        return
    _tell(address)
    if not found:
        out.print("nothing was found")
    else:
        print_table(
            ("", "score", "what", "place", "lon", "lat", "within m"),
            (
                (place, each.score, _WORDS[each.method], each.label, f"{each.lon:.6f}",
                 f"{each.lat:.6f}", each.accuracy_m)
                for place, each in enumerate(found)
            ),
        )  # fmt: skip
        out.print("sure: take the first" if found[0].is_confident else "not sure: ask a person")
    if kept is not None:
        out.print(f"kept as review {kept}:  wangge address decide {kept} --candidate 0")


@app.command(epilog="Example: wangge address parse '土左旗察素齐镇人民路二十七号'")
def parse(text: TextArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What an address says, part by part, and what was not understood."""
    with open_database(data_dir) as database, database.transaction() as session:
        address = search.understand(session, text)
    if as_json:
        print_json(
            {
                "understood": [PartOut.of(each).model_dump() for each in address.parts],
                "ignored": list(address.rest),
                "units": list(address.codes),
            }
        )
        return
    _tell(address)


def _tell(address: Address) -> None:
    print_table(
        ("part", "written", "read as", "known"),
        (
            (each.kind, each.text, f"{each.value} {each.tail}".strip(), "yes" if each.is_known
             else "")
            for each in address.parts
        ),
    )  # fmt: skip
    if address.rest:
        out.print(f"not understood: {' / '.join(address.rest)}", markup=False)


@app.command(
    "reverse",
    epilog="Example: wangge address reverse 116.6 44.9",
    context_settings={"ignore_unknown_options": True},
)
def of_point(
    lon: Annotated[float, typer.Argument(help="Longitude, WGS 84 degrees")],
    lat: Annotated[float, typer.Argument(help="Latitude, WGS 84 degrees")],
    within: Annotated[float, typer.Option(help="How far the house may be, metres")] = HOUSE_M,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """The address of a point: house, else street, else units."""
    with open_database(data_dir) as database, database.transaction() as session:
        found = reverse(session, lon, lat, within_m=within)
    if as_json:
        print_json(ReverseOut.of(found).model_dump(mode="json"))
        return
    away = "" if found.distance_m is None else f"  ({found.method}, {found.distance_m:,.0f} m away)"
    out.print(f"{found.text or 'no known unit'}{away}", markup=False)


@app.command(epilog="Example: wangge address reviews --limit 20")
def reviews(
    limit: Annotated[int, typer.Option(min=1, max=review.MAX_PAGE)] = 100,
    after: Annotated[int, typer.Option(min=0, help="Number of the last one seen")] = 0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Addresses that wait for a person, with their candidates."""
    with open_database(data_dir) as database, database.transaction() as session:
        page = review.waiting(session, limit=limit, after=after)
        rows = [ReviewOut.of(each) for each in page.rows]
    if as_json:
        print_json([each.model_dump(mode="json") for each in rows])
        return
    for each in rows:
        out.print(f"{each.id}  {each.text}  ({each.area_code}, {each.at:%Y-%m-%d})", markup=False)
        for place, one in enumerate(each.candidates):
            out.print(f"    {place}: {one.label}  {one.score:.2f}", markup=False)
    if not rows:
        out.print("no address waits")
    elif page.next is not None:
        out.print(f"{page.count:,} wait; the next:  wangge address reviews --after {page.next}")


@app.command(epilog="Example: wangge address decide 12 --candidate 0")
def decide(
    number: Annotated[int, typer.Argument(help="Number of the review")],
    candidate: Annotated[int | None, typer.Option(help="Place in its list, from 0")] = None,
    at: Annotated[
        tuple[float, float] | None, typer.Option(help="LON LAT of another place, WGS 84")
    ] = None,
    label: Annotated[str | None, typer.Option(help="What to call that place")] = None,
    nowhere: Annotated[
        bool, typer.Option("--nowhere", help="It is not to be found; nothing is remembered")
    ] = False,
    all_same: Annotated[
        bool, typer.Option("--all-same", help="Others of this text and area that wait, too")
    ] = False,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Say what an address means; the same text is found there from now on.

    An incident that waits for it is placed there.
    """
    if sum((candidate is not None, at is not None, nowhere)) != 1:
        raise typer.BadParameter("give one of --candidate, --at and --nowhere")
    lon, lat = at or (None, None)
    choice = review.Choice(candidate=candidate, lon=lon, lat=lat, label=label)
    with open_database(data_dir) as database, database.transaction() as session:
        done = placing.decide(session, number, choice, actor=actor_name(actor))
        settled = (
            placing.decide_same(session, done, choice, actor=actor_name(actor)) if all_same else 0
        )
        left = len(review.same(session, done))
        text, outcome, meant = done.text, done.outcome, done.label
    out.print(f"{text}: {meant or outcome}", markup=False)
    if all_same:
        out.print(f"and {counted(settled, 'other')} of this text and area")
    if left:
        out.print(
            f"{counted(left, 'other')} of this text and area still waiting "
            "(--all-same decides them, too)"
        )


@app.command(epilog="Example: wangge address alias 土左 150121")
def alias(
    text: Annotated[str, typer.Argument(help="What people call the unit")],
    unit: Annotated[str, typer.Argument(help="Its code, of a county or below")],
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Let a word stand for a unit in addresses."""
    with open_database(data_dir) as database, database.transaction() as session:
        said.say_unit(session, text, unit, actor=actor_name(actor))
    out.print(f"{text} is {unit}", markup=False)


@app.command(epilog="Example: wangge address aliases --limit 20")
def aliases(
    limit: Annotated[int, typer.Option(min=1, max=said.MAX_PAGE)] = 100,
    after: Annotated[int, typer.Option(min=0, help="Number of the last one seen")] = 0,
    ended: Annotated[bool, typer.Option("--ended", help="Also what holds no longer")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What people said that an address or a name of a unit means."""
    with open_database(data_dir) as database, database.transaction() as session:
        page = said.listed(session, limit=limit, after=after, with_ended=ended)
        rows = [AliasOut.of(each) for each in page.rows]
    if as_json:
        print_json([each.model_dump(mode="json") for each in rows])
        return
    print_table(
        ("number", "text", "means", "area", "said by", "on", "ended by"),
        (
            (each.id, each.text, each.label, each.area_code, each.author, f"{each.at:%Y-%m-%d}",
             each.ended_by or "")
            for each in rows
        ),
    )  # fmt: skip
    if page.next is not None:
        out.print(f"the next:  wangge address aliases --after {page.next}")


@app.command("end-alias", epilog="Example: wangge address end-alias 7")
def end_alias(
    number: Annotated[int, typer.Argument(help="Its number in wangge address aliases")],
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Let what was said of an address hold no longer; it stays to be read, with both names."""
    with open_database(data_dir) as database, database.transaction() as session:
        done = said.end(session, number, actor=actor_name(actor))
        text, meant = done.text, done.label
    out.print(f"{text} no longer means {meant}", markup=False)


@app.command(epilog="Example: wangge address refresh")
def refresh(data_dir: DataDir = None) -> None:
    """Read the addresses of buildings and all names anew; imports do it by themselves."""
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        counties = execute(
            session,
            "SELECT DISTINCT county_code FROM admin_units WHERE county_code IS NOT NULL "
            "AND upper_inf(valid) ORDER BY 1",
        ).scalars().all()  # fmt: skip
        rows = [(county, *gazetteer.refresh(session, county).values()) for county in counties]
    print_table(("county", "addresses of buildings", "understood", "names"), rows)
