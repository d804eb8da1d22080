"""The contract of weightings of images in a pair's training."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from duonas.core.rng import stream
from duonas.pair.pair import PairOutput
from duonas.training.divergence import make_divergence
from duonas.training.options import DivergenceOptions, PairTraining
from duonas.training.term import PairBatch
from duonas.training.weighting import ImageWeights, PairInTraining, Weighting

IMAGES, SIDE, CLASSES = 32, 4, 3


class WeightingContract(ABC):
    """Tests of every weighting (laws 8 and 9)."""

    @abstractmethod
    def weighting(self, trained: PairInTraining) -> Weighting:
        """Return the weighting under test for a pair."""

    def made(self) -> Weighting:
        """Return the weighting of a small pair, which is equal on every call."""
        options = PairTraining(lr=0.05, accelerator="cpu")
        return self.weighting(PairInTraining(SmallPair(), options, little_share=0.5, seed=0))

    def after(self, weighting: Weighting, step: int, others: Tensor | None = None, flip: bool = False) -> ImageWeights:
        """Return the weights of the images of a step, after what is learned from them."""
        rng = stream(0, "batch", step)
        images = torch.from_numpy(rng.random((IMAGES, 3, SIDE, SIDE))).float()
        targets = torch.from_numpy(rng.integers(0, CLASSES, IMAGES))
        if flip:
            targets[0] = (targets[0] + 1) % CLASSES
        little, big, _ = weighting.trained.pair(images)
        batch = PairBatch(images, targets, little, big, others, make_divergence(DivergenceOptions()))
        for parameter in weighting.weights.parameters():
            parameter.grad = None
        found = weighting(batch, step, lambda loss: loss.backward())
        with torch.no_grad():
            for parameter in weighting.weights.parameters():
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-0.1)
        return found

    def test_weights_are_of_images_and_one_in_the_mean(self) -> None:
        """Two weights of each image, none below 0, without gradient."""
        weighting = self.made()
        for step in range(3):
            for weights in self.after(weighting, step):
                if weights is not None:
                    assert weights.shape == (IMAGES,) and not weights.requires_grad and bool((weights >= 0).all())
                    assert abs(float(weights.mean()) - 1) < 0.3

    def test_images_keep_the_weight_of_their_class(self) -> None:
        """An image of weight 0 has no weight, and its label no influence on those of the others."""
        others = torch.ones(IMAGES)
        others[0] = 0
        first, second = self.made(), self.made()
        for step in range(2):
            both = (self.after(weighting, step, others, flip) for weighting, flip in ((first, False), (second, True)))
            for weights, flipped in zip(*both, strict=True):
                assert weights is not None and not weights[0] and torch.equal(weights, flipped)

    def test_the_pair_is_left_as_it_is(self) -> None:
        """Neither its weights nor the statistics of its norms change, and it gets no gradient."""
        weighting = self.made()
        pair = weighting.trained.pair
        answered = SmallPair()
        self.after(weighting, 0)
        answered(torch.from_numpy(stream(0, "batch", 0).random((IMAGES, 3, SIDE, SIDE))).float())
        assert all(torch.equal(value, answered.state_dict()[name]) for name, value in pair.state_dict().items())
        assert all(parameter.grad is None for parameter in pair.parameters())

    def test_its_state_is_all_that_it_remembers(self) -> None:
        """A weighting that goes on from saved weights is one that was never interrupted, to the bit."""
        whole, before = self.made(), self.made()
        for step in range(2):
            self.after(whole, step)
            self.after(before, step)
        resumed = self.made()
        resumed.weights.load_state_dict(before.weights.state_dict())
        resumed.trained.pair.load_state_dict(before.trained.pair.state_dict())
        for step in range(2, 4):
            for one, other in zip(self.after(whole, step), self.after(resumed, step), strict=True):
                assert (one is None and other is None) or torch.equal(one, other)  # type: ignore[arg-type]


class SmallPair(nn.Module):
    """Two linear networks with a batch norm that they share."""

    def __init__(self) -> None:
        super().__init__()
        drawn = stream(0, "small pair").normal(size=(2, CLASSES, 3 * SIDE * SIDE))
        self.norm = nn.BatchNorm2d(3)
        self.weight = nn.Parameter(torch.from_numpy(drawn).float() / SIDE)

    def forward(self, images: Tensor) -> PairOutput:
        """Return the logits of both networks."""
        stem = self.norm(images)
        little, big = (nn.functional.linear(stem.flatten(1), weight) for weight in self.weight)
        return PairOutput(little, big, stem)
