"""A target that deploys a threshold far from the point that the search chose."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.routing.moved import moved
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet


def judged(little, big=0.9, images=100):
    """Images of falling score, of which little is right on the first ones and big on all but the last ones."""
    number = np.arange(images)
    return CalibrationSet(
        ladder=np.array([np.inf, -np.inf], np.float32),
        score=-number.astype(np.float32),
        little_right=number < little * images,
        big_right=number < big * images,
        labels=number % 2,
        classes=2,
    )


def at(tau, **choice):
    """A policy of which only the threshold and the target count."""
    made = object.__new__(Policy)
    vars(made).update(tau=tau, choice=choice)
    return made


@pytest.mark.parametrize("target", ["share", "budget", "budget_ms", "latency", "energy"])
def test_a_point_that_is_worse_by_more_than_chance_is_said_with_the_way_back(target):
    said = moved(at(-69.5, **{target: 0.7}), judged(0.2), 0.1, 0.477, "runs/mine")
    assert said == (
        "the search chose this pair at a little share of 10.0%, with an accuracy of 47.7% on val, but [route] "
        f"{target.partition('_')[0]} deploys it at 70.0%, where 40.0% of the answers on calib are right instead of "
        "90.0%: choose that point by `duonas route runs/mine --share 10.0%`, or in the recipe by "
        "`--set route.share=0.1`."
    )


@pytest.mark.parametrize(
    ("policy", "images"),
    [
        (at(-69.5, floor=0.4), judged(0.2)),  # a floor is a choice of accuracy
        (at(-69.5, within_big=0.005), judged(0.2)),
        (at(-69.5, share=0.7), judged(0.68)),  # two images
        (at(-9.5, share=0.1), judged(0.2)),  # the search's own point
        (at(np.inf, share=0.0), judged(0.2)),  # more accurate, and dearer
    ],
)
def test_nothing_is_said_of_what_chance_explains_or_was_asked_for(policy, images):
    assert moved(policy, images, 0.1, 0.477, "runs/mine") == ""
