"""What a threshold makes of a constraint of the search."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.routing.constraints import Constraint, ConstraintCheck, allowed


@given(st.integers(1, 5000), st.data())
def test_a_figure_is_that_of_the_share_of_so_many_images(images, data):
    kept = data.draw(st.integers(0, images))
    each = Constraint("expected_macs", 1.0, "min", np.arange(images + 1.0))
    assert each.at(np.array([kept / images])) == kept and each.check(kept / images).figure == kept


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (ConstraintCheck("expected_latency_ms", 0.12, "min", 0.209),
         "the search kept expected_latency_ms to at most 0.12 ms, but the deployed pair has 0.209 ms on calib, "
         "74.2% above it"),
        (ConstraintCheck("peak_macs", 4e6, "min", 3e6),
         "the search kept peak_macs to at most 4,000,000, and the deployed pair has 3,000,000 on calib"),
        (ConstraintCheck("mine.py:Up", 10.0, "max", 8.0),
         "the search kept mine.py:Up to at least 10, but the deployed pair has 8 on calib, 20.0% below it"),
        (ConstraintCheck("mine.py:Up", 10.0, "max", None),
         "the search kept mine.py:Up to at least 10; that of the deployed pair is not known"),
    ],
)  # fmt: skip
def test_it_says_by_how_much(check, sentence):
    assert check.sentence == sentence
    assert ConstraintCheck.from_json(json.loads(json.dumps(check.to_json()))) == check
    assert check.kept is (check.figure == 3e6)


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
