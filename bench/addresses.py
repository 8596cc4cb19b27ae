"""How well addresses are found: ``python -m bench.addresses``.

The house numbers of the OpenStreetMap extracts of San Francisco and Monaco, and those of the demo
county's buildings, each asked for as it is written, in short forms, with one typing error made by
a seeded generator, and with a fifth of the streets or of the numbers taken out of the gazetteer.
An answer is right within 100 m of the true place; sure and not right is wrong. What sends a
worker is the grid: *astray* is sure and in another grid than the true place, however near. Grids
are the demo's own, and those that the planner draws of the extracts' house numbers, one household
each, 300 to a grid, within the streets of the extract.

The streets (villages, groups) of each set are divided into two halves, which have typing errors of
their own seed each: ``--choose`` looks at the one half and prints what each pair of thresholds
would make of it; without it the other half is judged, on which nothing is chosen. Beside it what
cpca and jionlp make of the addresses of ``tests/grids/addresses/cases.py``, where ``--peers`` names
a Python that has them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import sqlalchemy as sa

from bench import slips
from bench.addressing.parsers import ours, peers
from data import schema
from data.importers.run import run_import
from data.sample.files import write
from data.sample.place import build
from gis.database import Database
from gis.locator import Locator
from gis.settings import DatabaseSettings
from grids import planning, service
from grids.addresses import candidates, latin
from grids.addresses.candidates import distance_m
from grids.addresses.parsing import whole_key
from grids.addresses.search import search
from grids.redistricting.planner import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

DATA = Path(os.environ.get("WANGGE_REAL_DATA", "../shared/data"))
SETS = {
    "San Francisco": ("990601", "osm_san_francisco/san_francisco.osm.pbf"),
    "Monaco": ("990602", "osm_monaco/monaco.osm.pbf"),
}
DEMO = "990121"
RIGHT_M = 100.0
TARGET = 300
"""House numbers to a grid of an extract."""
SEEDS = {"chosen on": 20261126, "held out": 77003}
SHORT = {long: short for short, long in reversed(latin.TYPES.items())} | {
    long: short for short, long in latin.DIRECTIONS.items() if len(short) == 1
}


@dataclass(frozen=True)
class Asked:
    """An address as it is asked for, and where it truly is."""

    text: str
    lon: float
    lat: float
    kind: str = ""
    street: tuple[str, str] = ("", "")
    """Key of the street that is meant, and code of its town."""


@dataclass(frozen=True)
class Got:
    """What became of one."""

    asked: Asked
    is_right: bool
    is_sure: bool
    is_another: bool
    """Whether the text is, letter by letter, the address of another house, or begins with it."""
    score: float
    lead: float
    method: str
    ms: float
    is_elsewhere: bool = False
    """Whether it lies in another grid than the true place."""
    is_divided: bool = False
    """Whether another place of the same label, nearer than 100 m, lies in another grid."""
    label: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Sure and not right."""
        return self.is_sure and not self.is_right

    @property
    def is_astray(self) -> bool:
        """Sure, and in another grid."""
        return self.is_sure and self.is_elsewhere


def shortened(text: str) -> str:
    """With the short forms that mail is addressed with."""
    return " ".join(SHORT.get(latin.folded(word), word) for word in text.split(" "))


def without_divisions(text: str) -> str:
    return re.sub(r"^示范旗(示范街道|..镇|..苏木)", "", text)


def half_of(street: str) -> str:
    """Which half a street belongs to, whatever else there is."""
    digest = hashlib.sha256(f"wangge {street}".encode()).digest()
    return "held out" if digest[0] % 2 else "chosen on"


def names_another(text: str, known: set[str]) -> bool:
    """Whether a text is an address of the gazetteer, with nothing or more words behind it."""
    key = whole_key(text)
    return any(
        key[:end] in known and not (key[end - 1].isdigit() and key[end : end + 1].isdigit())
        for end in range(len(key), 2, -1)
    )


