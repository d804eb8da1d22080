"""Rules that train plain networks: the chosen pair jointly (paper D, sections 3.3 and 4.5), or one network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.pair.pair import Pair, PairOutput
from duonas.training.losses import distillation_loss, label_loss
from duonas.training.options import PairTraining, TrainOptions
from duonas.training.rule import Rule


class JointTraining(Rule):
    """Trains both towers of a pair jointly: ``CE(big) + alpha CE(little) + beta KD(little, big)``.

    Dropout is applied to big only, as in the supernet to the largest subnet only.

    Args:
        pair: the pair that is trained.
        options: the training loop's, with the weights of little's losses.
    """

    def __init__(self, pair: Pair, options: PairTraining) -> None:
        super().__init__()
        self.pair, self.options = pair, options

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """Run one step and return its losses by name."""
        options = self.options
        with feature_dropout(self.pair.big, options.dropout, given.rng):
            logits: PairOutput = network(given.images)
        big = label_loss(logits.big, given.targets, options.label_smoothing, given.weights)
        little = label_loss(logits.little, given.targets, options.label_smoothing, given.weights)
        taught = distillation_loss(logits.little, logits.big, options.temperature, given.weights)
        loss = big + options.alpha * little + options.beta * taught
        given.backward(loss)
        losses = {"loss": loss, "big": big, "little": little, "distillation": taught}
        return {name: value.detach() for name, value in losses.items()}


class SupervisedTraining(Rule):
    """Trains one network on labels.

    Args:
        net: the network that is trained, images (B, 3, H, W) to logits (B, K).
        options: the training loop's.
    """

    def __init__(self, net: nn.Module, options: TrainOptions) -> None:
        super().__init__()
        self.net, self.options = net, options

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """Run one step and return its loss."""
        with feature_dropout(self.net, self.options.dropout, given.rng):
            logits: Tensor = network(given.images)
        loss = label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
        given.backward(loss)
        return {"loss": loss.detach()}


@contextmanager
def feature_dropout(network: nn.Module, p: float, rng: np.random.Generator) -> Iterator[None]:
    """In this block the inputs of ``network``'s classifier (its last linear layer) are dropped with probability ``p``.

    The network is left unchanged, and the draws come from ``rng``, so that training resumes bit for bit.

    Raises:
        DuonasError: the network has no linear layer.
    """
    if not p:
        yield
        return

    def drop(_: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        kept = rng.random(inputs[0].shape, dtype=np.float32) >= p
        return inputs[0] * torch.from_numpy(kept).to(inputs[0]) / (1 - p)

    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise DuonasError("dropout is for the features of a linear classifier, and this network has none: set it to 0.")
    hook = linear[-1].register_forward_pre_hook(drop)
    try:
        yield
    finally:
        hook.remove()
