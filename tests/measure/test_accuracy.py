from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.measure.accuracy import Outputs, accuracies, calibration, per_class, routing


def outputs(little, big, kept, labels, score=None):
    """Outputs of given answers (class numbers), over four classes."""
    one_hot = np.eye(4, dtype=np.float32) * 5
    little, big, kept = np.asarray(little), np.asarray(big), np.asarray(kept, bool)
    score = np.asarray(kept if score is None else score, np.float32)
    return Outputs(one_hot[little], one_hot[big], score, kept, np.asarray(labels))


EXAMPLE = outputs(little=[0, 1, 2, 3, 0], big=[0, 0, 2, 1, 1], kept=[1, 1, 0, 0, 0], labels=[0, 0, 2, 1, 3])


def test_accuracies_of_a_case_counted_by_hand():
    assert accuracies(EXAMPLE) == pytest.approx(
        {"little": 2 / 5, "big": 4 / 5, "routed": 3 / 5, "random": 0.4 * 0.4 + 0.6 * 0.8, "oracle": 4 / 5}
    )
    assert np.array_equal(EXAMPLE.routed_logits.argmax(1), [0, 1, 2, 1, 1])


def test_routing_of_a_case_counted_by_hand():
    found = routing(EXAMPLE)
    assert found["little_right_when_kept"] == 1 / 2
    assert found["big_needed_when_sent"] == pytest.approx(1 / 3)
    assert found["sent_when_big_needed"] == 1 / 2
    assert found["oracle_gap"] == pytest.approx(1 / 5)
    assert found["oracle_little_share"] == pytest.approx(3 / 5)


def test_routing_where_nothing_is_sent():
    found = routing(outputs([0, 1], [0, 1], [1, 1], [0, 1]))
    assert found["big_needed_when_sent"] is None and found["sent_when_big_needed"] is None
    assert found["little_right_when_kept"] == 1.0


def test_classes_add_up():
    rows = per_class(EXAMPLE, ("a", "b", "c", "d"))
    assert [row["class"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["images"] for row in rows] == [2, 1, 1, 1]
    assert rows[0] == {"class": "a", "images": 2, "little_share": 1.0, "little": 0.5, "big": 1.0, "routed": 0.5}
    assert sum(row["images"] * row["routed"] for row in rows) / 5 == pytest.approx(accuracies(EXAMPLE)["routed"])


def test_a_class_without_images_has_no_figures():
    (*_, last) = per_class(outputs([0], [0], [1], [0]), ())
    assert last == {"class": "3", "images": 0, "little_share": None, "little": None, "big": None, "routed": None}


def test_calibration_before_and_after():
    right = np.arange(100) < 70
    answers = outputs(np.where(right, 0, 1), np.zeros(100, int), right, np.zeros(100, int))
    temperature = 5 / np.log(0.7 / 0.1)
    found = calibration(answers, temperature)
    assert found["ece"] == pytest.approx(0, abs=1e-6) and found["auroc"] == 1.0
    sure = np.exp(5) / (np.exp(5) + 3)
    assert found["ece_before_temperature"] == pytest.approx(sure - 0.7, abs=1e-6)
    assert sum(row["count"] for row in found["reliability"]) == 100


@given(seed=st.integers(0, 10_000), count=st.integers(1, 60))
def test_the_oracle_bounds_all(seed, count):
    """Law 7."""
    rng = np.random.default_rng(seed)
    answers = outputs(*rng.integers(0, 4, (2, count)), rng.integers(0, 2, count), rng.integers(0, 4, count))
    found = accuracies(answers)
    assert found["oracle"] >= max(found["little"], found["big"], found["routed"])
    low, high = sorted((found["little"], found["big"]))
    assert low - 1e-9 <= found["random"] <= high + 1e-9
    assert routing(answers)["oracle_gap"] >= 0
