"""The mean time of an image, and its limits by the noise of timing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.measure.typical import BLOCK, route_kinds, typical


def test_each_call_counts_as_the_median_of_its_kind():
    found = typical([1.0, 1.1, 50.0, 4.0], np.array([0, 0, 0, 1]))
    assert found.mean == pytest.approx(0.75 * 1.1 + 0.25 * 4.0)
    assert found.lower == pytest.approx(0.75 * 1.0 + 1.0) and found.upper == pytest.approx(0.75 * 50 + 1.0)


def test_kinds_may_have_weights():
    assert typical([1.0, 1.0, 4.0, 4.0], np.array([0, 0, 2, 2]), {0: 0.9, 2: 0.1}).mean == pytest.approx(1.3)


def test_the_limits_hold_the_true_median_95_times_in_100():
    rng = np.random.default_rng(0)
    found = [typical(rng.exponential(size=40)) for _ in range(400)]
    blocks = [typical(np.repeat(rng.exponential(size=40), BLOCK)) for _ in range(400)]  # calls of a block are alike
    assert 0.94 < np.mean([each.lower <= np.log(2) <= each.upper for each in blocks]) < 0.99
    held = np.mean([each.lower <= np.log(2) <= each.upper for each in found])
    assert 0.94 < held < 0.99
    assert np.mean([each.upper < 50 for each in found]) == 1


@given(st.lists(st.floats(0.001, 1e3), min_size=1, max_size=120))
def test_the_mean_is_within_its_limits(times):
    found = typical(times)
    assert min(times) <= found.lower <= found.mean <= found.upper <= max(times)


def test_kinds_of_batches():
    hard = np.array([[False, False], [True, False], [True, True]])
    assert route_kinds(hard).tolist() == [0, 1, 2]