def ask(session: Session, asked: Sequence[Asked], known: set[str], grids: Locator) -> list[Got]:
    out = []
    for each in asked:
        start = time.perf_counter()
        answers = search(session, each.text)
        took = 1000 * (time.perf_counter() - start)
        first = answers[0] if answers else None
        if first is None:
            out.append(
                Got(
                    each,
                    is_right=False,
                    is_sure=False,
                    is_another=False,
                    score=0.0,
                    lead=0.0,
                    method="",
                    ms=took,
                )
            )
            continue
        away = [
            other.score
            for other in answers[1:]
            if distance_m(first.lon, first.lat, other.lon, other.lat) >= candidates.SAME_PLACE_M
        ]
        own = grids.locate_one(first.lon, first.lat)
        out.append(
            Got(
                each,
                is_right=distance_m(first.lon, first.lat, each.lon, each.lat) <= RIGHT_M,
                is_sure=first.is_confident,
                is_another=names_another(each.text, known),
                score=first.score,
                lead=first.score - max(away, default=0.0),
                method=first.method,
                ms=took,
                is_elsewhere=own != grids.locate_one(each.lon, each.lat),
                is_divided=any(grids.locate_one(*twin) != own for twin in first.twins),
                label=first.label,
                ignored=first.ignored,
            )
        )
    return out


def report(name: str, got: list[Got]) -> None:
    """A line: right, sure, wrong, astray, of the wrong another's address, wrong without them."""
    n = len(got)
    if n == 0:
        return
    others = sum(each.is_another and not each.is_right for each in got)
    wrong = sum(each.is_wrong for each in got)
    unknowable = sum(each.is_wrong and each.is_another for each in got)
    rest = (wrong - unknowable) / max(1, n - others)
    astray = sum(each.is_astray for each in got)
    shares = [sum(each.is_right for each in got), sum(each.is_sure for each in got), wrong, astray,
              unknowable]  # fmt: skip
    shown = "  ".join(f"{each / n:8.2%}" for each in shares)
    ms = statistics.median(each.ms for each in got)
    print(f"{name:48} {n:6} {shown}  {rest:8.2%}  {ms:6.1f}", flush=True)


def divided(got: list[Got]) -> None:
    """What intake makes of it, which asks where the same address lies in two grids."""
    asked = [each for each in got if each.is_sure and each.is_divided]
    left = sum(each.is_astray and not each.is_divided for each in got)
    print(f"    intake asks about {len(asked) / len(got):.2%} more, astray then "
          f"{left / len(got):.2%}")  # fmt: skip


def unrefuted(got: list[Got], streets: dict[str, set[tuple[str, str]]]) -> None:
    """Of what is sure and wrong, how much nothing in the text speaks against."""
    wrong = [each for each in got if each.is_wrong]
    if not wrong:
        return
    same = [each for each in wrong if each.asked.street in streets.get(each.label, set())]
    both = sum(not each.ignored for each in same)
    print(f"    of {len(wrong)} wrong: same street of the same town {len(same) / len(wrong):.1%}, "
          f"and no part of the text left over {both / len(wrong):.1%}")  # fmt: skip
    for each in [each for each in wrong if each not in same or each.ignored][:10]:
        print(f"        {each.asked.text} -> {each.label}, left over {each.ignored}")


def thresholds(name: str, got: list[Got]) -> None:
    """What each pair of thresholds would make of what was asked, another's addresses apart."""
    fair = [each for each in got if not (each.is_another and not each.is_right)]
    print(f"{name}: sure / wrong of {len(fair)}, by least score (down) and lead (across)")
    leads = (0.02, 0.05, 0.10, 0.15, 0.20, 0.25)
    print("       " + "".join(f"{lead:>16.2f}" for lead in leads))
    for least in (0.70, 0.75, 0.80, 0.85, 0.90, 0.95):
        line = []
        for lead in leads:
            sure = [e for e in fair if e.method in candidates.SURE and e.score >= least
                    and e.lead >= lead]  # fmt: skip
            wrong = sum(not each.is_right for each in sure)
            line.append(f"{len(sure) / len(fair):7.2%} {wrong / len(fair):6.2%}")
        print(f"  {least:.2f} " + "  ".join(line))


def fill(database: Database) -> None:
    with database.transaction() as session:
        for name, (county, _) in SETS.items():
            session.execute(
                sa.text("INSERT INTO admin_units (code, level, name, source) VALUES "
                        "(:code, 6, :name, 'bench')"), {"code": county, "name": name},
            )  # fmt: skip
    for county, file in SETS.values():
        done = run_import("addresses", DATA / file, database=database, commit=True, county=county)
        print(f"{file}: {done.new} house numbers, {done.rejected} refused")
        run_import("barriers", DATA / file, database=database, commit=True, county=county)


def fill_demo(database: Database) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = write(build(seed=1, until=date(2026, 6, 30)), Path(folder))
        for kind in ("units", "barriers", "buildings"):
            run_import(kind, files[kind], database=database, commit=True, source="demo",
                       county=None if kind == "units" else DEMO)  # fmt: skip
    with database.transaction(timeout_s=0) as session:
        _, edition = planning.draw_draft(session, DEMO, author="bench", title="bench")
        service.publish(session, edition.id, approver="b")


