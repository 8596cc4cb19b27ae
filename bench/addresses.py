"""How well addresses are found: ``python -m bench.addresses``.

The house numbers of the OpenStreetMap extracts of San Francisco and Monaco, and a sample of the
demo county's buildings, each asked for as it is written, in short forms, with one typing error made
by a seeded generator, and with a fifth of the streets or of the numbers taken out of the gazetteer.
An answer is right within 100 m of the true place; sure and not right is wrong. Beside it what cpca
and jionlp make of the addresses of ``tests/grids/addresses/cases.py``, where ``--peers`` names a
Python that has them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data import schema
from data.importers.run import run_import
from data.sample.files import write
from data.sample.place import build
from gis.database import Database
from gis.settings import DatabaseSettings
from grids.addresses import latin
from grids.addresses.candidates import distance_m
from grids.addresses.gazetteer import OF_BUILDINGS
from grids.addresses.parsing import lexicon_of, parse, whole_key
from grids.addresses.search import search
from tests.grids.addresses import cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

DATA = Path(os.environ.get("WANGGE_REAL_DATA", "../shared/data"))
SETS = {
    "San Francisco": ("990601", "osm_san_francisco/san_francisco.osm.pbf"),
    "Monaco": ("990602", "osm_monaco/monaco.osm.pbf"),
}
DEMO = "990121"
RIGHT_M = 100.0
SEED = 20261126
# Neighbours on the keyboard.
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEXT = {
    c: "".join(row[max(0, i - 1) : i] + row[i + 1 : i + 2])
    for row in ROWS
    for i, c in enumerate(row)
}
SHORT = {long: short for short, long in reversed(latin.TYPES.items())} | {
    long: short for short, long in latin.DIRECTIONS.items() if len(short) == 1
}
HAN = "东西南北中大小新民和平安兴建设光明华文路街巷图格标高"

Asked = tuple[str, float, float]


def slip(text: str, places: list[int], rng: random.Random) -> str:
    """One character left out, doubled, exchanged with the next or struck beside."""
    at = rng.choice(places)
    kind = rng.choice(("out", "twice", "swap", "beside"))
    c = text[at]
    if kind == "out":
        return text[:at] + text[at + 1 :]
    if kind == "twice":
        return text[:at] + c + text[at:]
    if kind == "swap" and at + 1 in places and text[at + 1] != c:
        return text[:at] + text[at + 1] + c + text[at + 2 :]
    if c.isdigit():
        other = rng.choice([d for d in "0123456789" if d != c])
    elif c.isascii():
        other = rng.choice(NEXT.get(c.lower(), "e") or "e")
    else:
        other = rng.choice([h for h in HAN if h != c])
    return text[:at] + other + text[at + 1 :]


def letters(text: str) -> list[int]:
    """Places of a name's letters."""
    return [at for at, c in enumerate(text) if c.isalpha()]


def anywhere(text: str) -> list[int]:
    """Places of letters and figures."""
    return [at for at, c in enumerate(text) if c.isalnum()]


def shortened(text: str) -> str:
    """With the short forms that mail is addressed with."""
    return " ".join(SHORT.get(latin.folded(word), word) for word in text.split(" "))


def report(name: str, found: list[tuple[bool, bool, bool, bool, float]]) -> None:
    """One line of the table."""
    n = len(found)
    share = [f"{sum(each[i] for each in found) / n:8.2%}" for i in range(4)]
    print(f"{name:42} {n:6} {'  '.join(share)}  {statistics.median(f[4] for f in found):6.1f}")


def ask(
    session: Session, asked: list[Asked], known: set[str]
) -> list[tuple[bool, bool, bool, bool, float]]:
    """Of each: whether the first is right, sure, sure and wrong, another's address; ms."""
    out = []
    for text, lon, lat in asked:
        start = time.perf_counter()
        answers = search(session, text)
        took = 1000 * (time.perf_counter() - start)
        first = answers[0] if answers else None
        right = first is not None and distance_m(first.lon, first.lat, lon, lat) <= RIGHT_M
        sure = first is not None and first.is_confident
        wrong = sure and not right
        out.append((right, sure, wrong, wrong and whole_key(text) in known, took))
    return out


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


def fill_demo(database: Database) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = write(build(seed=1, until=date(2026, 6, 30)), Path(folder))
        for kind in ("units", "barriers", "buildings"):
            run_import(kind, files[kind], database=database, commit=True, source="demo",
                       county=None if kind == "units" else DEMO)  # fmt: skip


def truths(session: Session, county: str, *, of_buildings: bool) -> list[Asked]:
    rows = session.execute(
        sa.text(
            "SELECT label, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM addresses "
            "WHERE county_code = :county AND (source = :source) = :is_of_buildings "
            "AND number_to IS NULL AND number IS NOT NULL ORDER BY id"
        ),
        {"county": county, "source": OF_BUILDINGS, "is_of_buildings": of_buildings},
    )
    return [(row.label, row.lon, row.lat) for row in rows]


def evaluate(session: Session, name: str, asked: list[Asked], change: Callable[[str], str]) -> None:
    known = {whole_key(label) for label in session.scalars(sa.text("SELECT label FROM addresses"))}
    report(name, ask(session, [(change(text), lon, lat) for text, lon, lat in asked], known))


