"""A small space and an evaluator whose answers are drawn, better and surer for larger archs."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.options import SpaceOptions
from duonas.core.pair import NestedPairs
from duonas.core.rng import stream
from duonas.costs.counting import analytic
from duonas.search.evaluate import SubnetResult
from duonas.spaces.mobilenet import FAMILY


class DrawnAnswers:
    """Answers that are a function of the subnet alone; remembers which it was asked."""

    def __init__(self, pairs, images=60, classes=4):
        self.pairs, self.asked = pairs, []
        rng = stream(0, "labels")
        self.labels = rng.integers(0, classes, images)
        self.hard = rng.random(images)

    def evaluate(self, subnet):
        self.asked.append(subnet)
        cost = analytic(self.pairs.blocks(subnet))
        rng = stream(0, "logits", subnet.id)
        gain = np.log(cost.macs) * (1.2 - self.hard)
        logits = np.eye(4)[self.labels] * gain[:, None] + 3 * rng.normal(size=(len(self.labels), 4))
        logits = logits.astype(np.float32)
        return SubnetResult(subnet, logits, float((logits.argmax(1) == self.labels).mean()), cost)


@pytest.fixture(scope="session")
def pairs():
    """Nested pairs of a small space of 32 x 32 images, with two resolutions so that some pairs share no stem."""
    options = SpaceOptions(preset="cifar", axes={"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]})
    return NestedPairs(FAMILY.space(options, 32, 4))


@pytest.fixture
def evaluator(pairs):
    """Fresh, so that its memory is one test's own."""
    return DrawnAnswers(pairs)
