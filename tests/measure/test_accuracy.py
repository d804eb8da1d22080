from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.cost import PairCost
from duonas.measure.accuracy import (
    Outputs,
    accuracies,
    by_difficulty,
    calibration,
    outcomes,
    per_class,
    routing,
)
from duonas.measure.sensitivity import slope


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
    rows = per_class(EXAMPLE, ("a", "b", "c", "d"), 1.0)
    assert [row["class"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["images"] for row in rows] == [2, 1, 1, 1]
    first = {name: rows[0][name] for name in ("little_share", "little", "big", "routed")}
    assert first == {"little_share": 1.0, "little": 0.5, "big": 1.0, "routed": 0.5}
    assert sum(row["images"] * row["routed"] for row in rows) / 5 == pytest.approx(accuracies(EXAMPLE)["routed"])


def test_a_class_is_believed_as_little_calls_it():
    """Of the two images that little calls "a" one is: it should be half sure."""
    sure = np.exp(5) / (np.exp(5) + 3)
    rows = per_class(EXAMPLE, ("a", "b", "c", "d"), 5 / np.log(3))
    assert [row["called"] for row in rows] == [2, 1, 1, 1]
    assert rows[0]["ece_before_temperature"] == pytest.approx(sure - 1 / 2, abs=1e-6)
    assert rows[0]["ece"] == pytest.approx(0, abs=1e-6)
    assert rows[2]["ece_before_temperature"] == pytest.approx(1 - sure, abs=1e-6)


def test_a_class_without_images_has_no_figures():
    (*_, last) = per_class(outputs([0], [0], [1], [0]), (), 1.0)
    assert last.pop("class") == "3" and last.pop("images") == last.pop("called") == 0
    assert set(last.values()) == {None}


def test_outcomes_of_a_case_counted_by_hand():
    found = {row["right"]: (row["images"], row["little_share"]) for row in outcomes(EXAMPLE)}
    assert found == {"both": (2, 0.5), "only_big": (2, 0.5), "only_little": (0, None), "neither": (1, 0.0)}


def test_difficulty_is_bigs_loss():
    labels, count = np.zeros(50, int), 50
    big = np.zeros((count, 4), np.float32)
    big[:, 0] = np.random.default_rng(0).permutation(count) / 5  # the higher, the easier
    kept = big[:, 0] >= 6
    answers = Outputs(big, big, big[:, 0], kept, labels)
    rows = by_difficulty(answers)
    assert [row["images"] for row in rows] == [5] * 10
    assert [row["little_share"] for row in rows] == [1.0] * 4 + [0.0] * 6
    edges = [edge for row in rows for edge in (row["lowest_loss"], row["highest_loss"])]
    assert edges == sorted(edges) and edges[-1] == pytest.approx(np.log(4))
    assert [row["images"] for row in by_difficulty(EXAMPLE)] == [1] * 5


def test_calibration_before_and_after():
    right = np.arange(100) < 70
    logits = outputs(np.where(right, 0, 1), [0], [1], [0]).little_logits
    found = calibration(logits, np.zeros(100, int), 5 / np.log(0.7 / 0.1))
    assert found["ece"] == pytest.approx(0, abs=1e-6)
    sure = np.exp(5) / (np.exp(5) + 3)
    assert found["ece_before_temperature"] == pytest.approx(sure - 0.7, abs=1e-6)
    for table, confidence in (("reliability", 0.7), ("reliability_before_temperature", sure)):
        (full,) = [row for row in found[table] if row["count"]]
        assert full["count"] == 100 and full["confidence"] == pytest.approx(confidence, abs=1e-6)


@pytest.mark.parametrize("before", [False, True])
def test_the_slope_is_what_a_nudge_really_changes(before):
    rng = np.random.default_rng(0)
    score, labels = rng.random(400).astype(np.float32), np.zeros(400, int)
    little, big = (rng.random(400) > score).astype(int), (rng.random(400) > 0.9).astype(int)
    answers = outputs(little, big, score >= 0.4, labels, score)
    cost = PairCost(stem=100, router=0, little=200, big=900, before=before)
    found = slope(answers, 0.4, cost)

    def at(tau, value=None):
        kept = score >= tau
        return kept.mean() if value else np.where(kept, little == 0, big == 0).mean()

    low, high = 0.4 - found.nudge, 0.4 + found.nudge
    assert found.accuracy == max(abs(at(tau) - at(0.4)) for tau in (low, high)) > 0
    share = max(abs(at(tau, "share") - at(0.4, "share")) for tau in (low, high))
    assert found.macs == pytest.approx(share * (700 if before else 900) / 1000)
    assert found.share_slope == pytest.approx(-1, abs=0.2)  # the scores are uniform
    assert found.accuracy_slope == pytest.approx((at(high) - at(low)) / (high - low))
    assert found.to_json()["verdict"] in ("robust", "moderately sensitive", "fragile")
    assert slope(answers, np.inf, cost) is None


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
