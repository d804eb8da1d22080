"""Correlations of rankings and what is lost by trusting one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.ranking.rank_correlation import (
    bootstrap_interval,
    noise_ceiling,
    rank_correlation,
    rank_correlations,
    regrets,
)

FIGURES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=40)


def brute_tau_b(x, y):
    """Concordant less discordant pairs over the root of the pairs that each side tells apart."""
    n = len(x)
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i in range(n) for j in range(i)]
    told = [sum(bool(pair[side]) for pair in signs) for side in (0, 1)]
    return sum(a * b for a, b in signs) / (told[0] * told[1]) ** 0.5 if all(told) else None


@given(FIGURES)
def test_tau_counts_pairs_and_ties_count_for_neither_side(rows):
    x, y = np.array(rows, dtype=float).T
    found = rank_correlation(x, y)["kendall"]
    expected = brute_tau_b(x, y)
    assert found is None if expected is None else found == pytest.approx(expected, abs=1e-12)


def test_the_same_order_is_one_the_reverse_is_minus_one_and_the_number_of_archs_is_told():
    x = np.array([0.1, 0.4, 0.7, 0.9])
    assert rank_correlation(x, x**2) == {"kendall": 1.0, "spearman": 1.0, "archs": 4}
    assert rank_correlation(x, -x)["kendall"] == rank_correlation(x, -x)["spearman"] == -1.0


@pytest.mark.filterwarnings("error")
def test_what_never_varies_tells_nothing():
    x = np.array([0.1, 0.4, 0.7])
    assert (
        rank_correlation(np.ones(3), x)
        == rank_correlation(x, np.ones(3))
        == {"kendall": None, "spearman": None, "archs": 3}
    )
    assert rank_correlation(x[:1], x[:1])["kendall"] is None
    assert rank_correlations({"params": np.array([3, 2, 1])}, x)["params"]["kendall"] == -1.0


def test_the_interval_holds_tau_and_is_narrower_with_more_archs():
    rng = np.random.default_rng(0)
    widths = []
    for count in (30, 300):
        x = rng.normal(size=count)
        y = x + rng.normal(size=count)
        low, high = bootstrap_interval(x, y)
        assert low < rank_correlation(x, y)["kendall"] < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    assert bootstrap_interval(np.ones(9), rng.normal(size=9)) is bootstrap_interval(np.ones(1), np.ones(1)) is None


def test_the_ceiling_rises_with_the_images_and_the_spread_of_the_archs():
    near, far = np.linspace(0.60, 0.62, 40), np.linspace(0.3, 0.9, 40)
    few, many = noise_ceiling(near, 500), noise_ceiling(near, 500_000)
    assert few < 0.4 and many > 0.9 and noise_ceiling(far, 500) > few
    assert noise_ceiling(np.array([0.5]), 100) is None


def test_regret_is_what_the_best_of_our_first_falls_short():
    accuracy = np.array([0.9, 0.8, 0.7, *[0.1] * 9])
    theirs = np.array([0.5, 0.6, 0.4, *[0.2] * 8, 0.8])
    rows = regrets(accuracy, theirs, [f"{i:02}" for i in range(12)], best=0.95)
    assert [row["k"] for row in rows] == [1, 10]
    assert rows[0] == pytest.approx({"k": 1, "found": 0.5, "regret": 0.3, "regret_whole": 0.45})
    assert rows[1]["found"] == 0.6


def test_among_equals_the_order_of_the_archs_does_not_matter():
    accuracy, theirs, names = np.full(3, 0.5), np.array([0.1, 0.2, 0.3]), ["b", "a", "c"]
    for order in ([0, 1, 2], [2, 0, 1]):
        (row,) = regrets(accuracy[order], theirs[order], [names[i] for i in order], best=0.3)
        assert row["found"] == 0.2
