"""A warm start of the supernet by its largest arch."""

from __future__ import annotations

from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace
from duonas.core.protocols import TrainRule
from duonas.core.registry import adapted, find
from duonas.training.in_turn import InTurn
from duonas.training.options import TrainOptions


class WarmStart(InTurn):
    """Any rule, after a part of the run in which the largest arch is trained alone.

    A step of the largest arch alone is two to three times as cheap as one of a supernet, and all other archs start from
    its weights: before the rule begins, channels are sorted once, so that narrow archs keep the most important ones
    (as SuperFast spreads a trained subnet's weights; DepS, too, begins to shrink a half-trained network).

    Args:
        rule: what a step does after the warm start.
        pairs: the pair space to draw from.
        options: the ``[train]`` table.

    Raises:
        DuonasError: the largest arch's weights are not those of the others.
    """

    def __init__(self, rule: TrainRule, pairs: PairSpace, options: TrainOptions) -> None:
        for space in pairs.spaces.values():
            if space.ordered and not space.generated:
                continue
            why = (
                "its weights are generated for each arch"
                if space.generated
                else "its largest arch does not contain all others"
            )
            raise DuonasError(
                f"[train] warm_start = {options.warm_start:g} trains the largest arch for all others, but in search "
                f"space {space.name!r} {why}: set it to 0."
            )
        largest = find("rule", "largest")
        super().__init__(largest(pairs, adapted(options, largest.Options)), rule, options.warm_start)

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Sort the channels right before the rule begins, and prepare the rule."""
        begins = step == self.turn(steps) > 0
        if begins:
            network.sort_channels()  # type: ignore[operator]
        return super().prepare(network, step, steps) or begins
