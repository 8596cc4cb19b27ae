"""Every role in every area asks every endpoint and tile layer: what is shown is what the rules say.

Rows are found in answers by their marks (``place.py``), the rules stand in ``rules.py``, the
requests and their answers in ``questions.py`` and the files that it puts together.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from tests.access.place import CALLERS, Caller
from tests.access.questions import questions

if TYPE_CHECKING:
    from tests.access.conftest import Marked


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.login)
def test_matrix(marked: Marked, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    wrong = []
    for asked in questions(marked.place, caller):
        answer = marked.ask(caller, asked.method, asked.path, asked.query, body=asked.body)
        # What a request itself names may come back in its answer.
        sent = marked.place.found(f"{asked.path}?{asked.query}".encode() + (asked.body or b""))
        shown = marked.place.found(answer.whole)
        if answer.status != asked.status:
            told = f"{answer.status}, not {asked.status}: {answer.body[:300]!r}"
        elif (shown - sent - asked.marks) or (not asked.at_most and asked.marks - shown - sent):
            told = (
                f"shows {sorted(shown - asked.marks - sent)}, "
                f"not {sorted(asked.marks - shown - sent)}"
            )
        else:
            told = asked.look(answer)
        if told:
            wrong.append(f"{asked.name}: {told}")
    assert not wrong, "\n".join(wrong)
    # The account of who was refused, also of one before who is counted now; nothing else.
    told = re.sub(r" who=account:[\w-]+ role=", " role=", caplog.text)
    assert not marked.place.found(told.encode()), "the log names rows"
