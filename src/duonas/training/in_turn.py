"""Two rules after one another."""

from __future__ import annotations

from torch import Tensor, nn

from duonas.core.protocols import Network, Step, TrainRule


class InTurn:
    """One rule for the first part of a run, another for the rest; each sees its own part as a whole run.

    Args:
        first: the rule that begins, such as progressive shrinking.
        second: the one that goes on, such as the sandwich.
        share: the part of the run, between 0 and 1, that is the first's.
    """

    def __init__(self, first: TrainRule, second: TrainRule, share: float) -> None:
        self.weights: nn.Module = nn.ModuleList([first.weights, second.weights])
        self._first, self._second, self._share = first, second, share
        self._current = first

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Hand over to the rule whose turn it is."""
        turn = self.turn(steps)
        if step < turn:
            self._current = self._first
            return self._first.prepare(network, step, turn)
        self._current = self._second
        return self._second.prepare(network, step - turn, steps - turn)

    def turn(self, steps: int) -> int:
        """The first step of the second rule, in a run of ``steps``."""
        return round(self._share * steps)

    def findings(self) -> dict[str, object]:
        """Those of both rules."""
        return {**self._first.findings(), **self._second.findings()}

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """The step of the rule whose turn it is."""
        return self._current.step(network, given)
