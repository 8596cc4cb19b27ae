"""Real units with population: Denver's blocks, Iowa's counties, Arkansas as a bare graph."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from grids.redistricting import divide_graph


def arkansas(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Pairs, people, lengths and areas of the block groups."""
    path = folder / "redistricting_arkansas_graph" / "ar_block_group_graph_2020.json.gz"
    told = json.loads(gzip.decompress(path.read_bytes()))
    place = {node["id"]: number for number, node in enumerate(told["nodes"])}
    edges = {
        (number, place[near["id"]]): near["shared_perim"]
        for number, row in enumerate(told["adjacency"])
        for near in row
        if number < place[near["id"]]
    }
    people = np.array([node["tot_pop_20"] for node in told["nodes"]])
    areas = np.array([node["area"] for node in told["nodes"]])
    return np.array(list(edges)), people, np.array(list(edges.values())), areas


def units(frame: gpd.GeoDataFrame, people: str) -> tuple[np.ndarray, ...]:
    """Pairs, people, lengths and areas of polygons that share lines, in their largest part."""
    shapes = frame.to_crs(frame.estimate_utm_crs()).geometry.to_numpy()
    shapes = shapely.set_precision(shapes, 0.01)
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    length = shapely.length(shapely.intersection(shapes[left], shapes[right]))
    lines = length > 1
    pairs = np.column_stack([left[lines], right[lines]])
    joined = csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(shapes),) * 2)
    part = connected_components(joined, directed=False)[1]
    mine = np.flatnonzero(part == np.bincount(part).argmax())
    place = np.full(len(shapes), -1)
    place[mine] = np.arange(len(mine))
    kept = place[pairs[:, 0]] >= 0
    count = frame[people].to_numpy().astype(int)[mine]
    return place[pairs[kept]], count, length[lines][kept], shapely.area(shapes[mine])


def run(folder: Path) -> None:
    """Print one line for each set, three seeds."""
    iowa = gpd.read_file(folder / "redistricting_iowa" / "iowa_counties.gpkg")
    denver = gpd.read_file(folder / "redistricting_denver" / "denver.gpkg", layer="blocks_2020")
    sets = (
        ("Iowa, counties", units(iowa, "TOTPOP"), 4, 0.01),
        ("Denver, blocks", units(denver, "TOTPOP20"), 11, 0.005),
        ("Denver, blocks", units(denver, "TOTPOP20"), 78, 0.05),
        ("Arkansas, bare graph", arkansas(folder), 100, 0.05),
    )
    print(
        "set                    units  districts  tolerance  within  broken  mean dev  max dev"
        "  CPU s"
    )
    for name, (pairs, people, lengths, areas), count, tolerance in sets:
        for seed in (1, 2, 3):
            start = time.process_time()
            label = divide_graph(
                pairs,
                people,
                lengths=lengths,
                areas=areas,
                count=count,
                tolerance=tolerance,
                seed=seed,
            )
            spent = time.process_time() - start
            off = np.abs(np.bincount(label, people) / (people.sum() / count) - 1)
            same = label[pairs[:, 0]] == label[pairs[:, 1]]
            joined = csr_array(
                (np.ones(same.sum()), (pairs[same, 0], pairs[same, 1])), shape=(len(people),) * 2
            )
            pieces = connected_components(joined, directed=False)[1]
            whole = len(np.unique(pieces))
            print(
                f"{name:22} {len(people):6,}  {label.max() + 1:9}  {tolerance:9.1%}  "
                f"{(off <= tolerance + 1e-9).mean():6.1%}  {whole - count:6}  {off.mean():8.2%}  "
                f"{off.max():7.2%}  {spent:5.2f}"
            )
