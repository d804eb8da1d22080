from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from duonas.core.recall import balanced_accuracy, recalls


def test_the_balanced_accuracy_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    answers, labels = rng.integers(0, 4, 300), rng.integers(0, 4, 300) * rng.integers(0, 2, 300)
    assert balanced_accuracy(answers == labels, labels, 5) == pytest.approx(balanced_accuracy_score(labels, answers))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=60), st.integers(0, 3))
def test_more_images_of_a_class_of_the_same_kind_change_nothing(rows, repeated):
    right, labels = (np.array(column) for column in zip(*rows, strict=True))
    more = np.repeat(np.arange(len(rows)), np.where(labels == repeated, 9, 1))
    assert balanced_accuracy(right[more], labels[more], 4) == pytest.approx(balanced_accuracy(right, labels, 4))


def test_a_class_without_images_has_no_recall():
    found = recalls(np.array([True, False, True]), np.array([0, 0, 2]), 4)
    assert np.array_equal(found, [0.5, np.nan, 1.0, np.nan], equal_nan=True)
