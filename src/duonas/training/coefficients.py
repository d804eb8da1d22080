"""Warm-up of generated weights: at first the coefficients of all archs are equal or nearly so (K-shot NAS)."""

from __future__ import annotations

from torch import Tensor, nn

from duonas.core.protocols import Network, Step, TrainRule
from duonas.supernet.generator import Generator
from duonas.training.options import TrainOptions

EPOCHS = {"equal": 5.0, "annealed": 10.0}  # paper T, appendix A.1, for NAS-Bench-201 and for ImageNet
HOTTEST = 30.0  # the temperature that annealing begins with


class CoefficientWarmup:
    """Any rule, with the coefficients of generated weights equal or softened at first (paper T, appendix A.1).

    A warm-up longer than half of the run is cut to that.

    Args:
        rule: what a step does.
        options: the ``[train]`` table.
    """

    def __init__(self, rule: TrainRule, options: TrainOptions) -> None:
        self.weights: nn.Module = rule.weights
        self._rule, self._kind = rule, options.coefficients
        epochs = EPOCHS.get(options.coefficients, 0.0)
        given = options.coefficient_epochs
        self._part = min(0.5, (epochs if given is None else given) / options.epochs)

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Set the sharpness of the coefficients for this step, and prepare the rule."""
        for module in network.modules():
            if isinstance(module, Generator):
                module.sharpness.fill_(self.sharpness(step / steps))
        return self._rule.prepare(network, step, steps)

    def sharpness(self, done: float) -> float:
        """From 0 (all coefficients equal) to 1 (unchanged), when a part ``done`` of the run is over."""
        if self._kind == "free" or done >= self._part:
            return 1.0
        return 0.0 if self._kind == "equal" else 1 / (HOTTEST + (1 - HOTTEST) * done / self._part)

    def findings(self) -> dict[str, object]:
        """The findings of the rule."""
        return self._rule.findings()

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """The rule's step."""
        return self._rule.step(network, given)
