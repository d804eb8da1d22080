from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from duonas.core.recall import recalls


def test_the_mean_is_the_balanced_accuracy_of_scikit_learn():
    rng = np.random.default_rng(0)
    answers, labels = rng.integers(0, 4, 300), rng.integers(0, 4, 300) * rng.integers(0, 2, 300)
    found = np.nanmean(recalls(answers == labels, labels, 5))
    assert found == pytest.approx(balanced_accuracy_score(labels, answers))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=60), st.integers(0, 3))
def test_more_images_of_a_class_of_the_same_kind_change_nothing(rows, repeated):
    right, labels = (np.array(column) for column in zip(*rows, strict=True))
    more = np.repeat(np.arange(len(rows)), np.where(labels == repeated, 9, 1))
    assert recalls(right[more], labels[more], 4) == pytest.approx(recalls(right, labels, 4), nan_ok=True)


def test_a_class_without_images_has_no_recall():
    found = recalls(np.array([True, False, True]), np.array([0, 0, 2]), 4)
    assert np.array_equal(found, [0.5, np.nan, 1.0, np.nan], equal_nan=True)
