"""From the cell graph to a grid for every cell: seed, anneal, recombine, polish.

Knows nothing of polygons or files: this is the part that is measured against graph partitioners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from grids.redistricting.annealing import STEPS, anneal
from grids.redistricting.chains import exchange
from grids.redistricting.compiled import Flags, Floats, Ints, Labels, State, random_state
from grids.redistricting.continuing import continued, with_counts
from grids.redistricting.division import Division, Network, empty_roll, enrol, scratch_for
from grids.redistricting.graph import CellGraph
from grids.redistricting.memory import give_back
from grids.redistricting.packing import PINNED, repack
from grids.redistricting.recombination import recombine
from grids.redistricting.rules import BARRIER_KINDS, INSIST, KEEP, Effort, Prices
from grids.redistricting.seeding import lay_out
from grids.redistricting.settling import settle_all
from grids.redistricting.shapes import Shapes, mend
from grids.redistricting.superblocks import group_superblocks
from grids.redistricting.ties import Ties, Wiring, wire

SLACK = 0.06
"""Share by which the mean grid of a group of superblocks may deviate from the target."""

SLICES = 8
"""Pieces in which a pass over the whole plan is made; between them it can be stopped."""

LONGER = 6
"""How many times as long a plan is refined in which cells are tied to others far away."""

COARSE, LONGEST = 10, 12
"""Cells to a grid below which single moves hardly help, and how many times as long a plan is then
refined."""
FEW = 7
"""Cells to a grid below which it is settled instead: a few grids can be divided exactly."""

AGAIN = 8
"""Rounds in which what is out of its band is mended again between two passes of settling."""

FINE, ROUGH, DEARER, DEAREST = 0.32, 0.40, 15.0, 18.0
"""Coarseness of buildings from which balance is dearer, up to which it becomes so, and by what part
of its price for each 1 of it, the last where a plan is settled; chosen on made towns, see
`bench/README.md`."""
NEVER, MUCH_DEARER = ("rail", "river"), 10.0
"""What no evener load is worth having inside a grid, and how many times its price is then."""

HOT, HOT_FAR = 0.3, 0.6
"""Temperatures cooling starts from, in prices; the second where cells are tied to others far away
or steps are counted by travel, which colder moves do not bring together."""

Progress = Callable[[str, float], None]

_RELUCTANCE = {"street": 0.4, "arterial": 1.2, "wall": 1.2, "rail": 2.0, "river": 2.0}
"""What a tree edge over a barrier is put back by, in lengths of the random keys' range."""


def fair_counts(graph: CellGraph, target: float, tolerance: float) -> tuple[Ints, Floats]:
    """Number of grids and fair load of each component of the walk graph.

    A cell above the band makes a grid of its own; the rest is divided into the number of grids
    whose mean deviates least from the target.
    """
    return _fair_counts(graph.households, graph.component, target, tolerance)


def _fair_counts(
    households: Ints, part: Ints | Labels, target: float, tolerance: float
) -> tuple[Ints, Floats]:
    number = int(part.max()) + 1
    large = households > target * (1 + tolerance)
    alone = np.bincount(part[large], minlength=number)
    rest = np.bincount(part, np.where(large, 0, households), number)
    settled = np.bincount(part, households > 0, number) - alone
    few = np.clip(np.floor(rest / target), 1, None)
    with np.errstate(divide="ignore"):
        many_is_nearer = np.abs(rest / (few + 1) / target - 1) < np.abs(rest / few / target - 1)
    count = np.minimum(few + many_is_nearer, np.maximum(settled, 1))
    # What is left beside a large building is a grid only when it comes to half of one.
    scraps = (rest < 0.5 * target) & (alone > 0)
    count = np.where(scraps, 0, count)
    fair = np.where(count > 0, rest / np.maximum(count, 1), target)
    return np.maximum(count + alone, 1).astype(np.int64), fair


def coarseness(households: Ints, target: float, tolerance: float) -> float:
    """Size of the building a household lives in, on average, in parts of the target.

    Buildings above the band are left out: no search changes their grids. 0 without households.
    """
    small = households[households <= target * (1 + tolerance)].astype(float)
    total = small.sum()
    return float((small * small).sum() / total / target) if total > 0 else 0.0


