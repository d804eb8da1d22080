"""The Pareto set against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duonas.search.pareto import nondominated

points = st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=40)


@given(points)
def test_equals_the_definition(rows):
    array = np.array(rows, dtype=float)
    kept = {tuple(array[i]) for i in nondominated(array)}
    best = {tuple(p) for p in array if not any((q <= p).all() and (q < p).any() for q in array)}
    assert kept == best
    assert len(nondominated(array)) == len(kept)  # equal rows once
