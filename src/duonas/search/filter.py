"""Evaluates only the best of what a strategy proposes, by a metric that needs no evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import rankdata

from duonas.core.pair import PairSpace, Subnet
from duonas.core.trial import Candidate
from duonas.search.metric import ArchMetric, find_filter
from duonas.search.options import FilterOptions, SearchOptions
from duonas.search.problem import Problem

Ask = Callable[[int], Sequence[Candidate]]
Value = Callable[[ArchMetric, Subnet], float]


class Filter:
    """Asks a strategy for more pairs than are wanted, and keeps the best of them (paper D, section 3.5).

    A pair is as good as the ranks of its two networks together, each among the proposals for its role; of equal ones
    the earlier is kept.

    Args:
        options: the metric, and the fraction to keep.
        pairs: the pair space.
        value: returns the figure of a subnet.
    """

    def __init__(self, options: FilterOptions, pairs: PairSpace, value: Value) -> None:
        self._metric, self._keep = find_filter(options.metric), options.keep
        self._pairs, self._value = pairs, value

    def best(self, ask: Ask, n: int) -> list[Candidate]:
        """Up to ``n`` pairs in the order of their proposal, at least one if any is proposed.

        Args:
            ask: asks the strategy for pairs; it is called once.
            n: the largest number of pairs.
        """
        proposed = ask(math.ceil(n / self._keep))
        if not proposed:
            return []
        subnets = [self._pairs.subnets(candidate.pair) for candidate in proposed]
        ranks = np.zeros(len(proposed))
        for members in zip(*subnets, strict=True):
            values = [self._metric.minimised * self._value(self._metric, subnet) for subnet in members]
            ranks += rankdata(values)
        kept = min(n, math.ceil(self._keep * len(proposed)))
        return [proposed[place] for place in np.sort(np.argsort(ranks, kind="stable")[:kept])]


def check_filter(problem: Problem, options: SearchOptions) -> None:
    """Try the metric of the filter, if there is one.

    Raises:
        DuonasError: the metric cannot be used.
    """
    if options.filter is not None:
        problem.rehearse(find_filter(options.filter.metric))
