"""Which values and points a chart shows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duonas.report.ranges import span, thin

NUMBERS = st.floats(min_value=-1e9, max_value=1e9)


@given(st.lists(st.one_of(NUMBERS, st.just(float("nan")), st.just(float("inf"))), max_size=8))
def test_a_span_holds_what_is_finite_and_is_never_empty(values: list[float]) -> None:
    low, high = span(values)
    assert low < high
    assert all(low <= value <= high for value in values if np.isfinite(value))


def test_thinning_keeps_both_ends() -> None:
    values = np.linspace(0, 1, 1000) ** 3
    kept = thin(values, 50)
    assert kept[0] == 0 and kept[-1] == 999 and len(kept) <= 52 and (np.diff(kept) > 0).all()
    assert len(thin(np.empty(0), 5)) == 0
