"""A small space and an evaluator whose answers are drawn, better and surer for larger archs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from duonas.core.cost import RouterCost
from duonas.core.couplings import NestedPairs
from duonas.core.protocols import CostModel, silent
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.search.evaluate import NO_READINGS, SubnetResult
from duonas.search.goal import Goal, default_objectives
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.search import search
from duonas.spaces.mobilenet import MobileNet


class Timed(CostModel):
    """A device on which time has little to do with MACs, and on which routing takes time of its own.

    Args:
        launch: ms to start a block.
        keep: ms that routing adds to every image.
        ask: ms that asking big adds.
    """

    quantities = ("macs", "latency_ms", "energy_mj")

    def __init__(self, launch=0.01, keep=0.0, ask=0.0):
        self.launch, self.cost = launch, {"latency_ms": RouterCost(keep, ask), "energy_mj": RouterCost(2 * keep)}

    def __call__(self, blocks):
        counted = analytic(blocks)
        time = sum(self.launch + block.macs / 1e7 for block in blocks)
        return replace(counted, latency_ms=time, energy_mj=3 * time)

    def routing(self, router):
        return self.cost if router == "margin@after_little" else {}


class DrawnAnswers:
    """Answers that are a function of the subnet alone; remembers which it was asked."""

    def __init__(self, pairs, images=60, classes=4):
        self.pairs, self.asked, self.described = pairs, [], []
        rng = stream(0, "labels")
        self.labels = rng.integers(0, classes, images)
        self.hard = rng.random(images)

    def logits(self, subnet):
        rng = stream(0, "logits", subnet.id)
        gain = np.log(analytic(self.pairs.blocks(subnet)).macs) * (1.2 - self.hard)
        logits = np.eye(4)[self.labels] * gain[:, None] + 3 * rng.normal(size=(len(self.labels), 4))
        return logits.astype(np.float32)

    def evaluate(self, subnet, readings=NO_READINGS):
        self.asked.append(subnet)
        return SubnetResult.of(subnet, self.logits(subnet), self.labels, readings)

    def kept(self, name, about, compute, wanted=()):
        return compute()

    def describe(self, router, subnet, shared):
        """How hard an image is, seen the better the more blocks have run, and otherwise like little."""
        blocks = self.pairs.blocks(subnet)[:shared]
        self.described.append((router.name, blocks))
        noise = stream(0, "seen", *map(str, blocks)).normal(size=len(self.hard)) / (1 + shared)
        return torch.from_numpy((self.hard + 0.2 * noise).astype(np.float32))[:, None]


def searched(pairs, evaluator, options, routers, seed, progress=silent, model=analytic):
    """A search as the pipeline makes it."""
    problem = Problem(
        Goal(options.objectives or default_objectives(model.quantities), options.constraints),
        Prices(pairs, model, routers),
    )
    return search(problem, evaluator, options, seed, progress)


@pytest.fixture
def timed():
    """The class of devices with made-up times."""
    return Timed


@pytest.fixture(name="search")
def search_fixture():
    return searched


class AtInput(Router):
    """A router of the images, dear on small devices; there is nothing in it to fit."""

    name, positions, macs = "at-input", ("input",), 90_000

    def judge(self, described):
        return described.flatten(1).sum(1)


class AtStem(Router):
    """A router that learns on which side of a mean littles are right."""

    name, positions, macs = "at-stem", ("stem", "input"), 20_000

    def __init__(self, sign=0.0):
        self.sign = sign

    def judge(self, described):
        return self.sign * described[:, 0]

    def fit(self, described, answers, rng):
        right = torch.from_numpy(answers.little_right)
        apart = described[right, 0].mean() - described[~right, 0].mean()
        return AtStem(float(apart > 0) - float(apart < 0))


@pytest.fixture
def routers():
    """One at each position."""
    return Confidence(), AtInput(), AtStem()


@pytest.fixture(scope="session")
def pairs():
    """Nested pairs of a small space of 32 x 32 images, with two resolutions so that some pairs share no stem."""
    options = MobileNet.Options(preset="cifar", axes={"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]})
    return NestedPairs(MobileNet.space(options, 32, 4))


@pytest.fixture
def evaluator(pairs):
    """Fresh, so that its memory is one test's own."""
    return DrawnAnswers(pairs)
