"""The sandwich rule's losses and where their gradients go."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.training.losses import label_loss
from duonas.training.optim import AveragedWeights, build_optimizer, learning_rate
from duonas.training.rules.sandwich import Sandwich
from support.distillation import distillation_loss


def supernet():
    table = MobileNet.Options(preset="digits", axes={"depth": [1, 2]})
    net = MobileNet.supernet(MobileNet.space(table, 8, 4), (0.5,) * 3, (0.2,) * 3, stream(0, "init"), table)
    return PairSupernet(NestedPairs(net.space), net).train()


class Watched:
    """Passes on to the network, and notes which archs ran, with their logits, and whether dropout reached them."""

    def __init__(self, net):
        self.net, self.seen, self.together = net, [], net.together

    def __call__(self, images, subnet, feature_mask=None):
        logits = self.net(images, subnet, feature_mask)
        self.seen.append((subnet.arch, logits, feature_mask))
        return logits


def step(options):
    """The archs that ran with their logits, and whether dropout reached them."""
    net = supernet()
    watched = Watched(net)
    images, targets = torch.rand(6, 3, 8, 8), torch.randint(0, 4, (6,))
    given = Step(images, targets, stream(0, "x"), lambda loss: loss.backward())
    losses = Sandwich(net.pairs, options).step(watched, given)
    return net, watched.seen, losses, targets


def test_largest_learns_from_labels_and_all_others_from_largest():
    net, seen, losses, targets = step(options_for("train", random_archs=2, label_smoothing=0.1, temperature=2.0))
    archs = [arch for arch, _, _ in seen]
    assert archs[0] == net.pairs.space.largest() and archs[1] == net.pairs.space.smallest() and len(archs) == 4
    teacher = seen[0][1]
    torch.testing.assert_close(losses["largest"], label_loss(teacher, targets, 0.1).detach())
    torch.testing.assert_close(losses["smallest"], distillation_loss(seen[1][1], teacher, 2.0).detach())


def test_dropout_touches_the_largest_only():
    _, seen, _, _ = step(options_for("train", dropout=0.5))
    masks = [mask for _, _, mask in seen]
    assert masks[1:] == [None] * 3
    assert set(masks[0].unique().tolist()) == {0.0, 2.0}


def test_weight_decay_spares_norms_and_biases():
    net = supernet()
    decayed, spared = build_optimizer(net, options_for("train", weight_decay=0.1)).param_groups
    assert decayed["weight_decay"] == 0.1 and spared["weight_decay"] == 0.0
    assert {id(p) for p in spared["params"]} == {id(p) for n, p in net.named_parameters() if "norm" in n or "bias" in n}


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_learning_rate_warms_up_then_falls(schedule):
    options = options_for("train", lr=0.4, schedule=schedule, lr_end=0.05, warmup_epochs=2)
    rates = np.array([learning_rate(step, 1000, 50, options) for step in range(1000)])
    assert rates.argmax() == 100 and np.isclose(rates.max(), 0.4)
    assert (np.diff(rates[:100]) > 0).all() and (np.diff(rates[100:]) <= 0).all()
    if schedule == "exponential":
        assert np.allclose(rates[-80:], 0.4 * 0.05)  # BigNAS's constant ending
    else:
        assert rates[-1] < 1e-4


def test_processes_with_nothing_to_draw_cannot_share_subnets():
    pairs = supernet().pairs
    with pytest.raises(DuonasError, match=r"set random_archs to at least 1"):
        Sandwich(pairs, options_for("train", processes="subnets", random_archs=0))


def test_the_average_follows_and_a_decay_of_zero_copies():
    net = torch.nn.Linear(2, 2)
    copy, slow = AveragedWeights(net, 0.0), AveragedWeights(net, 0.9)
    start = net.weight.detach().clone()
    with torch.no_grad():
        net.weight.add_(1)
    copy.update(net, 10_000)
    slow.update(net, 10_000)
    assert torch.equal(copy.values["weight"], net.weight)
    torch.testing.assert_close(slow.values["weight"], start + 0.1)


@pytest.mark.parametrize("coupling", ["independent", "sibling"])
def test_the_largest_little_that_shares_nothing_learns_from_labels_too(make, take, coupling):
    net = make(coupling, axes={"depth": [1, 2]})
    watched, losses, targets = take(Sandwich(net.pairs, options_for("train")), net)
    place = watched.subnets.index(net.pairs.largest_subnets()[1])
    logits, teacher = watched.logits[place], watched.logits[0]
    expected = distillation_loss(logits, teacher)
    if coupling == "independent":
        expected = expected + label_loss(logits, targets)
    torch.testing.assert_close(losses["little_largest"], expected)
