"""What a plan is asked to be: size norms by area type, barrier kinds and the prices of the search.

All of it is data: a size norm or a price is changed here or passed in, never coded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

BARRIER_KINDS: Final = ("street", "arterial", "wall", "rail", "river")
"""Barrier kinds, weakest first: where two lie on one line the later one counts."""

CLOSED_KINDS: Final = ("rail", "river")
"""Kinds that cannot be crossed on foot except at a bridge."""

BRIDGE: Final = "bridge"
BRIDGE_REACH_M: Final = 30.0
"""A bridge opens the river or rail edges within this distance of it, in metres."""

NODE_M: Final = 0.01
"""Grid on which all lines are noded, in metres; no vertex moves further than this."""


@dataclass(frozen=True, slots=True)
class AreaType:
    """Size norm of a kind of place.

    Attributes
    ----------
    target
        Households a grid should have.
    tolerance
        Largest deviation from it that passes, as a share (0.10 is 10 %).
    """

    target: int
    tolerance: float


AREA_TYPES: Final = MappingProxyType(
    {
        "urban": AreaType(300, 0.10),
        "micro": AreaType(100, 0.10),
        "rural": AreaType(40, 0.25),
        "pastoral": AreaType(25, 0.20),
    }
)
"""Norms from practice, by area type of a unit: 300 households; about 100; 30-50 in villages; 20-30
herder households."""


def _inside() -> dict[str, float]:
    return {"street": 0.1, "arterial": 4.0, "wall": 4.0, "rail": 40.0, "river": 40.0}


def _crossing() -> dict[str, float]:
    return {"street": 15.0, "arterial": 150.0, "wall": 150.0, "rail": 300.0, "river": 300.0}


@dataclass(frozen=True, slots=True)
class Prices:
    """What the search pays for; lengths are counted in sides of the ideal square grid.

    Attributes
    ----------
    border
        One side's length of border between two grids.
    block_cut
        Extra for border that runs inside a block instead of along a barrier.
    inside
        One side's length of barrier, by kind, left inside a grid.
    crossing_m
        Metres a step over a barrier counts when grids are first laid out.
    balance
        Squared deviation from the fair share (1 is 100 %); up to 2.4 times as much in a plan drawn
        afresh of coarse buildings (`search.coarseness`).
    beyond
        Each 100 % of the target beyond the tolerance.
    broken
        A grid being beyond the tolerance at all.
    apart
        A household whose camp lies in another grid than its home.
    """

    border: float = 1.6
    block_cut: float = 0.1
    inside: dict[str, float] = field(default_factory=_inside)
    crossing_m: dict[str, float] = field(default_factory=_crossing)
    balance: float = 90.0
    beyond: float = 60.0
    broken: float = 3.0
    apart: float = 0.6


@dataclass(frozen=True, slots=True)
class Speeds:
    """How fast one travels where nobody walks, km/h: assumptions, to be set for the place.

    Attributes
    ----------
    open_kmh
        Over open ground, off any road.
    street_kmh, arterial_kmh
        Along barriers of these kinds, which are tracks and made roads there.
    """

    open_kmh: float = 20.0
    street_kmh: float = 40.0
    arterial_kmh: float = 70.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: sweeps are attempted moves per cell.

    Attributes
    ----------
    sweeps
        Moves tried per cell while cooling from the seed.
    polish
        Moves tried per cell of the places touched by each recombination round.
    rounds
        Rounds of recombination over the grids that are out of tolerance.
    patience
        Rounds without one grid fewer out of tolerance after which it gives up.
    trees
        Random spanning trees tried for each recombination.
    chains
        Chains of moves tried from each grid that is out of tolerance, each round.
    refine
        Rounds of recombination over all grids, before the last polish of a plan drawn afresh.
    packings, nodes
        Grounds packed anew for each of them, each round, and steps of the search in each.
    """

    sweeps: int = 1000
    polish: int = 120
    rounds: int = 300
    patience: int = 60
    trees: int = 60
    chains: int = 100
    refine: int = 3
    packings: int = 10
    nodes: int = 100


EFFORTS: Final = MappingProxyType(
    {
        "quick": Effort(sweeps=300, rounds=40, patience=12, chains=40, refine=1, packings=4),
        "normal": Effort(),
        "thorough": Effort(
            sweeps=4000, rounds=1500, patience=300, trees=120, refine=12, packings=20
        ),
    }
)
"""Efforts by name."""

PRICES: Final = MappingProxyType(
    {
        "urban": Prices(),
        "micro": Prices(block_cut=0.4),
        # Lanes hardly divide a village; its parts hang together across them.
        "rural": Prices(
            border=1.2,
            inside={"street": 0.0, "arterial": 2.0, "wall": 1.0, "rail": 40.0, "river": 40.0},
        ),
        # Roads bring herders together; rivers and rail still part them, by a day's ride.
        "pastoral": Prices(
            border=1.6,
            block_cut=0.0,
            inside={"street": 0.0, "arterial": 0.0, "wall": 0.0, "rail": 40.0, "river": 40.0},
            crossing_m={
                "street": 0.0,
                "arterial": 0.0,
                "wall": 0.0,
                "rail": 3000.0,
                "river": 3000.0,
            },
        ),
    }
)
"""Prices by area type."""

GROUND: Final = "area_m2"
"""The second measure that needs no column: the ground of each grid."""
TAKEN: Final = frozenset(
    {"code", "unit", "households", "buildings", "target", "tolerance", "deviation", "compactness",
     "geometry"}
)  # fmt: skip
"""Columns of the grids, which a second measure cannot be called."""
KEEP: Final = 0.2
"""Price of each household that a new plan gives to another grid than the plan before."""
CURVE: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Prices that a curve of changes tries beside that of the plan."""

INSIST: Final = 10.0
"""How much dearer a grid beyond its band is while grids are being mended than while cooling."""
