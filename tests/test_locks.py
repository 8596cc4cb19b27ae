"""What ``./run`` relies on in the lock files."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock")


def test_a_larger_lock_holds_all_of_the_smaller() -> None:
    pins = [
        set(re.findall(r"^\S+==\S+", (REPOSITORY / lock).read_text(encoding="utf-8"), re.MULTILINE))
        for lock in LOCKS
    ]
    assert len(pins[0]) > 30
    for smaller, larger in pairwise(pins):
        assert smaller - larger == set()
