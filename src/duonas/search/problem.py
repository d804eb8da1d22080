"""The pairs that a search may try, and how one trial is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from duonas.core.arch import Arch
from duonas.core.cost import written
from duonas.core.errors import DuonasError
from duonas.core.goal import ACCURACY, EXPECTED, PEAKS, Goal
from duonas.core.narrowed import Alone
from duonas.core.pair import PairArch, PairSpace
from duonas.core.rng import stream
from duonas.core.trial import Trial
from duonas.search.prices import Pricer, PriceRow, PriceTable

DRAWS = 50  # uniform draws before a feasible pair is reached on foot
WALK = 30  # steps of that walk
NEAR = 300  # pairs near the smallest that are looked at
MEMORY = "peak_memory_bytes"


class Problem:
    """A space of pairs under constraints. Costs are checked before any evaluation.

    Args:
        goal: objectives and constraints.
        pricer: prices pairs, and holds their space.

    ``least`` holds the least that any pair costs, by the constraint's name; of what was measured on a device, the
    least that any arch costs.

    Raises:
        DuonasError: there is no pair, or a constraint that no pair meets; the message says what is possible.
    """

    def __init__(self, goal: Goal, pricer: Pricer) -> None:
        self.goal, self.pricer, self.pairs = goal, pricer, pricer.pairs
        goal.check(pricer.quantities)
        smallest = list(self.pairs.smallest())
        if not smallest:
            raise DuonasError("the search space has no pair to try: widen [space.axes].")
        if MEMORY in goal.constraints:  # that of what waits for big need not grow with the archs
            rng = stream(0, "near the smallest")
            smallest += [self.pairs.mutate(smallest[n % len(smallest)], rng, 0.3) for n in range(NEAR)]
        self.least = self._least(smallest)
        for name, limit in goal.constraints.items():
            if limit < self.least[name]:
                kind = "constraint (or [route] budget)" if name == EXPECTED else "constraint"
                raise DuonasError(f"[search] {kind} {name} = {limit:g} cannot be met: {self.needs(name)}.")
        self._starts = [pair for pair in smallest if self.feasible(pair)] or self._cheap()
        if not self._starts:
            self._refuse(smallest)

    def needs(self, name: str) -> str:
        """The least that any pair costs, in words."""
        whose = "fastest arch of the device table" if name.endswith("_ms") else "smallest pair of the space"
        whose = "most frugal arch of the device table" if name.endswith("_mj") else whose
        whose = "smallest pair found" if name == MEMORY else whose  # others were not looked at
        return f"the {whose} needs {written(name, self.least[name])}"

    def _least(self, smallest: Sequence[PairArch]) -> dict[str, float]:
        figures = [self.figures(pair) for pair in smallest]
        least = {name: min(figure[name] for figure in figures) for name in figures[0]}
        if (device := self.pricer.device) is not None:
            for quantity in device.quantities:
                fastest = float(device.column(quantity).min())
                least |= {name: fastest for name in least if name.endswith(quantity)}
        return least

    def _cheap(self) -> list[PairArch]:
        """A feasible pair, found where measured figures do not grow with the archs; none where there is none."""
        for table, little, row in self._rows():
            cheapest = row.figures[PEAKS[self.pricer.quantities[-1]]].argmin()
            return [table.pair(little, int(row.bigs[cheapest]))]
        return []

    def _rows(self) -> Iterator[tuple[PriceTable, int, PriceRow]]:
        """The bigs of every little that has some within the constraints, of all archs that a device knows."""
        if self.pricer.device is not None:
            table = PriceTable.measured(self.pricer, self.pricer.device, self.goal)
            for little in range(len(table.subnets)):
                for _, _, row in table.rows(little, self.goal):
                    if len(row.bigs):
                        yield table, little, row

    def _refuse(self, smallest: Sequence[PairArch]) -> None:
        """Every pair costs at least as much as one of the smallest, so where none of those will do, none will."""
        if any(map(self.pricer.known, smallest)) and not any(map(self.pricer.possible, smallest)):
            raise DuonasError(
                "no router of the recipe can route a pair of this search space, since its networks share no blocks: "
                "let one stand at 'input' or 'after_little'."
            )
        device = self.pricer.device
        if device is not None and not self.goal.constraints:
            raise DuonasError(
                f"[search.device]: no two of the {len(device.archs):,} archs that the table knows are a "
                f"{self.pairs.coupling} pair; it needs rows of more archs."
            )
        among = f" of the {len(device.archs):,} archs that the device table knows" if device else ""
        limits = ", ".join(f"{name} = {limit:g}" for name, limit in self.goal.constraints.items()) or "none given"
        raise DuonasError(f"[search] no pair{among} meets all constraints together ({limits}): relax one.")

    def over(self, pairs: PairSpace) -> Problem:
        """The same goal with other pairs."""
        return Problem(self.goal, self.pricer.over(pairs))

    def figures(self, pair: PairArch) -> dict[str, float]:
        """What is held against the constraints, by their names."""
        return self.pricer.figures(pair)

    def feasible(self, pair: PairArch) -> bool:
        """Whether there is a router, and every constraint can be met, at the little share that costs least."""
        constraints = self.goal.constraints
        if not self.pricer.possible(pair):
            return False
        if not constraints:
            return True
        figures = self.figures(pair)
        return all(figures[name] <= limit for name, limit in constraints.items())

    def sample(self, rng: np.random.Generator) -> PairArch:
        """A feasible pair: drawn from the space, or where those are rare, a random walk from the smallest.

        Raises:
            DuonasError: none was found, as when constraints exclude each other.
        """
        for _ in range(DRAWS):
            pair = self.pairs.sample(rng)
            if self.feasible(pair):
                return pair
        pair = self._starts[int(rng.integers(len(self._starts)))]
        for _ in range(WALK):
            step = self.pairs.mutate(pair, rng, 0.2)
            pair = step if self.feasible(step) else pair
        return pair

    def spread(self, n: int, rng: np.random.Generator) -> list[PairArch]:
        """``n`` or fewer different feasible pairs, the extremes first, then evenly spread over the sizes of big.

        Where all have the same big, over those of little.
        """
        space = self.pairs.space
        widest = self.pairs.repair(PairArch(space.smallest(), space.largest()), rng)
        ends = [*self._starts[:1], widest]
        found = {pair: None for pair in ends if self.pairs.contains(pair) and self.feasible(pair)}
        drawn = sorted({self.sample(rng) for _ in range(4 * n)} - found.keys(), key=self._size)
        if drawn:
            sizes = np.log([self._size(pair)[0] for pair in drawn])
            if not np.ptp(sizes):
                sizes = np.log([self._size(pair, 0)[0] for pair in drawn])
            for aim in np.linspace(sizes.min(), sizes.max(), n):
                found[drawn[int(np.abs(sizes - aim).argmin())]] = None
        rest = [drawn[i] for i in rng.permutation(len(drawn))]
        return list(dict.fromkeys([*found, *rest]))[:n]

    def point(self, trial: Trial, share: float = 0.0, router: int | None = None) -> int:
        """The most accurate threshold within the constraints at which at least ``share`` stays little.

        Args:
            trial: of a pair.
            share: in [0, 1].
            router: number of the router; where it is ``None`` or cannot route the pair, any will do.
        """
        expected = np.asarray(trial.costs[EXPECTED])
        own = np.ones(len(expected), dtype=bool)
        if trial.router is not None and router is not None and (trial.router == router).any():
            own = trial.router == router
        index = np.flatnonzero(own & self._within(trial) & (trial.little_share >= share))
        if len(index) == 0:
            index = np.flatnonzero(own)
            return int(index[np.lexsort([-index, expected[index]])[0]])  # the cheapest
        return int(index[np.lexsort([-index, expected[index], -trial.accuracy[index]])[0]])

    def minimised(self, trial: Trial, share: float = 0.0, router: int | None = None) -> np.ndarray:
        """The objectives (M,) of a trial at that point, each to be minimised."""
        index = self.point(trial, share, router)
        values = trial.costs | {ACCURACY: -trial.accuracy}
        return np.array([at(values[name], index) for name in self.goal.objectives], dtype=float)

    def accuracy(self, trial: Trial) -> float:
        """That of the most accurate threshold of any router within the constraints; -inf where none is."""
        return float(trial.accuracy[within].max()) if (within := self._within(trial)).any() else -np.inf

    def _within(self, trial: Trial) -> np.ndarray:
        """The thresholds within the constraints, as a mask (T,)."""
        mask = np.ones(len(trial.little_share), dtype=bool)
        for name in self.goal.constraints.keys() & trial.costs.keys():
            mask &= trial.costs[name] <= self.goal.constraints[name]
        return mask

    def _size(self, pair: PairArch, member: int = 1) -> tuple[int, PairArch]:
        return max(1, self.pricer.subnet(self.pairs.subnets(pair)[member]).macs), pair


def at(values: np.ndarray | float, index: int) -> float:
    """A figure of a trial at a threshold."""
    return float(values[index] if isinstance(values, np.ndarray) else values)


class BigProblem(Problem):
    """The bigs of a problem, each judged by itself; a big is feasible if some pair with it is.

    Args:
        problem: of pairs.
    """

    def __init__(self, problem: Problem) -> None:
        self._whole = problem
        super().__init__(problem.goal, problem.pricer.over(Alone(problem.pairs)))

    def figures(self, pair: PairArch) -> dict[str, float]:
        """The least that pairs with this big cost; of what was measured on a device, that of its smallest littles."""
        found = [self._whole.figures(partnered) for partnered in self._whole.pairs.smallest_with(pair.big)]
        return {name: min(figures[name] for figures in found) for name in found[0]}

    def feasible(self, pair: PairArch) -> bool:
        """Whether it has a little with which every constraint can be met."""
        if any(self._whole.feasible(partnered) for partnered in self._whole.pairs.smallest_with(pair.big)):
            return True
        return self.pricer.device is not None and pair.big in self._bigs

    @cached_property
    def _bigs(self) -> set[Arch]:
        """The bigs of all feasible pairs, where measured figures do not grow with the archs."""
        rows = self._whole._rows()
        return {table.subnets[big].arch for table, _, row in rows for big in row.bigs}

    def _cheap(self) -> list[PairArch]:
        return [PairArch(big, big) for big in sorted(self._bigs)[:1]]
