from __future__ import annotations

import numpy as np
import pytest

from duonas.measure.accuracy import Outputs
from duonas.measure.balance import balance, majority


def outputs(answers, labels, classes=2):
    """A pair whose two networks give the same answers (class numbers)."""
    logits = np.eye(classes, dtype=np.float32)[np.asarray(answers)] * 5
    return Outputs(logits, logits, np.ones(len(labels)), np.ones(len(labels), bool), np.asarray(labels))


def test_the_worst_class_of_each_role_by_name():
    little, big = [0, 0, 0, 1], [0, 0, 2, 2]
    one_hot = np.eye(3, dtype=np.float32)
    kept = np.array([True, True, False, False])
    answers = Outputs(one_hot[little], one_hot[big], np.ones(4), kept, np.array([0, 0, 1, 2]))
    found = balance(answers, ("a", "b", "c"))
    assert found["little"]["worst_class"] == {"class": "b", "images": 1, "accuracy": 0.0}
    assert found["routed"] == {
        "balanced_accuracy": pytest.approx(2 / 3), "worst_class": {"class": "b", "images": 1, "accuracy": 0.0}
    }  # fmt: skip
    assert balance(answers, ())["big"]["worst_class"]["class"] == "1"


def test_always_answering_the_common_class_is_no_better_than_itself():
    labels = np.arange(400) % 100 == 0
    found = majority(outputs(np.zeros(400, int), labels.astype(int)), ("common", "rare"))
    assert found == {
        "class": "common", "accuracy": 0.99, "balanced_accuracy": 0.5, "p_value": 1.0, "better": False, "images": 400,
        "imbalance": 99.0,
    }  # fmt: skip


def test_what_finds_the_rare_class_is_better_and_what_pays_as_much_for_it_is_not():
    labels = (np.arange(400) % 20 == 0).astype(int)
    assert majority(outputs(labels, labels), ())["better"]
    false_alarms = labels.copy()
    false_alarms[1:400:20] = 1  # as many common images are lost as rare ones are found
    found = majority(outputs(false_alarms, labels), ())
    assert not found["better"] and found["p_value"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("classes", "count"), [(2, 40), (5, 150)])
def test_answers_that_know_nothing_are_seldom_called_better(classes, count):
    rng = np.random.default_rng(classes)
    answers, labels = rng.integers(0, classes, (2, 200, count))
    called = [majority(outputs(a, b, classes), ())["better"] for a, b in zip(answers, labels, strict=True)]
    assert np.mean(called) <= 0.05
