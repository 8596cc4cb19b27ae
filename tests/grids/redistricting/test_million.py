"""A million cells end in a plan: run on demand, for it takes two minutes of a core and 1.2 GB.

``WANGGE_MILLION_CELLS=1 python -m pytest -n 0 tests/grids/redistricting/test_million.py``
"""

import os

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from grids.redistricting import divide_graph

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "WANGGE_MILLION_CELLS" not in os.environ, reason="set WANGGE_MILLION_CELLS to run it"
    ),
]
SIDE = 1000


def test_a_million_cells_are_divided_into_whole_even_grids():
    number = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    pairs = np.concatenate(
        [
            np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()]),
            np.column_stack([number[:-1].ravel(), number[1:].ravel()]),
        ]
    )
    people = np.random.default_rng(1).integers(0, 8, SIDE * SIDE)
    stages = set()
    label = divide_graph(
        pairs, people, effort="quick", progress=lambda stage, _share: stages.add(stage)
    )
    load = np.bincount(label, people)
    assert load.sum() == people.sum()
    assert (np.abs(load / 300 - 1) <= 0.1 + 1e-9).mean() > 0.99
    inner = pairs[label[pairs[:, 0]] == label[pairs[:, 1]]]
    same = csr_array((np.ones(len(inner)), tuple(inner.T)), shape=(len(label),) * 2)
    assert connected_components(same, directed=False)[0] == len(load)
    assert len(stages) > 2
