"""Why a grid has more or fewer households than it should, and what would help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gis.wording import counted
from grids.redistricting.annealing import load_cost
from grids.redistricting.compiled import Ints
from grids.redistricting.rules import INSIST, Prices

SURE: Final = 0.5
"""Share of the price at which a change would pay that is told: its borders cost something too."""

Cause = tuple[str, str]
"""In English and in Chinese."""


@dataclass(frozen=True)
class Weighing:
    """What was weighed when the plan was made.

    Attributes
    ----------
    prices
        What the search paid for.
    keep
        Price of each household that changes its grid; 0 without a plan before.
    is_counted
        Whether the number of grids was asked for.
    """

    prices: Prices
    keep: float
    is_counted: bool


@dataclass(frozen=True)
class Place:
    """Ground whose grids share its households: a unit, or a part of it cut off on foot.

    Attributes
    ----------
    loads
        Households of its grids, those of one building too large for any left out.
    settled
        Cells that somebody lives in: there are no more grids than these.
    """

    loads: Ints
    settled: int
    target: float
    tolerance: float

    @property
    def total(self) -> float:
        """Households."""
        return float(self.loads.sum())

    @property
    def best(self) -> int:
        """Number of grids whose mean comes nearest to the target."""
        few = max(1, int(self.total / self.target))
        nearest = min((few, few + 1), key=lambda n: abs(self.total / n - self.target))
        return max(1, min(nearest, self.settled))

    def is_within(self, households: float) -> bool:
        """Whether a grid of so many would be within the tolerance."""
        return bool(abs(households - self.target) <= self.target * self.tolerance + 1e-9)

    def price_at_which_it_pays(self, prices: Prices) -> float:
        """Price of a household moved below which the best number of grids is worth its moves.

        What the grids are too large or too small costs, shared by the households of the grids
        that would be new or gone; to one figure, on the safe side.
        """
        mean = self.total / self.best
        steep = np.array([prices.balance, prices.beyond, prices.broken * INSIST])

        low, high = (self.target * (1 + sign * self.tolerance) for sign in (-1, 1))

        def cost(households: float) -> float:
            return load_cost(round(households), self.target, low, high, self.target, steep)

        won = sum(map(cost, self.loads.tolist())) - self.best * cost(mean)
        moved = abs(self.best - len(self.loads)) * min(mean, self.total / len(self.loads))
        pays = SURE * won / max(moved, 1.0)
        if pays <= 0:
            return 0.0
        step = 10.0 ** np.floor(np.log10(pays))
        return float(np.floor(pays / step) * step)


def misfit(place: Place, weighing: Weighing) -> Cause:
    """Why grids of a place are off, where no building is too large and none is pinned."""
    here, best, total = len(place.loads), place.best, place.total
    mean = total / best
    if here == best or weighing.is_counted or place.is_within(total / here):
        return _of_number(place, here, weighing)
    if here == 1 and not place.is_within(mean):
        return (
            f"its place has {counted(round(total), 'household')}, not enough for two grids",
            f"所在地块共 {total:.0f} 户，不足以划成两个网格",
        )
    now, now_zh = _grids(here, total / here)
    then, then_zh = _grids(best, mean)
    pays = place.price_at_which_it_pays(weighing.prices)
    if weighing.keep > pays > 0:
        moved = abs(best - here) * min(mean, total / here)
        text = (
            f"its place keeps {now} where {then} would fit, because each household that changes "
            f"its grid costs {weighing.keep:g}; a price (keep) of {pays:g} or less would bring "
            f"them, for about {moved:.0f} households moved"
        )
        text_zh = (
            f"所在地块保留 {now_zh}，而 {then_zh}更合适：每一户变动网格的代价为 "
            f"{weighing.keep:g}；降到 {pays:g} 或更低即可调整，约 {moved:.0f} 户变动"
        )
        return text, text_zh
    return (
        f"its place came to {now}; {then} would fit: another seed or a longer search may help",
        f"所在地块划成 {now_zh}，而 {then_zh}更合适；可换随机种子或延长搜索",
    )


def _of_number(place: Place, here: int, weighing: Weighing) -> Cause:
    total, target = place.total, place.target
    if here == 1 and not weighing.is_counted:
        return (
            f"its place has {counted(round(total), 'household')}, not enough for two grids",
            f"所在地块共 {total:.0f} 户，不足以划成两个网格",
        )
    if not place.is_within(total / here):
        grids, grids_zh = _grids(here, total / here)
        asked, asked_zh = (", as many as were asked for", "（按所要求的数目）")
        return (
            f"{total:.0f} households in this place make {grids}, not grids of {target:.12g}"
            + asked * weighing.is_counted,
            f"所在地块共 {total:.0f} 户，划成 {grids_zh}，达不到 {target:.12g} 户"
            + asked_zh * weighing.is_counted,
        )
    dearer = f", a price of households moved below {weighing.keep:g}" * (weighing.keep > 0)
    dearer_zh = f"、把变动代价降到 {weighing.keep:g} 以下" * (weighing.keep > 0)
    text = (
        "no exchange of whole buildings with its neighbours was found that helps; another seed"
        f"{dearer}, a wider tolerance or a barrier less may"
    )
    return (
        text,
        f"与相邻网格整栋调换未能改善；可换随机种子{dearer_zh}、放宽容差或减少一条屏障",
    )


def _grids(count: int, households: float) -> Cause:
    return (
        f"{counted(count, 'grid')} of {households:.0f}",
        f"{count} 个网格各约 {households:.0f} 户",
    )
