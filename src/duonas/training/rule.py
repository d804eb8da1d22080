"""What a training rule is: which subnets a step draws, and by which losses they learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace
from duonas.core.protocols import Network, Step, TrainRule
from duonas.core.registry import Part, adapted, find, names
from duonas.training.coefficients import CoefficientWarmup
from duonas.training.options import SamplerOptions, TrainOptions
from duonas.training.resolution import OneResolution
from duonas.training.warm_start import WarmStart


class Rule(Part, ABC):
    """What one training step does with a supernet.

    ``step`` runs forward and backward for every subnet that it draws, so that only one subnet's activations are alive
    at a time; gradients add up in the parameters and the loop makes the one optimiser step.

    A rule of a recipe is made of the pairs to draw from and the ``[train]`` table. ``weights`` are what it learns
    itself, such as weights of its losses: they are trained and checkpointed with the network.
    """

    Options = TrainOptions
    samples: ClassVar[bool] = False  # whether it draws archs by [train] sampler

    def __init__(self) -> None:
        self.weights: nn.Module = nn.Module()

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Prepares step ``step`` of ``steps``; whether the network's weights were rewritten for it.

        Where they were, the loop forgets the momentum and the average of the old ones.
        """
        return False

    def findings(self) -> dict[str, object]:
        """What a reader of the run may want to know of what the rule learned, as JSON."""
        return {}

    @abstractmethod
    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """Trains on one batch; detached losses by name, ``"loss"`` among them."""


def make_rule(pairs: PairSpace, options: TrainOptions) -> TrainRule:
    """The rule that ``[train] rule`` names.

    Args:
        pairs: where archs and pairs are drawn.
        options: the ``[train]`` table.

    Raises:
        DuonasError: no such rule, or options that it cannot keep for any of these pairs.
    """
    found = find("rule", options.rule)
    _check_sampler(found, options)
    rule: TrainRule = found(pairs, adapted(options, found.Options))
    if options.warm_start:
        rule = WarmStart(rule, pairs, options)
    if options.resolution == "batch":
        rule = OneResolution(rule, pairs)
    return CoefficientWarmup(rule, options) if pairs.generated else rule


def _check_sampler(rule: type[Rule], options: TrainOptions) -> None:
    """Refuse a sampler that a rule would not draw by.

    Raises:
        DuonasError: the rule draws its archs itself, or draws none.
    """
    name = options.sampler.name
    if name == SamplerOptions().name:
        return
    if not rule.samples:
        others = ", ".join(each for each in names("rule") if find("rule", each).samples)
        raise DuonasError(
            f"[train] sampler = {name!r} has no effect on rule = {options.rule!r}, which draws its archs itself: "
            f"choose a rule from {others}, or leave sampler out."
        )
    if getattr(options, "random_archs", 1) == 0:
        raise DuonasError(
            f"[train] random_archs = 0 leaves nothing to draw by sampler = {name!r}: set it to 1 or more."
        )
