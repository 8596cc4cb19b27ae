"""What a transaction was let in to see is gone when its connection goes back to the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.access import storm

if TYPE_CHECKING:
    from tests.access.conftest import Marked


def test_sixteen_accounts_over_four_connections_never_see_each_others_rows(marked: Marked) -> None:
    found = storm.blow(marked.database, marked.place, 3_200)
    assert (found.crossed, found.missing, found.unscoped) == (0, 0, 0)
    assert sum(found.done.values()) == 3_200
    # Every kind of end was met.
    ends = ("error", "timeout", "cancel", "lost", "nobody")
    assert min(found.done[end] for end in ends) >= 20, found.done
