"""The keys of ``[budget]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le

from duonas.core.fields import OpenFraction

Minutes = Annotated[float, Gt(0), Le(525_600)]  # a year at most, so that what is planned can be counted


@dataclass(frozen=True)
class BudgetOptions:
    """``[budget]``: the time that a whole run may take, and what it is spent on.

    With it the epochs of [train] and [finetune] and the evaluations of [search] are planned by timing a few steps.
    """

    minutes: Minutes | None = None
    """Minutes of the whole run, the plain network of [baselines] included; default: no limit, epochs as given."""
    supernet: OpenFraction = 0.35
    """Share of the supernet's training in the time of supernet, search and pair; the three sum to 1."""
    search: OpenFraction = 0.1
    """Share of the search."""
    pair: OpenFraction = 0.55
    """Share of the pair's training; without one, the supernet's, too."""