def _prices(
    graph: CellGraph, target: float, tolerance: float, prices: Prices, dearer: float
) -> Prices:
    """Prices for buildings so coarse.

    Where a handful of buildings makes a grid, the next better load is several per cent away, and
    the price that evens out small buildings leaves grids near the edge of their band.
    """
    beyond = min(coarseness(graph.households, target, tolerance), ROUGH) - FINE
    if beyond <= 0:
        return prices
    inside = {
        kind: price * (MUCH_DEARER if kind in NEVER else 1) for kind, price in prices.inside.items()
    }
    return replace(prices, balance=prices.balance * (1 + dearer * beyond), inside=inside)


def divide(  # noqa: PLR0912, PLR0915 - the search from end to end
    graph: CellGraph,
    *,
    target: float,
    tolerance: float,
    generator: np.random.Generator,
    prices: Prices,
    effort: Effort,
    progress: Progress | None = None,
    counts: Ints | None = None,
    before: Ints | None = None,
    keep: float = KEEP,
    pinned: Flags | None = None,
    second: Floats | None = None,
    second_weight: float = 1.0,
    is_over: Callable[[], bool] | None = None,
    ties: Ties | None = None,
    steps: Floats | None = None,
    shapes: Shapes | None = None,
) -> Division:
    """Give every cell a grid; each grid is contiguous on the walk graph.

    Grids are numbered from 0 without gaps, in no particular order. The same graph, figures and
    generator state give the same division.

    Parameters
    ----------
    counts
        Grids each component of the walk graph must have, exactly; as many as fit best for None.
    before
        Grid of each cell in the plan to start from, -1 for none.
    keep
        Price of each household that goes to another grid than in `before`.
    pinned
        Whether each cell must stay in its grid of `before`.
    second, second_weight
        Another measure of each cell to be balanced (incidents, key places), and how much it
        weighs beside households.
    is_over
        Asked between steps; the search ends early when it says so.
    ties
        Cells that should lie in one grid though they do not touch.
    steps
        Metres each edge of the graph counts; else as straight lines, and by the barriers crossed.
    shapes
        Limits of shape: grids beyond them are mended at the end.
    """
    tell = progress or (lambda _stage, _share: None)
    over = is_over or (lambda: False)
    state = random_state(generator)
    wanted, fair = fair_counts(graph, target, tolerance)
    if counts is not None:
        wanted, fair = counts, _fair_loads(graph, counts, target, tolerance)
    # A second measure would be forgotten, and an older plan left behind.
    refines = before is None and (second is None or second.sum() <= 0)
    settles = refines and effort.refine > 0 and bool(graph.size < FEW * wanted.sum())
    if before is None:
        # An older plan is changed where it breaks a rule; to even it out would move too many.
        prices = _prices(graph, target, tolerance, prices, DEAREST if settles else DEARER)
    weighted = graph.border_prices(prices)
    wiring = wire(graph, ties)
    tell("laying out", 0.0)
    if before is None:
        label = _laid_out(
            graph,
            wiring,
            weighted=weighted,
            steps=graph.step_lengths(prices) if steps is None else steps,
            wanted=wanted,
            target=target,
            tolerance=tolerance,
            prices=prices,
            counts=counts,
            state=state,
        )
    else:
        label = continued(graph, before)
    if counts is not None:
        label = with_counts(graph, label, counts)
    division = _division(graph, label, fair, target, tolerance, wanted=int(wanted.sum()))
    home, stay = np.full(graph.size, -1, dtype=np.int32), np.zeros(graph.size)
    if before is not None:
        known = before >= 0
        home[known] = label[known]
        stay[known] = keep * (graph.households[known] + 0.5)
    if pinned is not None:
        home[pinned], stay[pinned] = label[pinned], PINNED
    network = Network(
        wiring.starts,
        wiring.ends,
        wiring.walk,
        wiring.priced(_scaled(graph, weighted, division), prices.apart),
        graph.households,
        home,
        stay,
    )
    roll, scratch = empty_roll(division), scratch_for(graph.size)
    steep = np.array([prices.balance, prices.beyond, prices.broken])
    everywhere = np.arange(graph.size, dtype=np.int32)
    weight = np.empty(0)
    if second is not None and second.sum() > 0:
        weight = second / (second.sum() / (int(label.max()) + 1))

    def polish(sweeps: int, hot: float, cold: float) -> None:
        """Single moves all over the plan, in slices, so that it can be stopped."""
        factor = (cold / hot) ** (1 / SLICES)
        for turn in range(SLICES):
            tell("annealing", 0.1 + 0.4 * turn / SLICES)
            if over():
                return
            anneal(
                network,
                division,
                float(target),
                steep,
                everywhere,
                sweeps * graph.size // SLICES,
                hot * factor**turn,
                factor ** (1 / STEPS),
                weight,
                second_weight * prices.balance,
                scratch,
                state,
            )

    # Laying out takes arrays as large as the graph, and the C library keeps their room.
    give_back()
    if before is None:
        polish(effort.sweeps, HOT_FAR if wiring.is_tie.any() or steps is not None else HOT, 0.02)
    steep[2] *= INSIST
    reluctance = wiring.priced(_reluctance(graph, steps), 0.0)
    is_elastic = counts is None
    # A plan that changes little gives up sooner on what it cannot mend; one that is settled comes
    # back to it.
    patience = effort.patience if before is None else effort.patience // 4
    if settles:
        patience = effort.patience // 8

    def mend_loads(rounds: int, patience: int, stage: str, since: float) -> None:
        """Chains, packings and recombination around grids out of their band."""
        fewest, idle = graph.size, 0
        for turn in range(rounds):
            tell(stage, since + (1 - since) * turn / rounds)
            out = _mendable(graph, division)
            idle = 0 if len(out) < fewest else idle + 1
            fewest = min(fewest, len(out))
            if not len(out) or idle > patience or over():
                break
            hot = max(0.03, 0.25 * 0.9**turn)
            enrol(division.label, roll)
            exchange(
                generator.permutation(out),
                network,
                division,
                roll,
                float(target),
                steep,
                effort.chains,
                0.5 * hot,
                scratch,
                state,
            )
            repack(
                generator.permutation(_mendable(graph, division)),
                network,
                division,
                roll,
                float(target),
                steep,
                effort.packings,
                effort.nodes,
                is_elastic,
                state,
            )
            recombine(
                generator.permutation(_mendable(graph, division)),
                network,
                reluctance,
                division,
                roll,
                float(target),
                steep,
                effort.trees,
                effort.polish,
                # Now and then more grids at once, whose number may change where a few cannot.
                8 if turn % 4 == 3 else 3,
                hot,
                (0.02 / max(hot, 0.021)) ** (1 / STEPS),
                0.05,
                is_elastic,
                scratch,
                state,
            )
            if turn % 4 == 3 and before is None:
                polish(effort.polish // 4, min(hot, 0.08), 0.02)

    mend_loads(effort.rounds, patience, "recombining", 0.5)
    # What moves of single cells do not find: straighter borders, evener loads, camps joined.
    again = effort.refine if refines and not settles else 0
    if graph.size < COARSE * np.count_nonzero(division.members):
        again *= LONGEST
    elif wiring.is_tie.any():
        again *= LONGER
    for turn in range(again):
        tell("refining", 0.9 + 0.05 * turn / again)
        if over():
            break
        enrol(division.label, roll)
        recombine(
            generator.permutation(np.flatnonzero(division.members)),
            network,
            reluctance,
            division,
            roll,
            float(target),
            steep,
            max(1, effort.trees // 6),
            effort.polish // 4,
            2,
            hot := max(0.03, 0.25 * 0.9**turn),
            (0.02 / hot) ** (1 / STEPS),
            0.05,
            is_elastic,
            scratch,
            state,
        )
    # Cold enough that no grid leaves its band any more: evens loads out and straightens borders.
    polish(effort.sweeps // 2 if before is None else effort.polish, 0.15, 0.002)
    if settles:
        settle_all(
            network,
            division,
            roll,
            target=float(target),
            steep=steep,
            passes=2 * effort.refine - 1,
            generator=generator,
            state=state,
            is_over=over,
            between=lambda: mend_loads(AGAIN, AGAIN // 2, "refining", 0.9),
        )
    if shapes is not None:
        tell("mending shapes", 0.95)
        mend(
            shapes,
            network,
            reluctance,
            division,
            roll,
            target=float(target),
            steep=steep,
            effort=effort,
            is_elastic=is_elastic,
            scratch=scratch,
            generator=generator,
            state=state,
            is_over=over,
        )
    tell("done", 1.0)
    label = np.unique(division.label, return_inverse=True)[1].astype(np.int32)
    return _division(graph, label, fair, target, tolerance)


def _fair_loads(graph: CellGraph, counts: Ints, target: float, tolerance: float) -> Floats:
    """Fair load of each component that has so many grids."""
    number = len(counts)
    large = graph.households > target * (1 + tolerance)
    alone = np.bincount(graph.component[large], minlength=number)
    rest = np.bincount(graph.component, np.where(large, 0, graph.households), number)
    return np.where(counts > alone, rest / np.maximum(counts - alone, 1), target)


def _laid_out(
    graph: CellGraph,
    wiring: Wiring,
    *,
    weighted: Floats,
    steps: Floats,
    wanted: Ints,
    target: float,
    tolerance: float,
    prices: Prices,
    counts: Ints | None,
    state: State,
) -> Labels:
    """First layout: by superblocks, or by components where their grids are counted."""
    # A building too large for a grid fills one on its own.
    weight = np.where(graph.households > target * (1 + tolerance), round(target), graph.households)
    group: Ints = graph.component.astype(np.int64)
    if counts is None:
        group = group_superblocks(graph, weight, target, SLACK, prices)
        wanted, _ = _fair_counts(graph.households, group, target, tolerance)
    order = np.argsort(group, kind="stable").astype(np.int32)
    return lay_out(
        order,
        np.searchsorted(group[order], np.arange(len(wanted) + 1)),
        wanted,
        wiring.starts,
        wiring.ends,
        wiring.walk,
        wiring.priced(steps, 0.0),
        # A tie is priced like a border as long as it costs.
        wiring.priced(weighted, prices.apart * np.sqrt(graph.area_m2.sum() / wanted.sum())),
        weight,
        graph.area_m2,
        graph.x,
        graph.y,
        4 if not wiring.is_tie.any() else 8,
        prices.balance,
        state,
    )


def _mendable(graph: CellGraph, division: Division) -> Ints:
    """Grids beyond their band that could come into it: no building too large, not alone."""
    label, grids = division.label, len(division.load)
    largest = np.zeros(grids, dtype=np.int64)
    np.maximum.at(largest, label, graph.households)
    left = np.repeat(label, np.diff(graph.starts))
    has_neighbour = np.zeros(grids, dtype=bool)
    has_neighbour[left[graph.walk & (left != label[graph.ends])]] = True
    out = (division.load < division.low) | (division.load > division.high)
    return np.flatnonzero(out & has_neighbour & (largest <= division.high))


def _division(
    graph: CellGraph,
    label: Labels,
    fair: Floats,
    target: float,
    tolerance: float,
    *,
    wanted: int = 0,
) -> Division:
    """Division by labels, with room for `wanted` grids and some more."""
    grids = max(int(label.max()) + 1, wanted)
    room = grids + 8 + grids // 10
    component = np.zeros(room, dtype=np.int64)
    component[label] = graph.component
    centre = fair[component]
    low = np.full(room, target * (1 - tolerance) - 1e-6)
    high = np.full(room, target * (1 + tolerance) + 1e-6)
    # A place whose households do not divide into grids of the target is divided evenly.
    uneven = (centre < low) | (centre > high)
    low[uneven] = centre[uneven] * (1 - tolerance) - 1e-6
    high[uneven] = centre[uneven] * (1 + tolerance) + 1e-6
    return Division(
        label=label,
        load=np.bincount(label, graph.households, room).astype(np.int64),
        members=np.bincount(label, minlength=room).astype(np.int64),
        centre=centre,
        low=low,
        high=high,
    )


def _scaled(graph: CellGraph, weighted: Floats, division: Division) -> Floats:
    """Edge prices in sides of the ideal square grid of their place, dense or thin."""
    ground = np.bincount(division.label, graph.area_m2, len(division.load))
    side = np.sqrt(np.maximum(ground, 1.0))[division.label]
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    return np.asarray(weighted * 2 / (side[left] + side[graph.ends]))


def _reluctance(graph: CellGraph, steps: Floats | None) -> Floats:
    weights = np.array([0.0] + [_RELUCTANCE[kind] for kind in BARRIER_KINDS])
    share = graph.metres / np.maximum(graph.metres.sum(axis=1, keepdims=True), 1e-9)
    held = share @ weights + np.where(graph.same_block, 0.0, 0.1)
    if steps is not None:
        # Cuts fall where the way is long.
        held += 0.4 * np.minimum(steps / max(float(np.median(steps)), 1e-9), 3.0)
    return np.asarray(held)
