from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime.histogram import Histogram

TIMES = st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=200)


@given(st.lists(TIMES, min_size=1, max_size=4), st.integers(1, 100))
def test_percentiles_are_those_of_all_times_to_a_quarter_of_a_per_cent(parts, rank):
    found = Histogram()
    for part in parts:
        found.add(np.array(part))
    exact = np.percentile(np.concatenate(parts), rank, method="inverted_cdf")
    assert found.percentile(rank) == pytest.approx(exact, rel=0.003)


def test_nothing_has_no_percentile_and_what_is_out_of_range_counts_at_its_end():
    found = Histogram()
    assert found.percentile(50) is None
    found.add(np.array([0.0, 1e9]))
    assert found.percentile(50) == pytest.approx(1e-4, rel=0.01) and found.percentile(99) == pytest.approx(
        1e6, rel=0.01
    )


@given(st.lists(st.tuples(st.floats(0, 1e9), st.integers(1, 9)), max_size=20))
def test_one_time_so_many_times_is_as_many_times(times):
    one, other = Histogram(), Histogram()
    for ms, count in times:
        one.add(np.full(count, ms))
        other.add_equal(ms, count)
    for rank in (1, 50, 95, 100):
        found = one.percentile(rank), other.percentile(rank)
        assert found == (None, None) or found[0] == pytest.approx(found[1], rel=0.006)
