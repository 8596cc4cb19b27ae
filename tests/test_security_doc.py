"""docs/security.md answers every requirement of ASVS 5.0 level 2, and names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
TEXT = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+) \|$", TEXT, re.MULTILINE)

# Requirements of levels 1 and 2 in each section; the standard numbers them from 1 and puts those
# of level 3 last.
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
    "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
    "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip
STATUS = re.compile(r"(met|operator|n/a|not met): \S.{3,}")
NAMED = re.compile(r"`([\w./-]+\.\w+)(?:::(\w+))?`")


def test_every_requirement_has_one_line() -> None:
    wanted = [
        f"{section}.{number}"
        for section, count in SECTIONS.items()
        for number in range(1, count + 1)
    ]
    assert len(wanted) == 253
    assert [number for number, _, _ in ROWS] == wanted


def test_no_line_is_blank_and_each_says_why() -> None:
    for number, asks, status in ROWS:
        assert len(asks) > 3, number
        assert STATUS.fullmatch(status), number
        if status.startswith("met:"):
            assert NAMED.search(status), f"{number}: what is met names its test or file"


@pytest.mark.parametrize(
    ("path", "name"), sorted({each for _, _, status in ROWS for each in NAMED.findall(status)})
)
def test_what_is_named_is_there(path: str, name: str) -> None:
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    if name:
        assert re.search(rf"^ *(?:def|class) {name}\b", text, re.MULTILINE), f"{path}::{name}"
