"""The keys of ``[baselines]``."""

from __future__ import annotations

from dataclasses import dataclass

from duonas.core.fields import Count, NotNegative, Positive
from duonas.training.options import PairTraining, TrainOptions, overriding, shared_fields


@dataclass(frozen=True)
class BaselineOptions:
    """``[baselines]``: networks to compare the pair with, which are trained and measured in the same way."""

    networks: tuple[str, ...] = ()
    """Static networks of timm, such as mobilenetv3_small_100; networks with early exits, such as msdnet-exits5, ranet
    or branchynet-mobilenetv3_small_100, and branchynet-big, exits on the arch of the pair's big; or your own as
    file.py:CLASS."""
    ofa_pair: bool = False
    """Whether the two networks of the search that are best for their own accuracy at the costs of the pair's two, each
    trained by itself as long as the pair, are routed by margin and stand beside the pair."""
    plain: bool | None = None
    """Whether the best arch of the search at the pair's mean cost is trained alone, for as long as supernet, search and
    pair took, and stands beside the pair; default: in runs with [budget] minutes above 10."""
    epochs: Count | None = None
    """Epochs of training; default: as in [train]."""
    steps: Count | None = None
    """Optimiser steps, in place of epochs; default: as in [train]."""
    batch_size: Count | None = None
    """Images per step; default: as in [train]."""
    lr: Positive | None = None
    """Peak learning rate; default: as in [train]."""
    weight_decay: NotNegative | None = None
    """Weight decay; default: as in [train]."""

    def over(self, train: TrainOptions) -> TrainOptions:
        """Return the options of the training loop: those of ``train``, overridden by these."""
        return PairTraining(**shared_fields(train) | overriding(self))
