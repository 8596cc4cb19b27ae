from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from maps.gridmaps.classes import SCHEMES, Scheme, classify, edges, labels

VALUES = st.lists(
    st.one_of(st.just(0.0), st.integers(0, 30).map(float), st.floats(0, 1e4), st.just(np.nan)),
    max_size=60,
).map(np.array)


@pytest.mark.parametrize("scheme", get_args(Scheme))
@given(values=VALUES)
def test_every_value_has_the_class_of_its_edges_and_no_class_is_empty(
    scheme: Scheme, values: np.ndarray
) -> None:
    found = edges(values, scheme, 6)
    classes = classify(values, found)
    above = values > 0
    assert (classes[np.isnan(values)] == -1).all()
    assert (classes[values == 0] == 0).all()
    for value, each in zip(values[above], classes[above], strict=True):
        assert found[each - 1] < value <= found[each]
    assert set(classes[above]) == set(range(1, len(found)))
    assert len(found) <= 7


def test_natural_breaks_part_what_lies_apart() -> None:
    values = np.array([1, 2, 3, 20, 21, 22, 60, 61, 62, 100, 101, 102, 150, 151, 152.0])
    found = edges(values, "natural", 5)
    assert found == [0, 3, 22, 62, 102, 152]
    assert labels(found, whole=True) == ["1 – 3", "4 – 22", "23 – 62", "63 – 102", "103 – 152"]


def test_quantiles_hold_as_many_each() -> None:
    values = np.random.default_rng(2).permutation(np.arange(1.0, 501))
    assert np.bincount(classify(values, edges(values, "quantiles", 5)))[1:].tolist() == [100] * 5


def test_natural_breaks_of_many_values_come_at_once_and_again_the_same() -> None:
    values = np.random.default_rng(2).gamma(1, 2, 20_000)
    assert edges(values, "natural", 7) == edges(values[::-1], "natural", 7)
    assert len(edges(values, "natural", 7)) == 8


def test_few_distinct_values_make_few_classes() -> None:
    assert edges(np.array([0.0, 2, 2, 3]), "quantiles") == [0, 2, 3]
    assert labels([0, 2, 3], whole=True) == ["1 – 2", "3"]
    assert edges(np.array([0.0, np.nan]), "nice") == []
    assert edges(np.array([]), "natural") == []


def test_labels_of_rates() -> None:
    assert labels([0, 0.5, 1, 12], whole=False) == ["≤ 0.5", "0.5 – 1", "1 – 12"]


def test_what_cannot_be_is_all_named() -> None:
    with pytest.raises(BadInput) as caught:
        edges(np.array([1.0]), "equal", 12)  # type: ignore[arg-type]
    assert {each.field for each in caught.value.problems} == {"scheme", "classes"}
    assert get_args(Scheme) == SCHEMES
