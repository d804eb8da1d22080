"""The contract of terms of a pair's loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.rng import stream
from duonas.training.divergence import make_divergence
from duonas.training.options import DivergenceOptions
from duonas.training.term import PairBatch, Term

IMAGES, SIDE, CLASSES = 8, 8, 4


class TermContract(ABC):
    """Tests of every term of a pair's loss."""

    @abstractmethod
    def term(self) -> Term:
        """Return the term under test, switched on."""

    def batch(self, rows: slice = slice(None), weights: Tensor | None = None, soft: bool = False) -> PairBatch:
        """Return some of eight images with random answers, of classes or of their probabilities."""
        rng = stream(0, "pair")
        images = torch.from_numpy(rng.random((IMAGES, 3, SIDE, SIDE))).float()[rows]
        targets = torch.from_numpy(rng.integers(0, CLASSES, IMAGES))
        little, big = (
            torch.from_numpy(rng.normal(0, 2, (IMAGES, CLASSES))).float()[rows].requires_grad_() for _ in range(2)
        )
        known = (F.one_hot(targets, CLASSES).float() if soft else targets)[rows]
        return PairBatch(images, known, little, big, weights, make_divergence(DivergenceOptions(), 2.0))

    def test_it_is_off_by_default(self) -> None:
        """The term is off without its keys in the recipe."""
        kind = type(self.term())
        assert self.term().weight > 0 and not kind(kind.Options()).weight

    def test_it_is_one_number_with_a_gradient(self) -> None:
        """The loss is finite, the same every time, and moves at least one of the networks."""
        batch, term = self.batch(), self.term()
        loss = term(batch)
        assert loss.ndim == 0 and torch.isfinite(loss) and torch.equal(loss, term(self.batch()))
        loss.backward()
        gradients = [logits.grad for logits in (batch.little, batch.big) if logits.grad is not None]
        assert any(bool(each.any()) for each in gradients) and all(bool(each.isfinite().all()) for each in gradients)

    def test_the_weights_of_images_multiply_their_losses(self) -> None:
        """The loss is the mean over images of their losses, each times its weight."""
        weights, term = torch.linspace(0, 2, IMAGES), self.term()
        single = torch.stack([term(self.batch(slice(row, row + 1))) for row in range(IMAGES)])
        torch.testing.assert_close(term(self.batch()), single.mean())
        torch.testing.assert_close(term(self.batch(weights=weights)), (single * weights).mean())

    def test_probabilities_of_classes_are_targets_too(self) -> None:
        """Targets as of mixup give the same where they are sure."""
        torch.testing.assert_close(self.term()(self.batch(soft=True)), self.term()(self.batch()))
