"""Progressive shrinking for part of the run, then the sandwich rule or co-training (paper D, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from duonas.core.fields import OpenFraction
from duonas.core.pair import PairSpace
from duonas.core.registry import adapted, find
from duonas.training.in_turn import InTurn
from duonas.training.options import LossOptions
from duonas.training.rule import Rule
from duonas.training.rules.progressive import Progressive


class Hybrid(InTurn, Rule):
    """Progressive shrinking, then the rule ``[train] then``; each treats its part as a whole run.

    Args:
        pairs: the pair space to sample from.
        options: the ``[train]`` table.
    """

    samples = True

    @dataclass(frozen=True)
    class Options(Progressive.Options):
        """Keys of ``[train]``."""

        rule: str = "hybrid"
        progressive_share: OpenFraction = 0.5
        """Fraction of the run for progressive shrinking."""
        then: Literal["sandwich", "cotrain"] = "sandwich"
        """Rule for the rest of the run."""
        loss: LossOptions = field(default_factory=LossOptions)
        """Terms of the loss of cotrain."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        then = find("rule", options.then)
        second = then(pairs, replace(adapted(options, then.Options), rule=options.then))
        super().__init__(Progressive(pairs, options), second, options.progressive_share)
