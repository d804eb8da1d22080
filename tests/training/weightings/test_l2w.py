from __future__ import annotations

import pytest
import torch

from duonas.core.rng import stream
from duonas.testing import WeightingContract
from duonas.testing.weightings import CLASSES, SmallPair
from duonas.training.divergence import make_divergence
from duonas.training.losses import label_losses
from duonas.training.options import DivergenceOptions, PairTraining
from duonas.training.term import PairBatch
from duonas.training.weighting import PairInTraining
from duonas.training.weightings.l2w import L2W


class TestL2W(WeightingContract):
    def weighting(self, trained):
        return L2W(L2W.Options(l2w_every=2), trained)


def batch_of(pair, images, targets):
    little, big, _ = pair(images)
    return PairBatch(images, targets, little, big, None, make_divergence(DivergenceOptions()))


def drawn(seed, count=24):
    """Images whose class is the channel that is bright."""
    rng = stream(seed, "drawn")
    images, targets = torch.from_numpy(rng.random((count, 3, 4, 4))).float(), torch.arange(count) % CLASSES
    images[torch.arange(count), targets] += 0.5
    return images, targets


def test_the_derivative_is_that_of_the_routed_loss_after_the_step():
    """By finite differences of each image's weight, through a step of SGD that is written out."""
    options, share = PairTraining(lr=0.1, alpha=0.7), 0.5
    pair, (images, targets) = SmallPair().train(), drawn(1)
    weighting = L2W(L2W.Options(), PairInTraining(pair, options, share))
    losses, found = weighting.slopes(batch_of(pair, images, targets), 12)
    assert found.shape == losses.shape == (12, 2)

    def routed(weights):
        stepped = SmallPair().train()
        first, rest = (slice(0, 12), slice(12, 24))
        little, big, _ = stepped(images[first])
        total = (weights[:, 0] * label_losses(little, targets[first])).mean() * options.alpha
        total = total + (weights[:, 1] * label_losses(big, targets[first])).mean()
        with torch.no_grad():
            for parameter, slope in zip(
                stepped.parameters(), torch.autograd.grad(total, list(stepped.parameters())), strict=True
            ):
                parameter -= options.lr * slope
            little, big, _ = stepped(images[rest])
            two = little.softmax(1).topk(2).values
            kept = (two[:, 0] - two[:, 1]).argsort(descending=True)[:6]
            loss = label_losses(big, targets[rest])
            loss[kept] = label_losses(little, targets[rest])[kept]
        return loss.mean().item()

    for row, column in ((0, 0), (3, 1), (7, 0), (11, 1)):
        up, down = torch.ones(12, 2), torch.ones(12, 2)
        up[row, column] += 0.05
        down[row, column] -= 0.05
        slope = (routed(up) - routed(down)) / 0.1
        assert found[row, column].item() == pytest.approx(slope, rel=0.03, abs=2e-5)


def test_images_with_a_wrong_label_come_to_count_less():
    options = PairTraining(lr=0.5)
    pair = SmallPair().train()
    weighting = L2W(L2W.Options(l2w_every=1), PairInTraining(pair, options, 0.5))
    trained = torch.optim.SGD([*pair.parameters(), *weighting.weights.parameters()], lr=0.1, momentum=0.9)
    for step in range(80):
        images, targets = drawn(step)
        wrong = torch.arange(24) % 8 == 0
        targets = torch.where(wrong, (targets + 1) % CLASSES, targets)
        batch = batch_of(pair, images, targets)
        trained.zero_grad()
        weights = weighting(batch, step, lambda loss: loss.backward())
        loss = sum((each * label_losses(logits, targets)).mean()
                   for each, logits in zip(weights, (batch.little, batch.big), strict=True))  # fmt: skip
        loss.backward()
        trained.step()
    for each in weights:
        assert each[wrong].mean() < 0.8 * each[~wrong].mean()


def test_it_learns_in_some_steps_only():
    pair = SmallPair().train()
    weighting = L2W(L2W.Options(l2w_every=3), PairInTraining(pair, PairTraining(), 0.5))
    learned = []
    for step in range(7):
        weighting(batch_of(pair, *drawn(step)), step, lambda loss, step=step: learned.append(step))
    assert learned == [0, 3, 6]
