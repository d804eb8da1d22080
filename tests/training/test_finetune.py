"""Plain networks in the one training loop: a pair together, a network alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from duonas.core.couplings import IndependentPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.costs.analytic import analytic, pair_cost
from duonas.costs.count import count_macs
from duonas.pair.facts import PairFacts
from duonas.pair.pair import Pair
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.training.finetune import JointTraining, SupervisedTraining, feature_dropout
from duonas.training.loop import Training, train
from duonas.training.options import FinetuneOptions, LossOptions, PairLossOptions, PairTraining
from duonas.training.rules.cotrain import Cotrain
from duonas.training.rules.sandwich import Sandwich

OPTIONS = PairTraining(epochs=2, lr=0.05, dropout=0.2, checkpoint_seconds=1e-9, accelerator="cpu")


def pair_net():
    """The smallest and the largest digits network, with fresh weights; equal at every call."""
    table = MobileNet.Options(
        preset="digits", axes={"depth": [1], "kernel": [3], "expansion": [2], "width": [0.25, 0.5]}
    )
    space = MobileNet.space(table, 8, 2)
    net = PairSupernet(pair_space(space), MobileNet.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init"), table))
    return net.extract_pair(PairArch(space.smallest(), space.largest()))


class Halves:
    """Images whose bright half tells the class."""

    def __init__(self, killed_at=None):
        self.killed_at = killed_at

    def __len__(self):
        return 6

    def batch(self, step):
        if step == self.killed_at:
            raise KeyboardInterrupt
        rng = stream(1, step)
        targets = torch.from_numpy(rng.integers(0, 2, 32))
        images = torch.from_numpy(rng.random((32, 3, 8, 8)) * 0.3).float()
        images[targets == 1, :, :, 4:] += 0.6
        images[targets == 0, :, :, :4] += 0.6
        return images, targets


def gradients(net, rule):
    """By parameter after one step; zeros where none came."""
    net.train()
    losses = rule.step(net, Step(*Halves().batch(0), stream(2), lambda loss: loss.backward()))
    grads = {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in net.named_parameters()}
    net.zero_grad()
    return losses, grads


def together(net, **weights):
    return JointTraining(net, replace(OPTIONS, dropout=0.0, **weights))


def test_the_loss_is_the_weighted_sum_and_gets_the_gradients_of_its_terms():
    net = pair_net()
    _, big = gradients(net, together(net, alpha=0, beta=0))
    losses, all_ = gradients(net, together(net, alpha=0.5, beta=2))
    _, little = gradients(net, together(net, alpha=0.5, beta=0))
    assert losses["loss"] == pytest.approx(losses["big"] + 0.5 * losses["little"] + 2 * losses["distillation"])
    for name in big:
        if name.startswith("big."):  # big learns from labels alone: it is no student of little
            torch.testing.assert_close(all_[name], big[name])
        if name.startswith("little."):
            assert not big[name].any() and not torch.equal(all_[name], little[name])
    assert any(not torch.equal(all_[n], big[n]) for n in big if n.startswith("stem."))  # shared, so it hears both


def test_a_network_alone_learns_from_labels_only():
    net = pair_net().towers()["little"]
    rule = SupervisedTraining(net, replace(OPTIONS, dropout=0.0, label_smoothing=0.1))
    images, targets = Halves().batch(0)
    losses, grads = gradients(net, rule)
    expected = F.cross_entropy(net(images), targets, label_smoothing=0.1)
    assert losses.keys() == {"loss"} and losses["loss"] == pytest.approx(expected.item(), rel=1e-4)
    assert all(g.any() for n, g in grads.items() if n.endswith("weight") and n.startswith("head"))


def test_dropout_is_the_rngs_touches_big_alone_and_leaves_no_trace():
    net = pair_net()
    images, _ = Halves().batch(0)
    seen = []
    net.big.head[-1].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with feature_dropout(net.big, 0.5, stream(3)):
        dropped = net(images)
    with feature_dropout(net.big, 0.5, stream(3)):
        again = net(images)
    plain = net(images)
    assert torch.equal(dropped.big, again.big) and not torch.equal(dropped.big, plain.big)
    assert torch.equal(dropped.little, plain.little)
    kept = seen[0] != 0
    assert torch.equal(seen[0][kept], 2 * seen[2][kept])
    assert 0.3 < kept[seen[2] != 0].float().mean() < 0.7


def test_dropout_without_a_linear_classifier_is_refused():
    net = torch.nn.Conv2d(3, 2, 1)
    with feature_dropout(net, 0.0, stream(3)):
        net(torch.zeros(1, 3, 8, 8))
    with pytest.raises(DuonasError, match="this network has none"), feature_dropout(net, 0.5, stream(3)):
        net(torch.zeros(1, 3, 8, 8))


EVERYTHING = {
    "weighting": "l2w", "l2w_every": 2, "gatekeeper": 0.5, "consistency": 0.2, "little_share": 0.6,
}  # fmt: skip


def loss_of(**table):
    return options_for("finetune", loss=table).loss


@pytest.mark.parametrize("loss", [{}, EVERYTHING, {"weighting": "hard"}, None])
def test_killed_and_started_again_is_never_killed(tmp_path, loss):
    """Of a pair with every kind of loss, and of a network alone."""

    def go(folder, batches):
        net = pair_net().towers()["big"] if loss is None else pair_net()
        rule = SupervisedTraining(net, OPTIONS) if loss is None else together(net, beta=0.5, loss=loss_of(**loss))
        train(net, batches, rule, OPTIONS, Training(folder))
        return net.state_dict() | rule.weights.state_dict(prefix="rule/")

    whole = go(tmp_path / "whole", Halves())
    for step in (7, 8):
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "killed", Halves(killed_at=step))
    resumed = go(tmp_path / "killed", Halves())
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def changed(ours, theirs, prefix):
    """Whether gradients of parameters whose names begin so differ."""
    return any(not torch.equal(value, theirs[name]) for name, value in ours.items() if name.startswith(prefix))


def test_terms_and_weights_of_images_are_in_the_loss():
    net = pair_net()
    _, plain = gradients(net, together(net))
    losses, more = gradients(net, together(net, loss=loss_of(gatekeeper=0.5, consistency=0.2)))
    parts = losses["big"] + losses["little"] + losses["distillation"]
    assert losses["loss"] == pytest.approx(parts + 0.5 * losses["gatekeeper"] + 0.2 * losses["consistency"])
    assert changed(more, plain, "big.")  # by the consistency
    _, weighed = gradients(net, together(net, loss=loss_of(weighting="hard", hard_weight=3.0)))
    assert changed(weighed, plain, "big.") and not changed(weighed, plain, "little.")


def test_a_share_that_is_given_comes_before_that_of_the_search():
    shares = [JointTraining(pair_net(), replace(OPTIONS, loss=loss), 0.3).weighting.trained.little_share
              for loss in (loss_of(), loss_of(little_share=0.8))]  # fmt: skip
    assert shares == [0.3, 0.8]


def test_both_learn(tmp_path):
    net = pair_net()
    options = replace(OPTIONS, epochs=8, dropout=0.0, warmup_epochs=0)
    train(net, Halves(), together(net), options, Training(tmp_path))
    images, targets = Halves().batch(99)
    with torch.inference_mode():
        answer = net(images)
    assert all((logits.argmax(1) == targets).float().mean() > 0.9 for logits in (answer.little, answer.big))


def test_what_independent_networks_cost_is_what_runs():
    """Nothing is shared, so the dearest path computes two stems."""
    table = MobileNet.Options(preset="digits", axes={"depth": [1]})
    space = MobileNet.space(table, 8, 2)
    supernet = PairSupernet(pair_space(space), MobileNet.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0), table))
    pair, apart = PairArch(space.smallest(), space.largest()), IndependentPairs(space)
    little, big = (supernet.extract(subnet) for subnet in supernet.pairs.subnets(pair))
    net = Pair.join(little, big, PairFacts.of(apart, pair, analytic))
    cost = pair_cost(apart, pair)
    assert cost.stem == 0 and net.stem is None
    assert (
        count_macs(net, torch.zeros(1, 3, 8, 8)) == cost.peak == count_macs(little, torch.zeros(1, 3, 8, 8)) + cost.big
    )
    assert cost.peak > pair_cost(supernet.pairs, pair).peak


def test_options_that_are_not_given_are_those_of_train():
    loss = LossOptions(alpha=0.7, beta=0.2)
    common = {"epochs": 40, "lr": 0.2, "batch_size": 64, "temperature": 4.0, "dropout": 0.3}
    given, same = Cotrain.Options(**common, loss=loss), PairTraining(**common, rule="cotrain", alpha=0.7, beta=0.2)
    assert FinetuneOptions(mode="independent").over(given) == same
    assert FinetuneOptions(mode="scratch").over(Sandwich.Options(**common)).alpha == 1.0
    assert FinetuneOptions(mode="scratch", epochs=3, lr=0.5).over(given) == replace(same, epochs=3, lr=0.5)
    joint = FinetuneOptions(mode="joint", temperature=1.0, loss=PairLossOptions(beta=3.0)).over(given)
    assert joint == replace(same, epochs=20, temperature=1.0, beta=3.0, loss=PairLossOptions(beta=3.0))
    assert FinetuneOptions(mode="joint", lr=0.3, epochs=7).over(given).lr == 0.3


def test_steps_stand_in_place_of_epochs_and_epochs_that_are_given_in_place_of_the_steps_of_train():
    given = Sandwich.Options(epochs=40, steps=301)
    assert given.length(10) == 301 and replace(given, steps=None).length(10) == 400
    assert given.covering(10).epochs == 31 and replace(given, steps=None).covering(10).epochs == 40
    assert FinetuneOptions(mode="scratch").over(given).length(10) == 301
    assert FinetuneOptions().over(given).length(10) == 151
    assert FinetuneOptions(mode="scratch", epochs=3).over(given).length(10) == 30
    assert FinetuneOptions(mode="scratch", epochs=3, steps=7).over(given).length(10) == 7
