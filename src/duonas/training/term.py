"""The base class of the terms of a pair's loss, beside those of labels and of distillation from big."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from duonas.core.registry import Part, adapted, find, names
from duonas.training.divergence import Divergence
from duonas.training.losses import classes_of


@dataclass(frozen=True)
class PairBatch:
    """The answers of a pair to a batch, and what they should be.

    Args:
        images: (B, 3, H, W) in [0, 1].
        targets: classes (B,) or probabilities (B, K).
        little: logits (B, K) of little.
        big: logits (B, K) of big.
        weights: (B,) of the images in all losses; ``None``: 1 each.
        divergence: the loss of a student with a teacher.
    """

    images: Tensor
    targets: Tensor
    little: Tensor
    big: Tensor
    weights: Tensor | None
    divergence: Divergence

    @property
    def classes(self) -> Tensor:
        """The class (B,) of each image; the likeliest one under mixup and cutmix."""
        return classes_of(self.targets)

    def taught(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean loss of a student's logits (B, K) with a teacher's, which get no gradient."""
        return self.divergence(student, teacher, self.targets, self.weights)

    def mean(self, losses: Tensor) -> Tensor:
        """Return the mean of the losses (B,) of single images, times their weights."""
        return losses.mean() if self.weights is None else (losses * self.weights).mean()


class Term(Part, ABC):
    """A term of the loss of a pair whose networks are trained together, if its keys switch it on.

    Args:
        options: the keys of this term in ``[finetune.loss]`` or ``[train.loss]``, an ``Options`` of this class.
    """

    def __init__(self, options: Any) -> None:
        self.options = options

    @property
    @abstractmethod
    def weight(self) -> float:
        """The weight of the term in the loss; 0: off."""

    @abstractmethod
    def __call__(self, batch: PairBatch) -> Tensor:
        """Return the mean loss of a batch, with the weights of the images and without that of the term."""

    def check(self, class_names: Sequence[str], image_size: int) -> None:
        """Check before any training that the term can be computed.

        Args:
            class_names: (K,) of the images.
            image_size: side H of the images in pixels.

        Raises:
            DuonasError: it cannot; the message says why.
        """

    @property
    def called(self) -> str:
        """The name of the term in logs."""
        return self.name.rpartition(":")[2]


def make_terms(options: Any) -> list[Term]:
    """Return the terms that are switched on: the shipped ones, then the user's own.

    Args:
        options: ``[finetune.loss]`` or ``[train.loss]``.
    """
    kinds = [find("term", name) for name in (*names("term"), *options.terms)]
    every: list[Term] = [kind(adapted(options, kind.Options)) for kind in kinds]
    return [term for term in every if term.weight]
