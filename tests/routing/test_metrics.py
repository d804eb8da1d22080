"""Law 7: random routing is the chord, the oracle bounds all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.rng import stream
from duonas.routing.metrics import area, chord, oracle_accuracy, oracle_curve, oracle_share
from duonas.routing.threshold import sweep


def answers(seed, n, little=0.7, big=0.85):
    rng = stream(seed, "answers", n)
    return rng.random(n), rng.random(n) < little, rng.random(n) < big


def test_random_routing_is_the_chord():
    score, little, big = answers(0, 200_000)
    curve = sweep(score, little, big)
    expected = chord(little.mean(), big.mean(), curve.little_share)
    assert np.abs(curve.accuracy - expected).max() < 0.004
    assert area(curve) == pytest.approx((little.mean() + big.mean()) / 2, abs=0.003)


@given(st.integers(0, 10_000), st.integers(1, 60))
@settings(deadline=None)
def test_the_oracle_bounds_every_router_at_every_share(seed, n):
    score, little, big = answers(seed, n)
    curve, oracle = sweep(score, little, big), oracle_curve(little, big)
    bound = np.interp(curve.little_share, oracle.little_share, oracle.accuracy)
    assert (curve.accuracy <= bound + 1e-12).all()
    assert area(curve) <= area(oracle) + 1e-12
    assert oracle.accuracy.max() == pytest.approx(oracle_accuracy(little, big))


@given(st.integers(0, 10_000), st.integers(1, 60))
@settings(deadline=None)
def test_the_oracle_keeps_all_but_what_only_big_gets_right(seed, n):
    _, little, big = answers(seed, n)
    to_big = ~little & big
    assert oracle_share(little, big) == pytest.approx(1 - to_big.mean())
    assert oracle_accuracy(little, big) == np.where(to_big, big, little).mean()
    oracle = oracle_curve(little, big)
    best = oracle.little_share[oracle.correct == oracle.correct.max()].max()
    assert best == pytest.approx(oracle_share(little, big))
