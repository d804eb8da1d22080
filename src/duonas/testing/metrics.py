"""The contract of metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from duonas.core.pair import PairSpace
from duonas.core.rng import stream
from duonas.search.goal import Goal
from duonas.search.metric import ArchFacts, ArchMetric, Metric, PairMetric
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.untrained import UntrainedNetworks

IMAGES = 20


class MetricContract(ABC):
    """Tests of every metric."""

    @abstractmethod
    def metric(self) -> Metric:
        """Return the metric under test, with its name in a recipe."""

    @abstractmethod
    def pairs(self) -> PairSpace:
        """Return a pair space to search."""

    def test_it_says_what_it_is(self) -> None:
        """It has a direction and a docstring, and is a metric of archs or of pairs."""
        metric = self.metric()
        assert metric.direction in ("min", "max") and type(metric).__doc__
        assert isinstance(metric, ArchMetric | PairMetric)

    def test_an_arch_has_one_finite_figure(self) -> None:
        """Repeated calls return the same value."""
        metric, prices = self.metric(), Prices(self.pairs())
        for seed in range(5):
            for subnet in prices.pairs.subnets(prices.pairs.sample(stream(seed, "pair"))):
                price, rng = prices.of(subnet), stream(seed, "answers")
                facts = ArchFacts(subnet, price.blocks, price.cost)
                if metric.untrained:
                    assert isinstance(metric, ArchMetric)
                    again = [self._untrained().value(metric, facts) for _ in range(2)]
                    assert np.isfinite(again[0]) and again[0] == again[1]
                    continue
                if metric.dear:
                    labels = rng.integers(0, prices.pairs.space.classes, IMAGES)
                    logits = rng.random((IMAGES, prices.pairs.space.classes), dtype=np.float32)
                    facts = ArchFacts(subnet, price.blocks, price.cost, logits, labels)
                if isinstance(metric, ArchMetric):
                    assert np.isfinite(float(metric.value(facts))) and metric.value(facts) == metric.value(facts)

    def test_a_figure_of_untrained_networks_leaves_images_and_random_numbers_alone(self) -> None:
        """The batch is the same for all archs, and the figure of one does not depend on those before."""
        metric, prices = self.metric(), Prices(self.pairs())
        if not (isinstance(metric, ArchMetric) and metric.untrained):
            return
        subnets = prices.pairs.subnets(prices.pairs.sample(stream(0, "pair")))
        every = [ArchFacts(subnet, prices.of(subnet).blocks, prices.of(subnet).cost) for subnet in subnets]
        untrained, state = self._untrained(), torch.get_rng_state()
        values = [untrained.value(metric, facts) for facts in every]
        assert torch.equal(state, torch.get_rng_state())
        assert values[::-1] == [self._untrained().value(metric, facts) for facts in every[::-1]]

    def _untrained(self) -> UntrainedNetworks:
        space = self.pairs().space
        return UntrainedNetworks.rehearsal(space.image_size, space.classes)

    def test_many_pairs_at_once_are_pair_by_pair(self) -> None:
        """The values of arrays equal those of single pairs."""
        metric = self.metric()
        if metric.late:
            return
        prices, goal = Prices(self.pairs()), Goal(("accuracy", metric.called), {})
        drawn = [prices.pairs.sample(stream(seed, "pair")) for seed in range(8)]
        subnets = list(dict.fromkeys(subnet for pair in drawn for subnet in prices.pairs.subnets(pair)))
        table = PairTable(prices, subnets, goal)
        for little in range(len(subnets)):
            for _, _, row in table.rows(little):
                for place, big in enumerate(row.bigs.tolist()):
                    alone = prices.figures(table.pair(little, big), goal)[metric.called]
                    assert np.isfinite(alone)
                    if not metric.varies:
                        assert row.figures[metric.called][place] == metric.minimised * alone