def held_out(session: Session, name: str, county: str, *, what: str, most: int) -> None:
    """Ask for what is not there: a fifth of the streets, or of the numbers, taken away before."""
    rng = random.Random(SEED)
    rows = session.execute(
        sa.text("SELECT id, label, street_key, ST_X(geom), ST_Y(geom) FROM addresses "
                "WHERE county_code = :county AND number IS NOT NULL AND street_key IS NOT NULL "
                "AND number_to IS NULL ORDER BY id"),
        {"county": county},
    ).all()  # fmt: skip
    keys = sorted({row.street_key for row in rows})
    gone = set(rng.sample(keys, len(keys) // 5)) if what == "streets" else set()
    out = set(rng.sample([row.id for row in rows], len(rows) // 5)) if not gone else set()
    asked = [row for row in rows if row.street_key in gone or row.id in out]
    with session.begin_nested() as before:
        session.execute(sa.text("DELETE FROM addresses WHERE id = ANY(:ids)"),
                        {"ids": [row.id for row in asked]})  # fmt: skip
        session.execute(
            sa.text("DELETE FROM address_names WHERE county_code = :county AND key = ANY(:gone)"),
            {"county": county, "gone": sorted(gone)},
        )
        chosen = rng.sample(asked, min(most, len(asked)))
        evaluate(session, f"{name}, {what} that are not there",
                 [(row[1], row[3], row[4]) for row in chosen], str)  # fmt: skip
        before.rollback()


def without_divisions(text: str) -> str:
    return re.sub(r"^示范旗(示范街道|..镇|..苏木)", "", text)


def peers(python: str) -> None:
    """County and town that cpca and jionlp find, asked in a Python of their own."""
    program = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "texts = json.load(sys.stdin); out = {}\n"
        "import cpca\n"
        "frame = cpca.transform(texts)\n"
        "out['cpca'] = [[r['区'], None, None] for _, r in frame.iterrows()]\n"
        "import jionlp\n"
        "found = [jionlp.parse_location(t, town_village=True) for t in texts]\n"
        "out['jionlp'] = [[f['county'], f['town'], f['village']] for f in found]\n"
        "sys.__stdout__.write('\\n' + json.dumps(out))\n"
    )
    done = subprocess.run(
        [python, "-c", program], input=json.dumps([case.text for case in cases.CASES]),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print("peers: ", done.stderr.strip().splitlines()[-1])
        return
    for peer, found in json.loads(done.stdout.splitlines()[-1]).items():
        both = list(zip(found, cases.CASES, strict=True))
        counties = sum(f[0] == case.county for f, case in both)
        towns = sum(f[1] == case.town for f, case in both)
        villages = sum(f[2] == case.village for f, case in both if case.village)
        named = sum(bool(case.village) for case in cases.CASES)
        print(f"{peer:10} county {counties} of {len(both)}, town {towns}, "
              f"village {villages} of {named}, the rest left in one piece")  # fmt: skip


def ours() -> None:
    units = cases.units(DATA)
    names = dict(units)
    lexicon = lexicon_of(units)
    right: dict[str, int] = {"county": 0, "town": 0, "village": 0, "split": 0}
    for case in cases.CASES:
        found: Any = parse(case.text, lexicon)
        code = found.codes[0] if len(found.codes) == 1 else ""
        right["county"] += names.get(code[:6]) == case.county
        right["town"] += names.get(code[:9]) == case.town
        right["village"] += any(d.value == case.village for d in found.divisions) and bool(
            case.village
        )
        right["split"] += case.split == cases.split_of(found)
    villages = sum(bool(case.village) for case in cases.CASES)
    print(f"wangge     county {right['county']} of {len(cases.CASES)}, town {right['town']}, "
          f"village {right['village']} of {villages}, "
          f"street/number/building/unit {right['split']}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=int, default=2000, help="buildings of the demo asked for")
    parser.add_argument("--most", type=int, default=100_000, help="of each extract")
    parser.add_argument("--peers", help="a Python that has cpca and jionlp")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    given = parser.parse_args()
    ours()
    if given.peers:
        peers(given.peers)
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=given.folder) as folder:
        Path(folder).chmod(0o755)
        with Database.open(DatabaseSettings(data_dir=Path(folder) / "data")) as database:
            searches(database, given)


def searches(database: Database, given: argparse.Namespace) -> None:
    schema.upgrade(database)
    fill(database)
    print(f"{'':42} {'n':>6} {'right':>8}  {'sure':>8}  {'wrong':>8}  {'other':>8}  {'ms':>6}")
    for name, (county, _) in SETS.items():
        with database.transaction(timeout_s=0) as session:
            asked = truths(session, county, of_buildings=False)
            random.Random(SEED).shuffle(asked)
            several(session, name, county, asked[: given.most])
    with database.transaction() as session:
        session.execute(sa.text("TRUNCATE addresses, address_names"))
    fill_demo(database)
    with database.transaction(timeout_s=0) as session:
        asked = truths(session, DEMO, of_buildings=True)
        several(session, "demo", DEMO, random.Random(SEED).sample(asked, given.demo))


def several(session: Session, name: str, county: str, asked: list[Asked]) -> None:
    rng = random.Random(SEED)
    evaluate(session, f"{name}, as written", asked, str)
    short = without_divisions if county == DEMO else shortened
    evaluate(session, f"{name}, in short", asked, short)
    evaluate(session, f"{name}, a slip in the name", asked, lambda t: slip(t, letters(t), rng))
    evaluate(session, f"{name}, a slip anywhere", asked, lambda t: slip(t, anywhere(t), rng))
    for what in ("streets", "numbers"):
        held_out(session, name, county, what=what, most=len(asked))


if __name__ == "__main__":
    main()
