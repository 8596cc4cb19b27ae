"""Hot spots do not leave the case team, and what may leave instead.

The class of a grid tells whether the sum of its window is above a bound that can be reckoned from
the other figures. By overlapping windows, weeks and sets of categories such bounds close in on a
single count. Hiding what would be needed to stop that leaves nothing of a map of hot spots, and the
attention list tells small counts in its reasons. A grid map of a quarter is made for leaving.
"""

from __future__ import annotations

from gis.errors import BadInput, Problem


def refuse_shared(field: str = "shared") -> None:
    """Refuse to make a map of hot spots or an attention list for outside the case team.

    Raises
    ------
    BadInput
        Always; it says what can be shared instead.
    """
    raise BadInput(
        Problem(
            "hot spots and attention lists do not leave the case team: from their classes and "
            "reasons counts of single incidents can be worked out",
            "Share a grid map or a density of a finished quarter: 'wangge gridmap --share', "
            "/api/v1/gridmaps?shared=true",
            field=field,
        )
    )
