from __future__ import annotations

from dataclasses import replace

import pytest

from duonas.measure.promise import unlike_calib
from duonas.runtime.policy import Row


@pytest.fixture
def policy(measured):
    """One that was chosen at an accuracy of 74.5 % on 184 calib images."""
    row = Row(0.5, 0.6, 137 / 184, 0.686, 0.797, 0.7, 9e6)
    return replace(measured[2], tau=0.5, table=(row,), images=184, choice={"floor": 0.7}, floor_on="accuracy")


@pytest.mark.parametrize(("accuracy", "images"), [(0.75, 372), (0.70, 372), (0.78, 100)])
def test_a_promise_that_was_kept_on_images_like_calib_is_not_mentioned(policy, accuracy, images):
    assert unlike_calib(policy, {"accuracy": accuracy}, images) == ""


def test_a_missed_floor_is_said_and_whether_it_may_be_noise(policy):
    said = unlike_calib(policy, {"accuracy": 0.69}, 372)
    assert said == (
        "the accuracy on test, 69.0%, is below the floor of 70% that calib promised, which may be the noise of the "
        "test images."
    )
    assert "noise" not in unlike_calib(policy, {"accuracy": 0.69}, 100_000)


@pytest.mark.parametrize(
    ("floor_on", "routed", "name"),
    [
        ("balanced", {"balanced_accuracy": 0.6}, "balanced accuracy"),
        ("worst_class", {"worst_class": {"accuracy": 0.6}}, "accuracy of the worst class"),
    ],
)
def test_the_floor_is_that_of_what_was_promised(policy, floor_on, routed, name):
    said = unlike_calib(replace(policy, floor_on=floor_on), {"accuracy": 0.75, **routed}, 372)
    assert said == f"the {name} on test, 60.0%, is below the floor of 70% that calib promised."


@pytest.mark.parametrize("accuracy", [0.62, 0.95])
def test_a_test_split_unlike_calib_is_said_without_a_floor_too(policy, accuracy):
    said = unlike_calib(replace(policy, choice={"budget": 9e6}), {"accuracy": accuracy}, 372)
    assert said.startswith(f"test is unlike calib: the accuracy is {accuracy:.1%} on test and 74.5% on calib")


def test_the_figures_hold_it_and_a_fair_test_split_has_none(measured):
    assert measured[4]["unlike_calib"] == ""
