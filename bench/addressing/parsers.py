"""Parsers of Chinese addresses beside wangge's, on the addresses of the tests."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from grids.addresses.parsing import lexicon_of, parse
from tests.grids.addresses import cases

if TYPE_CHECKING:
    from pathlib import Path


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


def ours(data: Path) -> None:
    """The same of wangge, and how it splits street, number, building and unit."""
    units = cases.units(data)
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
