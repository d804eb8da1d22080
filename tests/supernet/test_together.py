"""Weights of several networks that are made in one pass."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.pair import Subnet
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.generator import LARGE
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.few_shot import FewShot
from duonas.supernet.weights.kshot import Kshot, KshotGenerator
from duonas.supernet.weights.kshot_hypernet import HypernetGenerator, KshotHypernet
from duonas.training.rule import make_rule

HYPERNET = KshotHypernet.Options(dictionary=3, rank=4, start="shared")
IMAGES = torch.from_numpy(stream(0, "images").random((4, 3, 8, 8))).float()
TARGETS = torch.tensor([0, 1, 2, 3])


def cells(weights, coupling="nested"):
    table = NasBench201.Options(channels=2, cells=1, weights=weights)
    pairs = pair_space(build_space(NasBench201, table, 8, 4), coupling)
    towers = [
        build_supernet(NasBench201, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0, role), table)
        for role in pairs.towers
    ]
    for tower in towers:
        for number, weight in enumerate(getattr(tower.generator, "second", {}).values()):  # of which "shared" has zeros
            weight.data.copy_(torch.from_numpy(stream(number).normal(0, 0.1, weight.shape)))
    return PairSupernet(pairs, *towers).train()


def trained(net, rule):
    """Losses and gradients of a step, those of the rule's own weights too."""
    made = make_rule(net.pairs, options_for("train", rule=rule))
    made.prepare(net, 50, 100)
    losses = made.step(net, Step(IMAGES, TARGETS, stream(0, "archs"), lambda loss: loss.backward()))
    weights = (*net.named_parameters(), *made.weights.named_parameters())
    return losses, {name: weight.grad for name, weight in weights if weight.grad is not None}


@pytest.mark.parametrize(
    ("weights", "rule", "coupling"),
    [
        (HYPERNET, "focus-fair", "nested"),
        (Kshot.Options(dictionary=3), "focus-fair", "sibling"),
        (Kshot.Options(dictionary=3), "sandwich", "nested"),
        (HYPERNET, "cotrain", "sibling"),
        (FewShot.Options(), "focus-fair", "nested"),
    ],
)
def test_gradients_are_those_of_weights_made_one_by_one(weights, rule, coupling, monkeypatch):
    losses, gradients = trained(cells(weights, coupling), rule)
    monkeypatch.setattr(PairSupernet, "together", lambda self, *networks: nullcontext())
    theirs, others = trained(cells(weights, coupling), rule)
    assert gradients.keys() == others.keys()
    torch.testing.assert_close(losses, theirs, rtol=1e-4, atol=1e-5)
    for name, gradient in gradients.items():
        assert (gradient - others[name]).norm() <= 1e-4 * (others[name].norm() + 1e-3), name


def test_a_step_makes_the_codes_of_its_networks_once(monkeypatch):
    seen, codes = [], HypernetGenerator.codes
    monkeypatch.setattr(HypernetGenerator, "codes", lambda self, t: seen.append(len(t)) or codes(self, t))
    trained(cells(HYPERNET), "focus-fair")
    assert seen == [6]


@pytest.mark.parametrize("size", [2, 2 * LARGE // 128], ids=["small", "large"])
def test_weights_of_several_archs_are_those_of_each(size):
    """Whether convolutions of a shape are made by one product or each by its own."""
    net = cells(Kshot.Options(dictionary=2))
    space, archs = net.pairs.space, [net.pairs.space.sample(stream(number)) for number in range(4)]
    options = KshotHypernet.Options(dictionary=size, rank=4)
    for generator in (
        HypernetGenerator(space.whole(), space.tokens_shape, options, stream(0)),
        KshotGenerator(space.whole(), space.tokens_shape, size, stream(0)),
    ):
        net.big.generator = generator
        together = net.big.all_specs([(arch, space.blocks(arch), None) for arch in archs])
        for arch, specs in zip(archs, together, strict=True):
            alone = net.big.specs(arch, space.blocks(arch))
            assert specs == alone
            both = ([layer for spec in found for layer in spec.layers] for found in (specs, alone))
            made = [(a.weight, b.weight) for a, b in zip(*both, strict=True) if hasattr(a, "weight")]
            assert made
            for weight, expected in made:
                torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-5)


def test_nothing_is_kept_after_the_block_not_even_by_an_error():
    net = cells(HYPERNET)
    one, other = (Subnet(net.pairs.space.sample(stream(number))) for number in (0, 1))
    with pytest.raises(KeyError), net.together([one, other]):
        net(IMAGES, one).sum().backward()
        raise KeyError
    assert net._ready == [] and all(weight.grad is None for weight in net.big.generator.parameters())
