"""Evaluates the pairs of a search, each of their subnets once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from duonas.core.pair import PairSpace, Subnet
from duonas.core.registry import source_hash
from duonas.core.trial import Candidate, Trial
from duonas.routing.threshold import sweep
from duonas.search.curves import Curves
from duonas.search.evaluate import Reading
from duonas.search.goal import Goal
from duonas.search.judge import Judge
from duonas.search.metric import ACCURACY, ArchFacts, ArchMetric, PairMetric, metrics
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.scores import Evaluates, EvaluatesAhead, Scores

Row = dict[str, Any]


class Bench:
    """Evaluates subnets, once each, and candidates.

    Args:
        evaluator: evaluates one subnet at a time.
        scores: scores littles by every router.
        prices: of subnets and pairs.
        goal: objectives and constraints.
        judge: of metrics that need no evaluation; by default of those that need no untrained networks either.

    ``asked`` is true after the first evaluation that was not in the cache.
    """

    def __init__(
        self,
        evaluator: Evaluates,
        scores: Scores,
        prices: Prices,
        goal: Goal,
        judge: Judge | None = None,
    ) -> None:
        self._evaluator, self._scores, self.prices, self._goal = evaluator, scores, prices, goal
        self._judge = judge or Judge(prices)
        self._right: dict[Subnet, np.ndarray] = {}
        self._values: dict[Subnet, dict[str, float]] = {}
        self._archs = [metric for metric in goal.metrics.values() if isinstance(metric, ArchMetric)]
        origin = prices.model.origin()
        self._cached = {each.called: _cached_as(each, origin) for each in self._archs if each.dear}
        shown = [*metrics().values(), *goal.metrics.values()]
        self._shown = {
            metric.called: metric
            for metric in shown
            if (metric.listed or metric.called in goal.metrics)
            and metric.called != ACCURACY
            and metric.quantity in (None, *prices.quantities)
        }
        self.asked = False

    @property
    def subnets(self) -> list[Subnet]:
        """The evaluated subnets, in order."""
        return list(self._right)

    @property
    def right(self) -> np.ndarray:
        """(A, N) bool, whether each evaluated subnet classifies each image correctly."""
        return np.stack(list(self._right.values()))

    def evaluate(self, subnet: Subnet) -> Mapping[str, float]:
        """The figures of a subnet, including accuracy."""
        if subnet not in self._right:
            result = self._evaluator.evaluate(subnet, self._readings(subnet))
            self.asked |= not result.known
            self._right[subnet] = result.right
            self._scores.take(result)
            values = {name: float(result.readings[cached]) for name, cached in self._cached.items()}
            values |= {metric.called: self._judge.value(metric, subnet) for metric in self._archs if not metric.dear}
            self._values[subnet] = {ACCURACY: result.accuracy, **self.prices.subnet(subnet).figures, **values}
        return self._values[subnet]

    def ahead(self, candidates: Iterable[Candidate]) -> None:
        """Let workers, if there are any, begin with the subnets of candidates, which are then tried in this order."""
        if isinstance(self._evaluator, EvaluatesAhead):
            subnets = (subnet for each in candidates for subnet in self.prices.pairs.subnets(each.pair))
            self._evaluator.ahead({each: self._readings(each).keys() for each in subnets if each not in self._right})

    def trial(self, candidate: Candidate) -> Trial:
        """Evaluate a candidate."""
        pair, prices, goal = candidate.pair, self.prices, self._goal
        little, big = prices.pairs.subnets(pair)
        members = self.evaluate(little), self.evaluate(big)
        curves = {}
        for number, (score, macs) in self._scores.of_pair(pair, prices):
            price = prices.price(pair, prices.routers[number], macs)
            curves[number] = sweep(score, self._right[little], self._right[big]), price
        figures = {name: value for name, value in prices.figures(pair, goal).items() if name in self._shown}
        for metric in self._archs:
            figures[metric.called] = float(metric.worse(*(each[metric.called] for each in members)))
        routed = [metric for metric in self._shown.values() if isinstance(metric, PairMetric) and metric.routed]
        found = Curves.of(curves, routed, figures)
        return Trial(candidate, found.best(goal, candidate.share, candidate.router), found.best(goal), *members)

    def row(self, number: int, trial: Trial) -> Row:
        """The row of a trial in ``trials.parquet``, at its most accurate router and threshold."""
        little, big = self.prices.pairs.subnets(trial.pair)
        best, router = trial.best, self.prices.routers[trial.best.router]
        return {
            "number": number, "little": little.id, "big": big.id, "accuracy_little": trial.little[ACCURACY],
            "accuracy_big": trial.big[ACCURACY], "little_share": best.little_share, "accuracy": best.accuracy,
            **best.figures, "router": router.name, "position": router.position,
            "little_values": values_of(self.prices.pairs, little), "big_values": values_of(self.prices.pairs, big),
        }  # fmt: skip

    def arch_rows(self) -> tuple[Row, ...]:
        """The rows of ``archs.parquet``, one for each subnet, with indices and values of its choices in JSON."""
        return tuple(arch_row(self.prices.pairs, subnet, values) for subnet, values in self._values.items())

    def table(self) -> PairTable:
        """The prices of all pairs of the evaluated subnets."""
        late = [metric.called for metric in self._archs if metric.late]
        known = {name: np.array([values[name] for values in self._values.values()]) for name in late}
        return PairTable(self.prices, self.subnets, self._goal, known)

    def _readings(self, subnet: Subnet) -> dict[str, Reading]:
        """What is read of the logits of a subnet."""
        readings = dict(self._scores.readings) if subnet.role == self.prices.pairs.roles[-1] else {}
        return readings | {self._cached[each.called]: self._reading(each) for each in self._archs if each.dear}

    def _reading(self, metric: ArchMetric) -> Reading:
        def read(subnet: Subnet, logits: np.ndarray) -> np.ndarray:
            price = self.prices.of(subnet)
            facts = ArchFacts(subnet, price.blocks, price.cost, logits, self._evaluator.labels)
            return np.array(metric.measured(facts))

        return read


def arch_row(pairs: PairSpace, subnet: Subnet, figures: Mapping[str, float | None]) -> Row:
    """The row of a subnet in ``archs.parquet``."""
    return {
        "arch": subnet.id, "role": subnet.role, "split": subnet.split,
        "choices": json.dumps(dict(subnet.arch.choices)), "values": values_of(pairs, subnet), **figures,
    }  # fmt: skip


def values_of(pairs: PairSpace, subnet: Subnet) -> str:
    """The values of a subnet's axes as JSON."""
    return json.dumps(pairs.spaces[subnet.role].values(subnet.arch))


def _cached_as(metric: ArchMetric, device: Mapping[str, Any] | None) -> str:
    """The name of a metric in the cache, by everything that its values depend on besides the network."""
    depends = json.dumps([metric.called, source_hash(metric.called), device], default=str)
    return f"metric-{hashlib.sha256(depends.encode()).hexdigest()[:16]}"