def grids_of(session: Session, county: str) -> Locator:
    """The published grids of a county; else the planner's, of its house numbers and streets."""
    edition = session.scalar(
        sa.text("SELECT id FROM editions WHERE county_code = :county AND status = 'active'"),
        {"county": county},
    )
    if edition is not None:
        frame = planning.grids_frame(session, edition)
    else:
        homes = gpd.GeoDataFrame.from_postgis(
            sa.text("SELECT id, 1 AS households, geom FROM addresses "
                    "WHERE county_code = :county AND number_to IS NULL AND number IS NOT NULL"),
            session.connection(), params={"county": county},
        )  # fmt: skip
        barriers = gpd.GeoDataFrame.from_postgis(
            sa.text("SELECT kind, geom FROM barriers WHERE county_code = :county"),
            session.connection(), params={"county": county},
        )  # fmt: skip
        around = homes.to_crs(homes.estimate_utm_crs()).buffer(200).union_all().convex_hull
        area = gpd.GeoDataFrame(geometry=[around], crs=homes.estimate_utm_crs()).to_crs(4326)
        frame = draw(area, homes, barriers, target=TARGET).grids
    print(f"{len(frame)} grids")
    return Locator.build(frame.geometry.to_numpy(), frame["code"].to_numpy())


def rows_of(session: Session, county: str) -> list[Any]:
    return list(
        session.execute(
            sa.text(
                "SELECT id, label, street_key, left(area_code, 9) AS town, ST_X(geom) AS lon, "
                "ST_Y(geom) AS lat FROM addresses "
                "WHERE county_code = :county AND number_to IS NULL AND number IS NOT NULL "
                "AND street_key IS NOT NULL ORDER BY id"
            ),
            {"county": county},
        )
    )


