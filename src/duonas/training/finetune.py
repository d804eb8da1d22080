"""Training plain networks: the chosen pair together (paper D, sections 3.3 and 4.5), or one network alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.options import TrainOptions
from duonas.core.protocols import PairLogits, Step
from duonas.supernet.pair import PairNet
from duonas.training.losses import distillation_loss, label_loss
from duonas.training.rule import Stateless


class Together(Stateless):
    """Each step trains both towers of a pair: ``CE(big) + alpha CE(little) + beta KD(little, big)``.

    Dropout touches big only, as it touches the biggest only in the supernet.

    Args:
        net: the pair that is trained.
        options: the training loop's; its ``loss`` has alpha and beta.
    """

    def __init__(self, net: PairNet, options: TrainOptions) -> None:
        super().__init__()
        self.net, self.options = net, options

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """Losses by name."""
        options = self.options
        with feature_dropout(self.net.big, options.dropout, given.rng):
            logits: PairLogits = network(given.images)
        big = label_loss(logits.big, given.targets, options.label_smoothing)
        little = label_loss(logits.little, given.targets, options.label_smoothing)
        taught = distillation_loss(logits.little, logits.big, options.temperature)
        loss = big + options.loss.alpha * little + options.loss.beta * taught
        given.backward(loss)
        losses = {"loss": loss, "big": big, "little": little, "distillation": taught}
        return {name: value.detach() for name, value in losses.items()}


class Alone(Stateless):
    """Each step trains one network on labels, with nobody to learn from.

    Args:
        net: the network that is trained, images (B, 3, H, W) to logits (B, K).
        options: the training loop's.
    """

    def __init__(self, net: nn.Module, options: TrainOptions) -> None:
        super().__init__()
        self.net, self.options = net, options

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """The loss."""
        with feature_dropout(self.net, self.options.dropout, given.rng):
            logits: Tensor = network(given.images)
        loss = label_loss(logits, given.targets, self.options.label_smoothing)
        given.backward(loss)
        return {"loss": loss.detach()}


@contextmanager
def feature_dropout(network: nn.Module, p: float, rng: np.random.Generator) -> Iterator[None]:
    """Within, what enters the classifier of ``network`` (its last linear layer) is dropped with probability ``p``.

    The network keeps no trace of it, and the draws are ``rng``'s, so that training resumes bit for bit.

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
