"""The training rules by name."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace
from duonas.core.protocols import TrainRule
from duonas.training.hybrid import Hybrid
from duonas.training.progressive import Progressive
from duonas.training.sandwich import Sandwich
from duonas.training.uniform import Uniform


def make_rule(pairs: PairSpace, options: TrainOptions) -> TrainRule:
    """The rule that ``options.rule`` names, over these pairs."""
    match options.rule:
        case "sandwich":
            return Sandwich(pairs, options)
        case "uniform":
            return Uniform(pairs, options)
        case "progressive":
            return Progressive(pairs, options)
        case "hybrid":
            then = make_rule(pairs, replace(options, rule=options.then))
            return Hybrid(Progressive(pairs, options), then, options.progressive_share)
