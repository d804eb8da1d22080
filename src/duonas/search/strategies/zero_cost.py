"""The best of many drawn pairs by a zero-cost metric alone (paper D, section 3.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from scipy.stats import rankdata

from duonas.core.fields import Count
from duonas.core.pair import PairArch
from duonas.core.text import plural
from duonas.core.trial import Candidate
from duonas.runtime.units import percentage
from duonas.search.metric import find_filter
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategies.random import Random
from duonas.search.strategy import Strategy


@dataclass(frozen=True)
class ZeroCostOptions:
    """``[search.zero_cost]``: what the strategy ``zero_cost`` chooses by."""

    metric: str = "naswot"
    """The metric, one of those that [search.filter] takes: naswot, synflow, jacob_cov, grad_norm, depth, params, macs,
    or your own as file.py:CLASS."""
    candidates: Count = 1000
    """The number of pairs that are drawn and ranked."""


class ZeroCost(Strategy):
    """Draws pairs that keep the constraints at [search] share, and proposes the one that a metric ranks best.

    Each network is ranked among those of its role. The ranks of a pair count by the images that its networks decide:
    little's by [search] share, big's by the rest. Nothing is evaluated before, so the supernet need not be trained.
    """

    needs_accuracies = False

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``."""

        strategy: str = "zero_cost"
        zero_cost: ZeroCostOptions = field(default_factory=ZeroCostOptions)
        """The metric, and how many pairs it ranks."""

        @property
        def ranking(self) -> str | None:
            """The metric by which pairs are ranked; ``None`` where the pair is fixed."""
            return self.zero_cost.metric if self.pair is None else None

        @property
        def wanted(self) -> int:
            """The pairs that are ranked."""
            return self.zero_cost.candidates if self.pair is None else 1

        def planned(self, count: int) -> Self:
            """These options for as many pairs as there is time to rank."""
            return replace(self, zero_cost=replace(self.zero_cost, candidates=count))

    def __init__(self, problem: Problem, options: Options, seed: int) -> None:
        super().__init__(problem, options, seed)
        self._metric = find_filter(options.zero_cost.metric, "zero_cost metric")
        problem.rehearse(self._metric)
        self._asked, self._found = False, dict[str, Any]()

    def ask(self, n: int) -> list[Candidate]:
        """Return the best pair at the first call."""
        if self._asked:
            return []
        self._asked = True
        pairs = [each.pair for each in Random(self.problem, self.options, self.seed).ask(self.options.wanted)]
        return [Candidate(self._best(pairs))] if pairs else []

    def findings(self) -> Mapping[str, Any]:
        """The metric, its figures of the chosen pair's networks, the pairs that it was chosen among, and a sentence."""
        if not self._found:
            return {}
        metric, ranked, share = (self._found[name] for name in ("metric", "ranked", "little_share"))
        said = (
            f"Strategy zero_cost: {metric} alone chose the pair, among {plural(ranked, 'drawn pair')} that keep the "
            f"constraints where little answers {percentage(share)} of the images."
        )
        return self._found | {"said": said}

    def _best(self, pairs: Sequence[PairArch]) -> PairArch:
        values, share = self._values(pairs), self.options.share
        ranks = [rankdata(self._metric.minimised * column) for column in values.T]
        best = int((share * ranks[0] + (1 - share) * ranks[1]).argmin())
        little, big = values[best].tolist()
        self._found = {
            "metric": self._metric.called, "ranked": len(pairs), "little_share": share, "little": little, "big": big,
        }  # fmt: skip
        return pairs[best]

    def _values(self, pairs: Sequence[PairArch]) -> np.ndarray:
        """The figures (P, 2) of the littles and the bigs of pairs."""
        found = []
        for number, pair in enumerate(pairs):
            before = self.judge.computed
            found.append([self.judge.value(self._metric, subnet) for subnet in self.problem.pairs.subnets(pair)])
            if self.judge.computed > before:
                self.progress(number, len(pairs))
        self.progress(len(pairs), len(pairs))
        return np.array(found)
