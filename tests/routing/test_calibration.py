"""Temperature, calibration error and AUROC against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.routing.calibration import (
    COLDEST,
    auroc,
    ece,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
)


def drawn(n, temperature, seed=0, classes=5):
    """Logits whose labels are drawn from the softmax of logits / temperature."""
    rng = stream(seed, "drawn")
    logits = rng.normal(size=(n, classes)) * 3
    cumulative = softmax(logits, temperature).cumsum(1)
    return logits, np.minimum((rng.random((n, 1)) > cumulative).sum(1), classes - 1)


@given(st.floats(0.5, 4), st.integers(0, 50))
@settings(deadline=None, max_examples=15)
def test_the_true_temperature_is_found_and_calibrates(temperature, seed):
    logits, labels = drawn(20_000, temperature, seed)
    fitted = fit_temperature(logits, labels)
    assert fitted == pytest.approx(temperature, rel=0.06)
    assert ece(softmax(logits, fitted), labels) < 0.02


@given(st.integers(0, 50))
@settings(deadline=None, max_examples=20)
def test_no_other_temperature_is_better_on_many_images(seed):
    logits, labels = drawn(5000, 2.0, seed)
    fitted = fit_temperature(logits, labels)
    best = negative_log_likelihood(logits, labels, fitted)
    assert all(negative_log_likelihood(logits, labels, fitted * by) > best for by in (0.5, 0.9, 1.1, 2.0))


def test_a_small_split_without_an_error_does_not_make_everything_sure():
    logits = np.eye(4)[[0, 1, 2, 3] * 5] * 3.0
    labels = logits.argmax(1)
    fitted = fit_temperature(logits, labels)
    assert fitted > COLDEST
    assert softmax(logits, fitted).max() == pytest.approx(1 - 3 / 4 / 21, abs=1e-6)


def test_temperature_needs_finite_logits_of_some_images():
    with pytest.raises(DuonasError, match="no images"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(DuonasError, match="not finite"):
        fit_temperature(np.full((2, 3), np.nan), np.zeros(2, int))


def test_ece_of_a_known_table():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])
    assert ece(probabilities, labels) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    table = reliability(probabilities, labels, bins=10)
    assert [row.count for row in table] == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert (table[8].confidence, table[8].accuracy) == pytest.approx((0.9, 0.5))
    assert ece(np.eye(3), np.arange(3)) == 0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7]), st.booleans()), min_size=1, max_size=30))
def test_auroc_counts_pairs(rows):
    score, correct = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    right, wrong = score[correct], score[~correct]
    if len(right) == 0 or len(wrong) == 0:
        assert auroc(score, correct) is None
    else:
        wins = (right[:, None] > wrong).sum() + 0.5 * (right[:, None] == wrong).sum()
        assert auroc(score, correct) == pytest.approx(wins / len(right) / len(wrong))
