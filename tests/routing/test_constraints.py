"""What a threshold makes of a constraint of the search."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.routing.constraints import Constraint, ConstraintCheck, Prediction, allowed
from duonas.runtime import machine


@given(st.integers(1, 5000), st.data())
def test_a_figure_is_that_of_the_share_of_so_many_images(images, data):
    kept = data.draw(st.integers(0, images))
    each = Constraint("expected_macs", 1.0, "min", np.arange(images + 1.0))
    assert each.at(np.array([kept / images])) == kept and each.check(kept / images).figure == kept


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (ConstraintCheck("expected_latency_ms", 0.12, "min", 0.209, True, Prediction("pi.csv", "Raspberry Pi 5")),
         "the search kept expected_latency_ms to at most 0.12 ms, but the deployed pair is predicted to have 0.209 ms "
         "by the device table pi.csv of Raspberry Pi 5, with its little share on calib, 74.2% above it"),
        (ConstraintCheck("peak_latency_ms", 0.5, "min", 0.25, False, Prediction("here")),
         "the search kept peak_latency_ms to at most 0.5 ms, and the deployed pair is predicted to have 0.25 ms by the "
         "device table of the machine of the run"),
        (ConstraintCheck("peak_macs", 4e6, "min", 3e6),
         "the search kept peak_macs to at most 4,000,000, and the deployed pair has 3,000,000"),
        (ConstraintCheck("expected_macs", 4e6, "min", 3e6, True),
         "the search kept expected_macs to at most 4,000,000, and the deployed pair has 3,000,000 on calib"),
        (ConstraintCheck("expected_latency_ms", 2.0, "min", 1.5, True, Prediction("", "a board"), "route"),
         "the target of [route] kept expected_latency_ms to at most 2 ms, and the deployed pair is predicted to have "
         "1.5 ms by the times that it had when the threshold was chosen, with its little share on calib"),
        (ConstraintCheck("mine.py:Up", 10.0, "max", 8.0),
         "the search kept mine.py:Up to at least 10, but the deployed pair has 8, 20.0% below it"),
        (ConstraintCheck("mine.py:Up", 10.0, "max", None),
         "the search kept mine.py:Up to at least 10; that of the deployed pair is not known"),
    ],
)  # fmt: skip
def test_it_says_by_how_much_and_what_is_only_predicted(check, sentence):
    assert check.sentence == sentence
    assert ConstraintCheck.from_json(json.loads(json.dumps(check.to_json()))) == check
    assert check.kept is (", and the deployed pair" in sentence)


def test_a_check_of_an_earlier_version_does_not_tell_what_predicted_it():
    value = {"name": "peak_latency_ms", "limit": 2.0, "direction": "min", "figure": 1.0, "kept": True}
    assert ConstraintCheck.from_json(value).sentence.endswith("and the deployed pair has 1 ms")
    with pytest.raises(ValueError, match="by 'me'"):
        ConstraintCheck.from_json(value | {"by": "me"})


@pytest.mark.parametrize(
    ("prediction", "here"),
    [
        (Prediction("here", "this board"), True),
        (Prediction("here", "another board"), False),  # of a run that was copied to this machine
        (Prediction("pi.csv", "this board"), True),
        (Prediction("here"), True),
        (Prediction("pi.csv"), False),
    ],
)
def test_a_table_is_of_this_machine_or_of_another_one(prediction, here, monkeypatch):
    monkeypatch.setattr(machine, "device_name", lambda: "this board")
    assert prediction.is_here is here


def test_a_target_counts_instead_of_a_constraint_on_the_same_quantity():
    shares = np.array([0.0, 0.5, 1.0])
    constraints = [
        Constraint("expected_macs", 1.0, "min", np.array([3.0, 2.0, 1.0])),
        Constraint("mine.py:Up", 1.5, "max", np.array([2.0, 2.0, 1.0])),
        Constraint("params", 1.0, "min", np.array([9.0])),
    ]
    assert allowed(constraints, shares).tolist() == [False, False, False]
    assert allowed(constraints, shares, "expected_macs").tolist() == [True, True, False]
    assert allowed((), shares).tolist() == [True, True, True]
