"""One resolution for all subnets of a step."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from duonas.core.axis import Axis
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet, MobileNetSpace
from duonas.training.resolution import OneResolution
from duonas.training.rules.sandwich import Sandwich

SPACE = MobileNet.space(MobileNet.Options(preset="cifar", axes={"depth": [1, 2]}), 32, 4)
PAIRS = pair_space(SPACE, "partial")


class Watched:
    """A network that remembers what it was asked and answers at random."""

    def __init__(self):
        self.archs, self.made = [], None

    def __call__(self, images, subnet, feature_mask=None):
        self.archs.append(SPACE.validate(subnet.arch))
        return torch.randn(len(images), 4, requires_grad=True)

    def pair(self, images, pair, feature_mask=None):
        assert PAIRS.contains(pair)
        self.archs += [pair.little, pair.big]

    def together(self, subnets, mixed=()):
        self.made = [SPACE.validate(subnet.arch) for subnet in subnets]
        return nullcontext()


class DrawsPairs(Sandwich):
    """A rule of pairs: the network is all that it may ask."""

    def step(self, network, given):
        for _ in range(5):
            network.pair(given.images, self.pairs.sample(given.rng))
        return {"loss": torch.zeros(())}


def resolutions(rule, step):
    network = Watched()
    rule.step(network, Step(torch.rand(2, 3, 32, 32), torch.tensor([0, 1]), stream(0, step), lambda loss: None))
    assert network.made in (None, network.archs)  # weights are made for the archs that run
    return [SPACE.value(arch, "resolution") for arch in network.archs]


@pytest.mark.parametrize("rule", [Sandwich, DrawsPairs])
def test_all_subnets_of_a_step_look_at_the_same_images(rule):
    options = options_for("train", random_archs=3)
    free, one = rule(PAIRS, options), OneResolution(rule(PAIRS, options), PAIRS)
    assert any(len(set(resolutions(free, step))) > 1 for step in range(20))
    drawn = [set(resolutions(one, step)) for step in range(20)]
    assert all(len(found) == 1 for found in drawn) and set.union(*drawn) == {24, 32}


def test_nothing_but_the_resolution_changes():
    arch = SPACE.sample(stream(1))
    other = SPACE.changed(arch, "resolution", 1 - arch["resolution"])
    assert [name for name, index in other.choices if index != arch[name]] == ["resolution"]


def test_a_space_without_resolutions_is_refused():
    class Fixed(MobileNetSpace):
        def __init__(self):
            super().__init__(SPACE.preset, 32, 4)
            self.axes = {"width": Axis("width", (1,))}

    with pytest.raises(DuonasError, match=r"resolution = 'batch' needs an axis 'resolution', which .* 'mobilenet'"):
        OneResolution(Sandwich(PAIRS, options_for("train")), pair_space(Fixed(), "sibling"))
