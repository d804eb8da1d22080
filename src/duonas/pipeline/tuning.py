"""The trainings of a chosen pair: both networks jointly, or each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from duonas.core.protocols import TrainRule
from duonas.pair.pair import Pair
from duonas.recipe.schema import Recipe
from duonas.training.finetune import JointTraining, SupervisedTraining
from duonas.training.options import PairTraining


@dataclass(frozen=True)
class Tuning:
    """A training of a pair or of one of its networks.

    Args:
        stage: its name in the log.
        network: the network, trained in place.
        rule: what a step does.
        options: the training loop's.
        folder: of its weights and its checkpoint, in that of the fine-tuning.
    """

    stage: str
    network: nn.Module
    rule: TrainRule
    options: PairTraining
    folder: Path


def tunings(pair: Pair, recipe: Recipe, options: PairTraining, little_share: float = 0.5) -> Iterator[Tuning]:
    """Yield the trainings that ``[finetune] mode`` asks for, one after the other.

    Args:
        pair: is trained in place.
        recipe: the recipe.
        options: of the training loop: those of ``[finetune]`` over those of ``[train]``, for as many steps as planned.
        little_share: fraction of the images that little is going to answer.
    """
    pair.to(memory_format=torch.channels_last)  # as in the search
    if recipe.finetune.mode != "independent":
        yield Tuning("finetune", pair, JointTraining(pair, options, little_share, recipe.seed), options, Path())
        return
    for role, network in pair.towers().items():
        own = options if role == "big" else replace(options, dropout=0.0)
        yield Tuning(f"finetune/{role}", network, SupervisedTraining(network, own), own, Path(role))
