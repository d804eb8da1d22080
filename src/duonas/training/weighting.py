"""The base class of what weighs the images in the label losses of little and big."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from duonas.core.registry import Part, adapted, find
from duonas.training.options import PairTraining
from duonas.training.term import PairBatch

Backward = Callable[[Tensor], None]


class ImageWeights(NamedTuple):
    """The weights (B,) of the images in the label losses of little and of big; ``None``: 1 each."""

    little: Tensor | None
    big: Tensor | None


@dataclass(frozen=True)
class PairInTraining:
    """The pair that images are weighed for, and how it is trained.

    Args:
        pair: its networks, in training: images (B, 3, H, W) to a ``PairOutput``.
        options: the training loop's, with the weights of little's losses.
        little_share: fraction of the images that little is going to answer.
        seed: of the run.
    """

    pair: nn.Module
    options: PairTraining
    little_share: float = 0.5
    seed: int = 0


class Weighting(Part, ABC):
    """Weighs the images of a batch, apart for little and for big.

    ``weights`` is what it learns or remembers: parameters and buffers that are trained and checkpointed with the pair,
    so that training resumes bit for bit.

    Args:
        options: the keys of this weighting in ``[finetune.loss]``, an ``Options`` of this class.
        trained: the pair.
    """

    def __init__(self, options: Any, trained: PairInTraining) -> None:
        self.options, self.trained = options, trained
        self.weights: nn.Module = nn.Module()

    @abstractmethod
    def __call__(self, batch: PairBatch, step: int, backward: Backward) -> ImageWeights:
        """Return the weights of a batch's images, without gradient, which include ``batch.weights``.

        Their mean over many images is about that of ``batch.weights``, so that the learning rate keeps its meaning.

        Args:
            batch: the images, the answers of both networks and the targets.
            step: the number of the training step, from 0.
            backward: adds the gradients of a loss of the weighting's own to those of the step.
        """


def make_weighting(trained: PairInTraining) -> Weighting:
    """Return the weighting that ``[finetune.loss]`` names."""
    options = trained.options.loss
    kind = find("weighting", options.weighting)
    found: Weighting = kind(adapted(options, kind.Options), trained)
    return found


def times(weights: Tensor, others: Tensor | None) -> Tensor:
    """Return the product of two weights (B,) of the same images."""
    return weights if others is None else weights * others
