"""The rule that trains all exits of a network jointly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from duonas.core.protocols import Step
from duonas.exits.network import ExitNet
from duonas.training.finetune import feature_dropout
from duonas.training.losses import label_loss
from duonas.training.options import TrainOptions
from duonas.training.rule import Rule


class ExitTraining(Rule):
    """Trains a network of N exits on labels: the weighted sum of the exits' losses (BranchyNet, MSDNet).

    Args:
        net: the network that is trained.
        options: the training loop's. Dropout is applied to the last exit only.
    """

    def __init__(self, net: ExitNet, options: TrainOptions) -> None:
        super().__init__()
        self.net, self.options = net, options

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """Run one step and return its loss, and that of each exit."""
        with feature_dropout(self.net, self.options.dropout, given.rng):
            logits: tuple[Tensor, ...] = network(given.images)
        losses = [label_loss(each, given.targets, self.options.label_smoothing, given.weights) for each in logits]
        loss = torch.stack([weight * each for weight, each in zip(self.net.weights, losses, strict=True)]).sum()
        given.backward(loss)
        return {"loss": loss.detach(), **{f"exit{n}": each.detach() for n, each in enumerate(losses, 1)}}
