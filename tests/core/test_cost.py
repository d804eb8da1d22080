"""The cost of a cascade against the sum of what runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.cost import PairCost, written

macs = st.integers(0, 10**9)


@given(macs, macs, macs, macs, st.lists(st.booleans(), min_size=1, max_size=50))
def test_expected_cost_is_the_mean_of_what_ran(stem, router, little, big, stays):
    cost = PairCost(stem, router, little, big)
    ran = [stem + little + router + (0 if easy else big) for easy in stays]
    assert np.isclose(cost.expected(np.mean(stays)), np.mean(ran))
    assert cost.expected(0.0) == cost.peak and cost.expected(1.0) == cost.least
    assert cost.expected(np.mean(stays)) <= cost.peak
    assert cost.ada_edanas(0.0) == stem + big


@given(macs, macs, macs, macs, st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 100), st.booleans())
def test_a_percentile_is_that_of_what_every_image_took(stem, router, little, big, stays, percent, before):
    cost = PairCost(stem, router, little, big, before)
    easy = stem + router + little
    ran = sorted(easy if kept else easy + big - (little if before else 0) for kept in stays)
    assert cost.percentile(percent / 100, np.mean(stays)) == ran[-(-percent * len(ran) // 100) - 1]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("peak_macs", 43200, "43,200"), ("weight_bytes", 15568, "15,568 bytes"), ("latency_ms", 0.25, "0.25 ms"),
        ("expected_energy_mj", 1 / 3, "0.333333 mJ"), ("balanced_accuracy", 0.805, "80.5%"),
        ("mine.py:Score", 0.37, "0.37"),
    ],
)  # fmt: skip
def test_a_figure_is_written_with_its_unit(name, value, text):
    assert written(name, value) == text
