"""The training rules by the names that recipes give them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace
from duonas.core.protocols import TrainRule
from duonas.training.coefficients import CoefficientWarmup
from duonas.training.resolution import OneResolution
from duonas.training.rules.cotrain import Cotrain
from duonas.training.rules.fair import Fair, FocusFair, Uniform
from duonas.training.rules.hybrid import Hybrid
from duonas.training.rules.progressive import Progressive
from duonas.training.rules.sandwich import Sandwich


def make_rule(pairs: PairSpace, options: TrainOptions) -> TrainRule:
    """The rule that ``[train] rule`` names.

    Args:
        pairs: where archs and pairs are drawn.
        options: the ``[train]`` table.

    Raises:
        DuonasError: no such rule, or options that it cannot keep for any of these pairs.
    """
    if options.rule not in RULES:
        raise DuonasError(f"no training rule {options.rule!r}: {nearest(options.rule, RULES)}.")
    rule = RULES[options.rule](pairs, options)
    if options.resolution == "batch":
        rule = OneResolution(rule, pairs.space)
    return CoefficientWarmup(rule, options) if pairs.space.generated else rule


def _hybrid(pairs: PairSpace, options: TrainOptions) -> Hybrid:
    """Progressive shrinking, then the rule that ``[train] then`` names."""
    then = make_rule(pairs, replace(options, rule=options.then, resolution="subnet"))
    return Hybrid(Progressive(pairs, options), then, options.progressive_share)


RULES: dict[str, Callable[[PairSpace, TrainOptions], TrainRule]] = {
    "sandwich": Sandwich,
    "cotrain": Cotrain,
    "uniform": Uniform,
    "fair": Fair,
    "focus-fair": FocusFair,
    "progressive": Progressive,
    "hybrid": _hybrid,
}
