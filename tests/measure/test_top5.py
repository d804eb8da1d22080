"""Top-5 accuracy, counted by hand and by sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.measure.accuracy import Outputs, accuracies
from duonas.measure.top5 import top5, top5_accuracy


def test_the_fifth_counts_and_the_sixth_does_not():
    logits = np.tile(np.arange(12, 0, -1.0), (3, 1))
    assert top5_accuracy(logits, np.array([0, 4, 5])) == pytest.approx(2 / 3)
    assert top5_accuracy(np.zeros((3, 12)), np.array([0, 4, 5])) == pytest.approx(2 / 3)  # lower classes come first
    assert top5_accuracy(logits[:, :10], np.array([0, 4, 5])) is None


@given(st.integers(0, 10_000))
def test_it_is_what_sorting_gives_and_never_below_top_1(seed):
    rng = np.random.default_rng(seed)
    little, big = rng.integers(0, 4, (2, 30, 15)).astype(np.float32)
    labels, kept = rng.integers(0, 15, 30), rng.random(30) < 0.5
    outputs = Outputs(little, big, kept.astype(np.float32), kept, labels)
    found, first = top5(outputs), accuracies(outputs)
    for role, logits in (("little", little), ("big", big), ("routed", outputs.routed_logits)):
        best = np.argsort(-logits, axis=1, kind="stable")[:, :5]
        assert found[role] == pytest.approx((best == labels[:, None]).any(1).mean())
        assert found[role] >= first[role]
