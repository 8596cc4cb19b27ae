"""The planner: cut an area into grids of equal households. Pure: no database, no files.

``draw`` makes a `Plan`; ``score`` measures any layer of grids; ``number_grids`` gives codes.
The way from layers to a plan is `checks` and `inputs` (in metres), `sites` and `linework` and
`cells` (the smallest pieces), `graph` (who touches whom, who can walk where), `search` (the
division), `borders` (exact polygons) and `explain` (what could not be kept).

Names load when they are asked for: the search brings a compiler, which costs seconds, and giving
codes to imported grids needs none of it.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from grids.redistricting.bare import divide_graph
    from grids.redistricting.limits import Cancelled
    from grids.redistricting.numbering import number_grids
    from grids.redistricting.plan import Finding, Plan
    from grids.redistricting.planner import draw
    from grids.redistricting.rules import (
        AREA_TYPES,
        EFFORTS,
        PRICES,
        AreaType,
        Effort,
        Prices,
        Speeds,
    )
    from grids.redistricting.scoring import Score, score

__all__ = [
    "AREA_TYPES",
    "EFFORTS",
    "PRICES",
    "AreaType",
    "Cancelled",
    "Effort",
    "Finding",
    "Plan",
    "Prices",
    "Score",
    "Speeds",
    "divide_graph",
    "draw",
    "number_grids",
    "score",
]

_HOME: Final = {
    "AREA_TYPES": "rules",
    "Cancelled": "limits",
    "EFFORTS": "rules",
    "PRICES": "rules",
    "AreaType": "rules",
    "Effort": "rules",
    "Finding": "plan",
    "Plan": "plan",
    "Prices": "rules",
    "Score": "scoring",
    "Speeds": "rules",
    "divide_graph": "bare",
    "draw": "planner",
    "number_grids": "numbering",
    "score": "scoring",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'grids.redistricting' has no attribute {name!r}")
    return getattr(importlib.import_module(f"grids.redistricting.{_HOME[name]}"), name)
