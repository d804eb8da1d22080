"""Build the networks that the pair is compared with, and say how they are trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from duonas.baselines.baseline import drawing, find_baseline
from duonas.core.pair import Role
from duonas.core.protocols import TrainRule
from duonas.core.rng import stream
from duonas.data.splits import Splits
from duonas.exits.network import ExitNet
from duonas.training.exits import ExitTraining
from duonas.training.finetune import SupervisedTraining
from duonas.training.options import TrainOptions

OfPair = Callable[[Role], tuple[nn.Sequential, Sequence[int]]]


def fresh_opponent(name: str, seed: int, splits: Splits, of_pair: OfPair) -> nn.Module:
    """Return a network of ``[baselines] networks`` with initial weights.

    Args:
        name: in ``[baselines] networks``.
        seed: of the run.
        splits: its images.
        of_pair: gives one of the pair's networks with initial weights, and the stages that its blocks are in, for
            baselines that are built on it.
    """
    baseline, rng = find_baseline(name), stream(seed, "baselines", name)
    if baseline.role is None:
        network = baseline.network(splits.num_classes, splits.image_size, splits.mean, splits.std, rng)
    else:
        with drawing(rng):
            network = baseline.build_on(*of_pair(baseline.role), splits.num_classes, splits.image_size)
    return network.to(memory_format=torch.channels_last)


def rule_of(network: nn.Module, options: TrainOptions) -> TrainRule:
    """Return how a network is trained: all exits together, if it has several."""
    return ExitTraining(network, options) if isinstance(network, ExitNet) else SupervisedTraining(network, options)
