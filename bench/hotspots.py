"""Hot spots: speed beside esda, false alarms on quiet maps, and the attention list put to the test.

Run: ``python -m bench.hotspots [--only speed scan quiet forecast houston] [--data FOLDER]``. esda
and libpysal are looked for and left out, with a note, when they are not installed; the real
incidents are those of `data/incidents_houston` and are left out when the folder is not given
(``WANGGE_REAL_DATA`` or ``--data``).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from maps.hotspots import (
    BackTest,
    Neighbours,
    adjusted,
    attention,
    backtest,
    gi_star,
    hot_grids,
    knox,
    local_moran,
    neighbours_of,
    permutation_p,
    repeat_addresses,
    scan,
    texts,
)
from maps.hotspots.backtest import METHODS, events_caught
from maps.hotspots.discovery import alarms

Floats = npt.NDArray[np.float64]

PARTS = ("speed", "scan", "quiet", "forecast", "houston")
UNSEEN_SEEDS = (70_001, 70_002, 70_003, 70_004)


def lattice(columns: int, rows: int, side_m: float = 100.0) -> Any:
    y, x = np.divmod(np.arange(columns * rows), columns)
    return shapely.box(x * side_m, y * side_m, (x + 1) * side_m, (y + 1) * side_m)


def best_ms(work: Callable[[], object], rounds: int = 5) -> float:
    """Milliseconds of the quickest round, after one that compiles."""
    work()
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return 1_000 * min(took)


def speed() -> None:
    shapes = lattice(400, 250)
    counts = np.random.default_rng(1).poisson(1.0, len(shapes)).astype(np.float64)
    print(f"\n{len(shapes):,} grids, ms (best of 5)")
    print(f"  neighbours           wangge {best_ms(lambda: neighbours_of(shapes), 3):10,.1f}")
    neighbours = neighbours_of(shapes)
    print(f"  Gi*                  wangge {best_ms(lambda: gi_star(counts, neighbours)):10,.1f}")
    print(
        f"  local Moran          wangge {best_ms(lambda: local_moran(counts, neighbours)):10,.1f}"
    )
    print(f"  exact p with BH      wangge {best_ms(lambda: hot_grids(counts, neighbours)):10,.1f}")

    def permuted() -> object:
        return permutation_p(counts, neighbours, permutations=99)

    print(f"  99 permutations      wangge {best_ms(permuted, 1):10,.1f}")
    weekly = np.random.default_rng(2).poisson(0.3, (len(shapes), 104))
    print(
        f"  104 weeks: list      wangge {best_ms(lambda: attention(weekly, neighbours), 1):10,.1f}"
    )
    tested = best_ms(lambda: backtest(weekly, neighbours, weeks=8), 1)
    print(f"  back-test of 8 weeks wangge {tested:10,.1f}")
    if importlib.util.find_spec("esda") is None:
        print("  esda is not installed: left out")
        return
    import esda  # noqa: PLC0415
    import geopandas as gpd  # noqa: PLC0415
    from libpysal.weights import Queen, W  # noqa: PLC0415

    frame = gpd.GeoDataFrame(geometry=shapes)
    start = time.perf_counter()
    queen = Queen.from_dataframe(frame, use_index=False, silence_warnings=True)
    print(f"  neighbours         libpysal {1_000 * (time.perf_counter() - start):10,.1f}")
    same = neighbours.pairs()
    theirs = sorted((i, j) for i, near in queen.neighbors.items() for j in near if i < j)
    print(f"    the same pairs: {theirs == [tuple(each) for each in same.tolist()]}")
    queen.transform = "B"
    # The star is put on beforehand: esda would rebuild the table inside the call.
    starred = W({i: [*near, i] for i, near in queen.neighbors.items()}, silence_warnings=True)

    def of_esda() -> Any:
        return esda.G_Local(counts, starred, transform="B", star=None, permutations=0)

    def from_queen() -> Any:
        return esda.G_Local(counts, queen, transform="B", star=True, permutations=0)

    def moran() -> Any:
        return esda.Moran_Local(counts, queen, transformation="B", permutations=0)

    print(f"  Gi*                    esda {best_ms(from_queen, 2):10,.1f}")
    print(f"  Gi*, star put on before esda {best_ms(of_esda, 2):9,.1f}")
    print(f"  local Moran            esda {best_ms(moran, 2):10,.1f}")
    apart = np.abs(of_esda().Zs - gi_star(counts, neighbours).z).max()
    ours = local_moran(counts, neighbours).i * (len(counts) - 1) / len(counts)
    apart_too = np.abs(moran().Is - ours).max()
    print(f"    largest difference: Gi* {apart:.1e}, local Moran {apart_too:.1e}")

    def permuted_there() -> Any:
        return esda.G_Local(counts, starred, transform="B", star=None, permutations=99, n_jobs=2)

    print(f"  99 permutations        esda {best_ms(permuted_there, 1):10,.1f}")


def scanning() -> None:
    generator = np.random.default_rng(1)
    print("\nscan of 2,000 grids, 999 simulations, circles up to half of the households; s")
    for mean in (0.5, 2.0, 20.0):
        xy = generator.random((2_000, 2)) * 10_000
        homes = generator.gamma(3, 100, 2_000)
        counts = generator.poisson(mean * homes / homes.mean())
        took = best_ms(lambda c=counts, x=xy, h=homes: scan(x, c, exposure=h), 2) / 1_000
        print(f"  {mean:4g} events a grid: {took:.2f}")
    weekly = generator.poisson(0.1, (2_000, 12))
    xy = generator.random((2_000, 2)) * 10_000
    took = best_ms(lambda: scan(xy, weekly, ending="last", max_share=0.1), 2) / 1_000
    print(f"  12 weeks, runs up to the last, circles up to a tenth: {took:.2f}")
    took = best_ms(lambda: scan(xy, weekly, max_share=0.1), 1) / 1_000
    print(f"  12 weeks, any run, circles up to a tenth: {took:.2f}")


def quiet() -> None:
    neighbours = neighbours_of(lattice(50, 40))
    generator = np.random.default_rng(4)
    uneven = np.round(generator.gamma(2, 150, neighbours.n)) + 1
    print("\nquiet weeks with any hot grid, 2,000 grids; level 5 %")
    print("  households  mean  exact p, BH (1,000 weeks)   BY   Gi* by normal theory, BH (300)")
    for name, homes in (("even", np.full(neighbours.n, 300.0)), ("uneven", uneven)):
        for mean in (0.2, 0.5, 2.0):
            ours = (alarms(neighbours, homes, mean, weeks=1_000, seed=7) > 0).mean()
            strict = alarms(neighbours, homes, mean, weeks=300, seed=8, control="by") > 0
            rate = mean * homes * homes.size / homes.sum()
            normal = []
            for _ in range(300):
                made = gi_star(generator.poisson(rate), neighbours)
                one_sided = np.where(made.z > 0, made.p / 2, 1 - made.p / 2)
                normal.append((adjusted(one_sided) <= 0.05).any())
            print(
                f"  {name:10}  {mean:4g}  {ours:24.1%}  {strict.mean():5.1%}"
                f"  {np.mean(normal):22.0%}"
            )
    found = {"bh": 0, "by": 0, "permutation": 0}
    for week in range(100):
        counts = generator.poisson(0.5, neighbours.n)
        middle = 1_025
        spot = [middle, *neighbours.rows[neighbours.starts[middle] : neighbours.starts[middle + 1]]]
        counts[spot] += generator.poisson(1.0, 9)
        found["bh"] += int(hot_grids(counts, neighbours).hot[middle])
        found["by"] += int(hot_grids(counts, neighbours, control="by").hot[middle])
        shuffled = hot_grids(counts, neighbours, test="permutation", permutations=199, seed=week)
        found["permutation"] += int(shuffled.hot[middle])
    print(f"  9 grids at three times the risk among 2,000 of mean 0.5, found of 100: {found}")


def town(
    seed: int,
    *,
    mean: float = 0.15,
    alike: float = 4.0,
    starts: float = 0.002,
    lift: float = 8.0,
    weeks: int = 130,
) -> tuple[Neighbours, Floats, npt.NDArray[np.int64], Floats]:
    """A town of 2,000 grids: steady risk per household, and flare-ups that nobody announces.

    Households are lognormal about 300 (spread .4), risk per household gamma with shape `alike`
    and mean `mean` events a week per 300 households. In each grid and week a flare-up begins with
    chance `starts`; it lifts the grid and its neighbours to `lift` times their risk for a week and
    a Poisson number of more weeks, 5 on average.
    """
    generator = np.random.default_rng(seed)
    neighbours = neighbours_of(lattice(50, 40))
    homes = np.round(300 * generator.lognormal(-0.08, 0.4, neighbours.n)).clip(20)
    steady = mean * homes / 300 * generator.gamma(alike, 1 / alike, neighbours.n)
    flaring = np.zeros((neighbours.n, weeks), dtype=np.bool_)
    for week in range(-20, weeks):
        for middle in np.flatnonzero(generator.random(neighbours.n) < starts):
            last = min(week + 1 + generator.poisson(5), weeks)
            near = neighbours.rows[neighbours.starts[middle] : neighbours.starts[middle + 1]]
            if last > 0:
                flaring[np.append(near, middle), max(week, 0) : last] = True
    rate = steady[:, None] * np.where(flaring, lift, 1.0)
    return neighbours, homes, generator.poisson(rate), rate


def of_true_risk(rate: Floats, counts: npt.NDArray[np.int64], share: float) -> float:
    """PAI of who knows the true risk of each of the last 26 weeks: the most that can be had."""
    area = np.ones(len(counts))
    judged = range(counts.shape[1] - 26, counts.shape[1])
    seen = counts.astype(np.float64)
    caught = sum(events_caught(rate[:, w], seen[:, w], area, share) for w in judged)
    return float(caught / seen[:, judged].sum() / share)


def forecast() -> None:
    print(f"\nattention list, simulated towns, seeds {UNSEEN_SEEDS}, last 26 of 130 weeks; PAI")
    print("  town                                       way         at 1 %  at 5 %   PEI at 5 %")
    for name, kind in (
        ("flare-ups to 8 times the risk", {}),
        ("flare-ups to 4 times", {"lift": 4.0}),
        ("half as many, to 12 times", {"starts": 0.001, "lift": 12.0}),
        ("flare-ups, fewer events (mean .05)", {"mean": 0.05}),
        ("steady risk only, uneven", {"starts": 0.0, "alike": 1.0}),
    ):
        made, known = [], []
        for seed in UNSEEN_SEEDS:
            neighbours, homes, counts, rate = town(seed, **kind)
            made.append(backtest(counts, neighbours, households=homes, weeks=26))
            known.append([of_true_risk(rate, counts, share) for share in made[-1].shares])
        for m, method in enumerate(METHODS):
            pai = np.mean([each.pai[m] for each in made], axis=0)
            pei = np.mean([each.pei[m, 1] for each in made])
            town_name = name if m == 0 else ""
            figures = f"{pai[0]:6.2f}  {pai[1]:6.2f}  {pei:8.2f}"
            print(f"  {town_name:40}  {method.value:10}  {figures}")
        bound = np.mean(known, axis=0)
        print(f"  {'':40}  {'true risk':10}  {bound[0]:6.2f}  {bound[1]:6.2f}")
        inside = np.mean([each.within for each in made])
        right = sum(e.expected.sum() for e in made) / sum(e.events.sum() for e in made)
        print(f"  {'':40}  90 % intervals hold {inside:.1%}; expected / seen {right:.3f}")


def houston(folder: Path) -> None:
    import pandas as pd  # noqa: PLC0415
    from pyproj import Transformer  # noqa: PLC0415

    events = pd.read_parquet(folder / "incidents_houston" / "crime_2010.parquet")
    events = events.dropna(subset=["lon", "lat", "time"])
    # Inside a box around the city; about 210 events lie beyond and are no part of it.
    inside = events.lon.between(-95.80, -95.00) & events.lat.between(29.50, 30.15)
    events = events[inside]
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32615", always_xy=True)
    xy = np.column_stack(to_metres.transform(events.lon, events.lat))
    local = pd.to_datetime(events.time, utc=True).dt.tz_convert("America/Chicago")
    first = pd.Timestamp("2010-01-01", tz="America/Chicago")
    day = ((local - first).dt.total_seconds() / 86_400).to_numpy()
    week = (day // 7).astype(np.int64)
    print(f"\nHouston, {len(events):,} events, days {day.min():.1f} to {day.max():.1f}")
    for side_m in (500.0, 1_000.0):
        cell = np.floor(xy / side_m).astype(np.int64)
        # Grids are the squares that had any event in the first six months: what lies beyond the
        # city or was never built on is no area to be searched. Later events elsewhere are missed.
        months = 181 // 7
        known = np.unique(cell[week < months], axis=0)
        key = {tuple(each): at for at, each in enumerate(known.tolist())}
        at = np.array([key.get(tuple(each), -1) for each in cell.tolist()])
        lost = int(((at < 0) & (week >= months) & (week < 34)).sum())
        x, y = known[:, 0] * side_m, known[:, 1] * side_m
        neighbours = neighbours_of(shapely.box(x, y, x + side_m, y + side_m))
        here = (at >= 0) & (week >= 0) & (week < 34)
        for offence in ("all", *events.offense.value_counts().index.astype(str)):
            kind = np.ones(len(events), dtype=np.bool_)
            if offence != "all":
                kind = (events.offense.astype(str) == offence).to_numpy()
            counts = np.zeros((len(known), 34), dtype=np.int64)
            np.add.at(counts, (at[here & kind], week[here & kind]), 1)
            if counts.sum() < 1_000:
                continue
            made = backtest(counts, neighbours, weeks=34 - months)
            print(
                f"\n  {side_m:g} m squares ({len(known):,}), {offence}, weeks {months + 1} to 34: "
                f"{made.events.sum():,.0f} events, {lost if offence == 'all' else ''} elsewhere"
            )
            _show(made)
    sample = (day >= 120) & (day < 181) & (events.offense.astype(str) == "burglary").to_numpy()
    start = time.perf_counter()
    table = knox(xy[sample], np.floor(day[sample]), simulations=199)
    print(f"\n  burglary, May and June, near repeats ({time.perf_counter() - start:.1f} s)")
    for at, far in enumerate(table.distances_m):
        print(f"    to {far:4.0f} m: ratio {table.ratio[at].round(2)}  p {table.p[at].round(3)}")
    repeats = repeat_addresses(events.address.fillna("").replace("", None).tolist(), day, least=20)
    print(
        f"  blocks with 20 events or more: {len(repeats.addresses)}, "
        f"{repeats.share_of_addresses:.1%} of blocks, {repeats.share_of_events:.1%} of events"
    )


def _show(made: BackTest) -> None:
    for m, method in enumerate(METHODS):
        print(
            f"    {method.value:10}  PAI at 1 % {made.pai[m, 0]:5.2f}, at 5 % {made.pai[m, 1]:5.2f}"
            f"   PEI {made.pei[m, 0]:.2f}, {made.pei[m, 1]:.2f}"
        )
    print(f"    90 % intervals hold {made.within:.1%}")
    for line in texts.verdict(made, "en"):
        print(f"    {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--data", default=os.environ.get("WANGGE_REAL_DATA"))
    asked = parser.parse_args()
    for name, work in (
        ("speed", speed), ("scan", scanning), ("quiet", quiet), ("forecast", forecast),
    ):  # fmt: skip
        if name in asked.only:
            work()
    if "houston" in asked.only:
        if asked.data is None:
            print("\nHouston: no folder of real data given, left out")
        else:
            houston(Path(asked.data))


if __name__ == "__main__":
    main()