def missing(
    session: Session, county: str, rows: Sequence[Any], *, what: str, rng: random.Random, most: int,
    known: set[str], grids: Locator,
) -> list[Got]:  # fmt: skip
    """Ask for what is not there: a fifth of the streets, or of the numbers, taken away before."""
    keys = sorted({row.street_key for row in rows})
    gone = set(rng.sample(keys, len(keys) // 5)) if what == "streets" else set()
    out = set(rng.sample([row.id for row in rows], len(rows) // 5)) if not gone else set()
    taken = [row for row in rows if row.street_key in gone or row.id in out]
    with session.begin_nested() as before:
        session.execute(sa.text("DELETE FROM addresses WHERE id = ANY(:ids)"),
                        {"ids": [row.id for row in taken]})  # fmt: skip
        session.execute(
            sa.text("DELETE FROM address_names WHERE county_code = :county AND key = ANY(:gone)"),
            {"county": county, "gone": sorted(gone)},
        )
        chosen = rng.sample(taken, min(most, len(taken)))
        got = ask(session, [Asked(row.label, row.lon, row.lat) for row in chosen],
                  known - {whole_key(row.label) for row in taken}, grids)  # fmt: skip
        before.rollback()
    return got


def evaluate(
    session: Session, name: str, county: str, *, half: str, most: int, given: argparse.Namespace,
    grids: Locator,
) -> None:  # fmt: skip
    rng = random.Random(SEEDS[half])
    everything = rows_of(session, county)
    rows = [row for row in everything if half_of(row.street_key) == half]
    labels = [row.label for row in everything]
    known = {whole_key(label) for label in labels}
    known |= {whole_key(without_divisions(label)) for label in labels}
    sample = rng.sample(rows, min(most, len(rows)))
    plain = [Asked(row.label, row.lon, row.lat, street=(row.street_key, row.town))
             for row in sample]  # fmt: skip
    streets: dict[str, set[tuple[str, str]]] = {}
    for row in everything:
        streets.setdefault(row.label, set()).add((row.street_key, row.town))

    def changed(change: Callable[[str], str]) -> list[Got]:
        return ask(session, [Asked(change(e.text), e.lon, e.lat) for e in plain], known,
                   grids)  # fmt: skip

    if not given.slips:
        report(f"{name}, as written", written := changed(str))
        divided(written)
        report(f"{name}, in short",
               changed(without_divisions if county == DEMO else shortened))  # fmt: skip
    slipped = []
    for each in plain:
        kind, text = slips.any_slip(each.text, rng)
        slipped.append(Asked(text, each.lon, each.lat, kind, each.street))
    got = ask(session, slipped, known, grids)
    report(f"{name}, a slip in any part", got)
    divided(got)
    for kind in sorted({each.kind for each in slipped}):
        report(f"    {kind}", [each for each in got if each.asked.kind == kind])
    unrefuted(got, streets)
    for what in () if given.slips else ("streets", "numbers"):
        lost = missing(session, county, rows, what=what, rng=rng, most=most, known=known,
                       grids=grids)  # fmt: skip
        report(f"{name}, {what} that are not there", lost)
        got += lost
    if given.choose:
        thresholds(name, got)


def neighbours(session: Session, name: str, county: str, grids: Locator) -> None:
    """Of how many house numbers a slip makes another one of the street, too far off to be right.

    And of how many one in another grid, however near.
    """
    rows = session.execute(
        sa.text("SELECT street_key, left(area_code, 9) AS town, number, ST_X(geom) AS lon, "
                "ST_Y(geom) AS lat FROM addresses WHERE county_code = :county "
                "AND number_to IS NULL AND number IS NOT NULL AND street_key IS NOT NULL"),
        {"county": county},
    ).all()  # fmt: skip
    streets: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for row in rows:
        there = streets.setdefault((row.street_key, row.town), {})
        there.setdefault(str(row.number), (row.lon, row.lat))
    counts: Counter[str] = Counter()
    elsewhere: Counter[str] = Counter()
    for row in rows:
        there = streets[row.street_key, row.town]
        hit = {
            kind
            for kind, made in slips.of_number(row.number).items()
            if any(each in there and distance_m(row.lon, row.lat, *there[each]) > RIGHT_M
                   for each in made)
        }  # fmt: skip
        counts.update(hit | ({"any"} if hit else set()))
        own = grids.locate_one(row.lon, row.lat)
        away = {
            kind
            for kind, made in slips.of_number(row.number).items()
            if any(each in there and grids.locate_one(*there[each]) != own for each in made)
        }
        elsewhere.update(away | ({"any"} if away else set()))
    told = ", ".join(f"{kind} {n / len(rows):.1%}" for kind, n in counts.most_common())
    print(f"{name}: of {len(rows)} numbers a slip of a figure is another one of: {told}")
    told = ", ".join(f"{kind} {n / len(rows):.1%}" for kind, n in elsewhere.most_common())
    print(f"    another one in another grid: {told}")


def searches(database: Database, given: argparse.Namespace) -> None:
    half = "chosen on" if given.choose else "held out"
    print(f"the half that is {half}")
    heads = "".join(
        f"{each:>8}  " for each in ("right", "sure", "wrong", "astray", "another", "w/o")
    )
    print(f"{'':48} {'n':>6} {heads}{'ms':>6}")
    for name, county in [*((name, county) for name, (county, _) in SETS.items()), ("demo", DEMO)]:
        if given.only and given.only != name:
            continue
        with database.transaction(timeout_s=0) as session:
            # The gazetteers of three places: a county sees its own.
            for table in ("addresses", "address_names"):
                session.execute(sa.text(f"DELETE FROM {table} WHERE county_code <> :county"),
                                {"county": county})  # fmt: skip
            most = given.demo if county == DEMO else given.most
            grids = grids_of(session, county)
            if given.neighbours:
                neighbours(session, name, county, grids)
                session.rollback()
                continue
            evaluate(session, name, county, half=half, most=most, given=given,
                     grids=grids)  # fmt: skip
            session.rollback()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=int, default=2000, help="houses of the demo asked for")
    parser.add_argument("--most", type=int, default=100_000, help="houses of each extract")
    parser.add_argument("--only", help="one of the sets: San Francisco, Monaco, demo")
    parser.add_argument("--choose", action="store_true", help="look at the half to choose on")
    parser.add_argument("--slips", action="store_true", help="only the addresses with a slip")
    parser.add_argument(
        "--neighbours", action="store_true", help="only how many numbers are a slip from another"
    )
    parser.add_argument("--peers", help="a Python that has cpca and jionlp")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--kept", type=Path, help="a folder whose gazetteers are used again")
    given = parser.parse_args()
    ours(DATA)
    if given.peers:
        peers(given.peers)
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=given.folder) as folder:
        Path(folder).chmod(0o755)
        home = given.kept or Path(folder)
        is_new = not (home / "data").exists()
        with Database.open(DatabaseSettings(data_dir=home / "data")) as database:
            schema.upgrade(database)
            if is_new:
                fill(database)
                fill_demo(database)
            searches(database, given)


if __name__ == "__main__":
    main()
