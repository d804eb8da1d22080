"""The search problem: the pairs that meet the constraints, which is checked before any evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, cached_property

import numpy as np

from duonas.core.cost import PairCost, written
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, Subnet
from duonas.core.plugin import is_plugin
from duonas.core.rng import stream
from duonas.runtime.units import percentage
from duonas.search.goal import BUDGETS, Goal, relaxing
from duonas.search.metric import ACCURACY, ArchFacts, ArchMetric, Metric, PairMetric, PairPrice, finite
from duonas.search.pair_table import PairTable, PriceRow
from duonas.search.prices import Prices
from duonas.search.untrained import UntrainedNetworks

DRAWS = 50  # uniform draws before a random walk takes over
WALK = 30  # steps of the random walk
NEAR = 300  # mutations of the smallest pairs to examine
RANDOM = 10  # predictions of each class to try a metric of the user's own on
MEMORY = "peak_memory_bytes"


class Problem:
    """A pair space under constraints.

    Args:
        goal: objectives and constraints.
        prices: of the pairs of the space.
        first: pairs of the space that another search found good, which ``spread`` has a part of.
        share: of the images that little answers, at which the constraints must hold: 1, the share of least cost, where
            the search finds the share, too.
    """

    def __init__(self, goal: Goal, prices: Prices, first: Sequence[PairArch] = (), share: float = 1.0) -> None:
        self.goal, self.prices, self.pairs, self._first, self.share = goal, prices, prices.pairs, first, share
        self.lowest = cache(self._lowest)
        self._limits = {name: limit for name, limit in goal.constraints.items() if not goal.metrics[name].late}

    def check(self) -> Problem:
        """This problem, if it has a feasible pair.

        Raises:
            DuonasError: no feasible pair was found; the message says which constraint is too strict.
        """
        self.goal.check(self.prices.quantities)
        if not self._smallest:
            raise DuonasError(
                f"search space {self.pairs.space.name!r} has no allowed {self.pairs.coupling} pair: "
                "widen [space.axes], or choose another [pair] coupling."
            )
        for metric in self.goal.metrics.values():
            self.rehearse(metric)
        for name, limit in self._limits.items():
            if not self.goal.metrics[name].within(self.lowest(name), limit):
                kind = "constraint (or [route] budget)" if name in BUDGETS else "constraint"
                raise DuonasError(
                    f"[search] {kind} {name} = {limit:g} cannot be met: {self.needs(name)}; {relaxing([name])}."
                )
        if not self.starts:
            self._refuse()
        return self

    def rehearse(self, metric: Metric) -> None:
        """Compute a metric of the user's own, or of untrained networks, once, on random predictions or images.

        Raises:
            DuonasError: it is not one finite number, or the networks are given.
        """
        if not self._smallest or not (is_plugin(metric.called) or metric.untrained):
            return
        subnet = self.pairs.subnets(self._smallest[0])[0]
        if isinstance(metric, ArchMetric) and metric.untrained:
            if self.pairs.coupling == "given":
                raise DuonasError(f"[search] metric {metric.called}: networks that are given have no untrained form.")
            space = self.pairs.space
            UntrainedNetworks.rehearsal(space.image_size, space.classes).value(metric, self._random_facts(subnet))
        elif isinstance(metric, ArchMetric) and metric.dear:
            metric.measured(self._random_facts(subnet))
        elif not metric.dear and metric.quantity in (None, *self.prices.quantities):
            finite(metric, self.prices.figures(self._smallest[0], Goal((ACCURACY, metric.called), {}))[metric.called])

    def _random_facts(self, subnet: Subnet) -> ArchFacts:
        price, classes = self.prices.of(subnet), self.pairs.space.classes
        labels = np.arange(RANDOM * classes) % classes
        logits = stream(0, "predictions").random((len(labels), classes), np.float32)
        return ArchFacts(subnet, price.blocks, price.cost, logits, labels)

    def needs(self, name: str) -> str:
        """The least value of a constrained metric over all pairs, in words; the largest if it is maximised."""
        metric, value = self.goal.metrics[name], written(name, self.lowest(name))
        if isinstance(metric, PairMetric) and metric.varies and self.share < 1:
            value += f" where little answers {percentage(self.share)} of the images"
        if metric.direction == "max":
            return f"the largest value of any pair found is {value}"
        if metric.quantity in (None, "macs"):
            found = self._must_be_searched(name)
            return f"the smallest pair {'found' if found else 'of the space'} needs {value}"
        if self.prices.model.networks is not None:
            return f"the lowest of any pair in the device table is {value}"
        return f"the {'fastest' if metric.quantity == 'latency_ms' else 'most efficient'} pair found needs {value}"

    def figures(self, pair: PairArch) -> dict[str, float]:
        """The figures that are known before evaluation, by metric."""
        return self.prices.figures(pair, self.goal, self.share)

    def feasible(self, pair: PairArch) -> bool:
        """Whether a router can route the pair and it can meet the constraints, at the problem's little share."""
        return bool(self.prices.possible(pair)) and (not self._limits or bool(self.goal.keeps(self.figures(pair))))

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Draw a feasible pair; if these are rare, walk at random from one of ``starts``."""
        for _ in range(DRAWS):
            pair = self.pairs.sample(rng)
            if self.feasible(pair):
                return pair
        pair = self.starts[int(rng.integers(len(self.starts)))]
        for _ in range(WALK):
            step = self.pairs.mutate(pair, rng, 0.2)
            pair = step if self.feasible(step) else pair
        return pair

    def known(self, n: int) -> list[PairArch]:
        """Up to ``n`` of the feasible pairs that another search found good, evenly over these."""
        feasible = [pair for pair in dict.fromkeys(self._first) if self.feasible(pair)]
        places = np.linspace(0, len(feasible) - 1, min(n, len(feasible))).round().astype(int)
        return [feasible[place] for place in places]

    def spread(self, n: int, rng: np.random.Generator) -> list[PairArch]:
        """Up to ``n`` distinct feasible pairs: the extremes, what is ``known``, an even spread over the sizes of big.

        At most half of them are known before. If all bigs have the same size, the spread is over the sizes of little.
        """
        spaces = self.pairs.spaces
        widest = self.pairs.repair(PairArch(spaces["little"].smallest(), spaces["big"].largest()), rng)
        ends = [*self.starts[:1], widest]
        found = {pair: None for pair in ends if self.pairs.contains(pair) and self.feasible(pair)}
        found |= dict.fromkeys(known := self.known(n // 2))
        drawn = sorted({self.sample(rng) for _ in range(4 * n)} - found.keys(), key=self._size)
        if drawn:
            sizes = np.log([self._size(pair)[0] for pair in drawn])
            if not np.ptp(sizes):
                sizes = np.log([self._size(pair, 0)[0] for pair in drawn])
            for aim in np.linspace(sizes.min(), sizes.max(), max(n - len(known), 2)):
                found[drawn[int(np.abs(sizes - aim).argmin())]] = None
        rest = [drawn[i] for i in rng.permutation(len(drawn))]
        return list(dict.fromkeys([*found, *rest]))[:n]

    @cached_property
    def starts(self) -> list[PairArch]:
        """A few feasible pairs; empty if none was found."""
        near = [*self._smallest]
        searched = [name for name in self._limits if self._must_be_searched(name)]
        if searched:
            near += self._near
        near += [self._descended(name) for name in searched if name != MEMORY]
        return [pair for pair in near if self.feasible(pair)] or self._cheapest() or self._with_larger_bigs()

    def _with_larger_bigs(self) -> list[PairArch]:
        """Feasible pairs of the smallest little: a router before little needs a big that costs no less than it.

        In spaces of their own the smallest little may cost more than the smallest big.
        """
        if not self.prices.before or self.prices.model.networks is not None:
            return []
        rng, little = stream(0, "larger bigs"), self.pairs.spaces["little"].smallest()
        bigs = [self.pairs.space.largest(), *(self.pairs.space.sample(rng) for _ in range(DRAWS))]
        found = dict.fromkeys(self.pairs.repair(PairArch(little, big), rng) for big in bigs)
        return [pair for pair in found if self.pairs.contains(pair) and self.feasible(pair)]

    @cached_property
    def _smallest(self) -> list[PairArch]:
        return list(self.pairs.smallest())

    @cached_property
    def _near(self) -> list[PairArch]:
        rng = stream(0, "near the smallest")
        return [self.pairs.mutate(self._smallest[n % len(self._smallest)], rng, 0.3) for n in range(NEAR)]

    def _must_be_searched(self, name: str) -> bool:
        """Whether a metric may be least elsewhere than in the smallest pairs, since it need not grow with the archs.

        That holds for peak memory, measured quantities, metrics of archs and of the user's own, and for every metric
        where no arch is contained in all others.
        """
        if not self.pairs.has_smallest and self.prices.model.networks is None:
            return True
        metric = self.goal.metrics[name]
        measured = metric.quantity not in (None, "macs") and self.prices.model.networks is None
        own = type(metric).__module__.endswith(".py")
        return name == MEMORY or measured or own or isinstance(metric, ArchMetric)

    def _lowest(self, name: str) -> float:
        """The least value of a constrained metric that was found; the largest if it is maximised."""
        metric, networks = self.goal.metrics[name], self.prices.model.networks
        if networks is not None and isinstance(metric, PairMetric) and metric.quantity not in (None, "macs"):
            return self._lowest_measured(metric)
        pairs = self._smallest
        if self._must_be_searched(name):
            pairs = [*pairs, *self._near, *([self._descended(name)] if name != MEMORY else [])]
        return metric.minimised * min(metric.minimised * self.figures(pair)[name] for pair in pairs)

    def _lowest_measured(self, metric: PairMetric) -> float:
        """The least value of a measured metric over all pairs of a table of networks; of all archs if it has no pair.

        No network shares blocks with another one there, so a pair's figures are those of its archs.
        """
        networks, quantity = self.prices.model.networks or {}, str(metric.quantity)
        costs = np.array([figures[quantity] for figures in networks.values()])
        choices = np.array([self.pairs.space.indices(arch) for arch in networks])

        def least(little: int, bigs: np.ndarray) -> float:
            own, other = costs[little], costs[bigs]
            parts = {quantity: PairCost(0, 0, own, other, self.prices.before)}
            price = PairPrice(parts, {quantity: own}, {quantity: other}, {}, 0)
            return float(np.min(metric.value(price, self.share)))

        found, fastest = np.inf, np.array([costs.argmin()])
        for little in np.argsort(costs, kind="stable"):
            if least(little, fastest) >= found:
                break  # so are all further littles, whichever their bigs are
            for split in self.pairs.splits:
                bigs = np.flatnonzero(self.pairs.matches(choices[little], choices, split))
                found = min(found, least(little, bigs)) if len(bigs) else found
        return float(found if np.isfinite(found) else costs.min())

    def _descended(self, name: str) -> PairArch:
        """Descend from the best known pair to a local minimum of a metric."""
        metric, rng = self.goal.metrics[name], stream(0, "descend")

        def height(pair: PairArch) -> float:
            return metric.minimised * self.figures(pair)[name]

        best = min([*self._smallest, *self._near], key=height)
        while True:
            lower = min(self.pairs.neighbours(best, rng), key=height, default=best)
            if not height(lower) < height(best):
                return best
            best = lower

    def _cheapest(self) -> list[PairArch]:
        """A feasible pair of a table of networks, whose figures need not grow with the archs; or none."""
        last = self.prices.quantities[-1]
        for table, little, row in self._rows():
            pair = table.pair(little, int(row.bigs[row.parts[last].peak.argmin()]))
            if self.feasible(pair):  # its row is of pairs that are at some share
                return [pair]
        return []

    def _rows(self) -> Iterator[tuple[PairTable, int, PriceRow]]:
        """The prices of all feasible pairs of the archs of a table of networks, by little."""
        if self.prices.model.networks is not None:
            table = PairTable(self.prices, self._affordable(), Goal((ACCURACY,), self._limits))
            for little in range(len(table.subnets)):
                for _, _, row in table.rows(little):
                    if len(row.bigs):
                        yield table, little, row

    def _affordable(self) -> list[Subnet]:
        """The archs of a table of networks that may be part of a feasible pair, the cheapest littles first."""
        networks, goal = self.prices.model.networks or {}, self.goal
        little, big = (np.ones(len(networks), dtype=bool) for _ in range(2))
        columns = {q: np.array([row[q] for row in networks.values()]) for q in self.prices.quantities if q != "macs"}
        for quantity, column in columns.items():
            # With the router after little both networks run; the other one costs at least the minimum.
            within = column + (0 if self.prices.before else column.min()) <= goal.limit(f"peak_{quantity}")
            least = min(goal.limit(f"expected_{quantity}"), goal.limit(f"little_{quantity}"))
            little &= within & (column <= least)
            big &= within & (column <= goal.limit(f"big_{quantity}"))
        archs, order = list(networks), np.argsort(next(iter(columns.values())), kind="stable")
        role, splits = self.pairs.roles[-1], self.pairs.splits
        littles = [Subnet(archs[i], role, split) for i in order if little[i] for split in splits]
        return list(dict.fromkeys([*littles, *(Subnet(archs[i]) for i in np.flatnonzero(big))]))

    def _refuse(self) -> None:
        # Every pair costs at least as much as one of the smallest, so if none of these is feasible, none is.
        prices, smallest, networks = self.prices, self._smallest, self.prices.model.networks
        if any(map(prices.known, smallest)) and not any(map(prices.possible, smallest)):
            if prices.before and not all(router.position == "stem" for router in prices.routers):
                raise DuonasError(
                    "no router of the recipe can route a pair of this search space: a router before little needs a "
                    "little that costs no more than big; make little's space smaller, or set the position of a router "
                    "to 'after_little'."
                )
            raise DuonasError(
                "no router of the recipe can route a pair of this search space, since its networks share no blocks: "
                "set the position of a router to 'input' or 'after_little'."
            )
        if networks is not None and not self.goal.constraints:
            raise DuonasError(
                f"[search.device]: no two of the {len(networks):,} archs in the table are a {self.pairs.coupling} "
                "pair: add rows for more archs."
            )
        among = f" of the {len(networks):,} archs in the device table" if networks is not None else ""
        limits = self.goal.constraints
        if not limits:
            raise DuonasError(f"[search] no pair{among} can be routed.")
        said = ", ".join(
            f"{name} = {limit:g}" + (f", where {self.needs(name)}" if name in self._limits else "")
            for name, limit in limits.items()
        )
        raise DuonasError(f"[search] no pair{among} meets all constraints together ({said}): {relaxing(limits)}.")

    def _size(self, pair: PairArch, member: int = 1) -> tuple[int, PairArch]:
        return max(1, self.prices.subnet(self.pairs.subnets(pair)[member]).macs), pair
