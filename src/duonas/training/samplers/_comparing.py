"""The base class of samplers that predict the loss of archs from those of the archs that are trained."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.protocols import Step
from duonas.data.distributed import average
from duonas.training.loss_model import LossModel
from duonas.training.losses import label_loss
from duonas.training.sampler import Sampler

RENEWALS = 20  # of the predictions in a run


class Comparing(Sampler, ABC):
    """Predicts losses on labels, for each tower by itself; the predictions are renewed 20 times in a run.

    Args:
        pairs: the pair space to draw from.
        options: the ``[train.sampler]`` table.
    """

    def __init__(self, pairs: PairSpace, options: Any) -> None:
        super().__init__(pairs, options)
        self.models = nn.ModuleDict({role: LossModel(pairs.spaces[role]) for role in pairs.roles})

    @property
    def compares(self) -> bool:
        """It does."""
        return True

    def model(self, role: Role) -> LossModel:
        """The predictions for a tower."""
        found = self.models[role]
        assert isinstance(found, LossModel)
        return found

    def prepare(self, step: int, steps: int) -> None:
        """Renew the predictions where it is time."""
        if is_due(step, steps):
            for role in self.pairs.roles:
                self.model(role).refresh()

    @torch.no_grad()
    def observe(self, trained: Sequence[tuple[Subnet, Tensor]], given: Step) -> None:
        """Compare the losses on labels of the subnets of each tower."""
        losses = torch.stack([label_loss(logits, given.targets, 0.0, given.weights) for _, logits in trained])
        if given.world > 1:  # processes that share a batch train the same subnets on their parts of it
            losses = average(losses)
        for role in self.pairs.roles:
            own = [number for number, (subnet, _) in enumerate(trained) if subnet.role == role]
            self.model(role).observe([trained[number][0].arch for number in own], losses[own])


def is_due(step: int, steps: int) -> bool:
    """Whether the predictions are renewed before this step."""
    return step % -(-steps // RENEWALS) == 0
