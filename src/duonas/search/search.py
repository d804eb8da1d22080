"""The search: a strategy proposes, archs are evaluated once, and all pairs of them make the front."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from duonas.core.cost import PairCost
from duonas.core.files import write_atomic
from duonas.core.goal import MEANS, PAIR_FIGURES, PEAKS, Goal
from duonas.core.options import SearchOptions
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.core.protocols import CostModel, Progress, Strategy, silent
from duonas.core.trial import Candidate, Trial
from duonas.costs.analytic import analytic
from duonas.costs.network_table import DeviceProfile
from duonas.routing.router import Router
from duonas.routing.threshold import sweep
from duonas.search.front import Front, front
from duonas.search.order import ORDERS
from duonas.search.prices import Pricer, PriceTable
from duonas.search.problem import Problem, at
from duonas.search.recombine import recombine
from duonas.search.scores import Evaluates, Scores
from duonas.search.strategies.evolution import Evolution
from duonas.search.strategies.fixed import Given
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategies.random import RandomSearch


@dataclass(frozen=True)
class TrialRow:
    """A pair that was tried, with the router and threshold that are the most accurate within the constraints.

    A big alone is its own little, and has no router. What no device table gives is ``None``.
    """

    number: int
    little: str
    big: str
    accuracy_little: float
    accuracy_big: float
    little_share: float
    accuracy: float
    expected_macs: float
    peak_macs: int
    params: int
    peak_memory_bytes: int
    router: str | None
    position: str | None
    expected_latency_ms: float | None = None
    peak_latency_ms: float | None = None
    expected_energy_mj: float | None = None
    peak_energy_mj: float | None = None


@dataclass(frozen=True)
class ArchRow:
    """A subnet that was evaluated; ``choices`` as JSON. What no device table gives is ``None``."""

    arch: str
    role: str
    split: int
    choices: str
    macs: int
    params: int
    peak_memory_bytes: int
    accuracy: float
    latency_ms: float | None = None
    energy_mj: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """What a search found and what it tried, in order."""

    front: Front
    trials: tuple[TrialRow, ...]
    archs: tuple[ArchRow, ...]

    @property
    def pair(self) -> PairArch:
        """The pair to take."""
        return self.front.best.pair

    def save(self, folder: Path) -> None:
        """Write ``trials.parquet``, ``archs.parquet`` and, last, ``front.json``."""
        for name, rows in (("trials", self.trials), ("archs", self.archs)):
            _write_parquet(folder / f"{name}.parquet", rows)
        self.front.save(folder / "front.json")


def make_strategy(problem: Problem, options: SearchOptions, seed: int) -> Strategy:
    """The strategy that ``options`` name, or the pair that they give."""
    if options.pair is not None:
        return Given(problem, options.pair)
    if options.strategy == "random":
        return RandomSearch(problem, seed)
    if options.strategy == "evolution":
        return Evolution(problem, options.evolution, seed)
    return Nsga2(problem, min(options.population, options.evaluations), seed)


def search(
    pairs: PairSpace,
    evaluator: Evaluates,
    options: SearchOptions,
    routers: Sequence[Router],
    seed: int,
    progress: Progress = silent,
    cost: CostModel = analytic,
    device: DeviceProfile | None = None,
) -> SearchResult:
    """Try ``options.evaluations`` pairs in ``options.order``, then score all pairs of the evaluated archs.

    Which router and which threshold are a part of what is searched: every pair is judged with each router at all of
    its thresholds.

    A search resumes by replay: the strategy asks the same again and the evaluator answers from its cache.

    Args:
        pairs: the pairs that are allowed.
        evaluator: answers for one subnet at a time.
        options: the ``[search]`` table.
        routers: to choose from, not fitted; see ``make_routers``.
        seed: of the strategy, and of fitting the routers.
        progress: told how many pairs were known, and after each that was not, with the best accuracy so far; where
            routers learn, then again of all pairs of the evaluated archs that have to wait for a router; at the end
            with the accuracy of the pair that is chosen.
        cost: prices blocks.
        device: prices whole networks in ms and mJ; see ``load_profile``.

    Raises:
        DuonasError: an unknown objective or constraint, or constraints that cannot be met; before any evaluation, but
            where it is the router's own cost that is too much.
    """
    goal = Goal(tuple(options.objectives), dict(options.constraints))
    pricer = Pricer(pairs, cost, routers, device)
    problem = Problem(goal, pricer)
    scores = Scores(evaluator, pricer, seed)
    explorer = Explorer(Bench(evaluator, scores), options, seed, progress)
    ORDERS[options.order](problem, options.evaluations, explorer)
    if not explorer.bench.asked:
        progress(len(explorer.rows), options.evaluations, best_accuracy=explorer.best)
    table = PriceTable(pricer, explorer.bench.subnets)
    judged = scores.judged(table, goal, partial(progress, best_accuracy=explorer.best))
    points, scored = recombine(explorer.bench.correct(), judged, goal)
    found = front(points, table, goal, scored)
    progress(len(explorer.rows), len(explorer.rows), chosen_accuracy=found.best.accuracy)
    return SearchResult(found, tuple(explorer.rows), explorer.bench.arch_rows())


class Explorer:
    """Lets a strategy loose on a problem, or on one problem after another.

    Args:
        bench: evaluates.
        options: the ``[search]`` table.
        seed: of the strategy.
        progress: told how many pairs a replay found known, and after each of the others, with the best accuracy so far.
    """

    def __init__(self, bench: Bench, options: SearchOptions, seed: int, progress: Progress) -> None:
        self.bench = bench
        self.rows: list[TrialRow] = []
        self._options, self._seed, self._progress = options, seed, progress
        self.best = 0.0

    def __call__(self, problem: Problem, evaluations: int) -> list[Trial]:
        """Try at most so many pairs, fewer where the problem has no more."""
        strategy = make_strategy(problem, replace(self._options, evaluations=evaluations), self._seed)
        trials: list[Trial] = []
        while len(trials) < evaluations:
            asked = strategy.ask(min(self._options.population, evaluations - len(trials)))
            if not asked:
                break
            told = [self._try(candidate, problem) for candidate in asked]
            strategy.tell(told)
            trials += told
        return trials

    def _try(self, candidate: Candidate, problem: Problem) -> Trial:
        replayed = not self.bench.asked
        trial = self.bench.trial(candidate, problem.pricer)
        if replayed and self.bench.asked:
            self._progress(len(self.rows), self._options.evaluations)
        self.rows.append(self.bench.row(len(self.rows), trial, problem))
        self.best = max(self.best, self.rows[-1].accuracy)
        if self.bench.asked:
            self._progress(len(self.rows), self._options.evaluations, best_accuracy=self.best)
        return trial


class Bench:
    """Evaluated subnets and the trials of their pairs.

    Args:
        evaluator: answers for one subnet at a time.
        scores: of littles, by every router.

    ``asked`` says whether anything had to be computed yet; what is known from an earlier time need not.
    """

    def __init__(self, evaluator: Evaluates, scores: Scores) -> None:
        self._evaluator, self._scores = evaluator, scores
        self._correct: dict[Subnet, np.ndarray] = {}
        self._rows: dict[Subnet, ArchRow] = {}
        self.asked = False

    @property
    def subnets(self) -> list[Subnet]:
        """What was evaluated, in order."""
        return list(self._rows)

    def evaluate(self, subnet: Subnet, pricer: Pricer) -> None:
        """Evaluate a subnet, once."""
        if subnet in self._rows:
            return
        result = self._evaluator.evaluate(subnet)
        self.asked |= not result.known
        self._correct[subnet] = (result.logits.argmax(1) == self._evaluator.labels).astype(np.int8)
        self._scores.take(result)
        price, measured = result.cost, pricer.subnet(subnet)
        self._rows[subnet] = ArchRow(
            subnet.id, subnet.role, subnet.split, json.dumps(dict(subnet.arch.choices)),
            price.macs, price.params, price.peak_memory_bytes, result.accuracy,
            latency_ms=measured.latency_ms, energy_mj=measured.energy_mj,
        )  # fmt: skip

    def trial(self, candidate: Candidate, pricer: Pricer) -> Trial:
        """A pair's whole trade-off curve for every router that can route it, with the costs of ``pricer``."""
        pair = candidate.pair
        little, big = pricer.pairs.subnets(pair)
        self.evaluate(little, pricer)
        self.evaluate(big, pricer)
        if little == big:  # by itself, with nothing to decide
            alone = {quantity: pricer.parts(pair, quantity) for quantity in pricer.quantities}
            curves = [_curve(np.ones(1), np.atleast_1d(self._correct[big].mean()), -1, alone)]
        else:
            curves = []
            for number, (score, macs) in self._scores.of_pair(pair, pricer):
                curve = sweep(score, self._correct[little], self._correct[big])
                parts = pricer.routed(pair, pricer.routers[number], macs)
                curves.append(_curve(curve.little_share, curve.accuracy, number, parts))
        columns = {name: np.concatenate([curve[name] for curve in curves]) for name in curves[0]}
        share, accuracy, routers = (columns.pop(name) for name in ("share", "accuracy", "router"))
        figures = pricer.figures(pair)
        costs: dict[str, Any] = {name: figures[name] for name in PAIR_FIGURES if name in figures}
        return Trial(pair, share, accuracy, costs | columns, routers)

    def row(self, number: int, trial: Trial, problem: Problem) -> TrialRow:
        """A trial at its best."""
        index = problem.point(trial)
        little, big = (self._rows[subnet] for subnet in problem.pairs.subnets(trial.pair))
        taken = -1 if trial.router is None else int(trial.router[index])
        router = problem.pricer.routers[taken] if taken >= 0 else None
        figures: dict[str, Any] = {name: _whole(name, at(value, index)) for name, value in trial.costs.items()}
        return TrialRow(
            number, little.arch, big.arch, little.accuracy, big.accuracy, float(trial.little_share[index]),
            float(trial.accuracy[index]),
            **figures, router=router.name if router else None, position=router.position if router else None,
        )  # fmt: skip

    def correct(self) -> np.ndarray:
        """(A, N) int8, 1 where an arch is right, of all that were evaluated."""
        return np.stack(list(self._correct.values()))

    def arch_rows(self) -> tuple[ArchRow, ...]:
        """One row an arch."""
        return tuple(self._rows.values())


def _curve(share: np.ndarray, accuracy: np.ndarray, router: int, costs: dict[str, PairCost]) -> dict[str, np.ndarray]:
    """One router's part of a trial: arrays (T,) by name."""
    found = {"share": share, "accuracy": accuracy, "router": np.full(len(share), router)}
    for quantity, cost in costs.items():
        found |= {MEANS[quantity]: cost.expected(share), PEAKS[quantity]: np.full(len(share), cost.peak)}
    return found


def _whole(name: str, value: float) -> float:
    """A figure as it is written: what is the same at every threshold and can be counted is a whole number."""
    return int(value) if name in PAIR_FIGURES and not name.endswith(("_ms", "_mj")) else value


def _write_parquet(path: Path, rows: Sequence[TrialRow | ArchRow]) -> Path:
    values = [asdict(row) for row in rows]
    known = [name for name in values[0] if any(row[name] is not None for row in values)]
    table = pyarrow.Table.from_pylist([{name: row[name] for name in known} for row in values])
    return write_atomic(path, lambda temporary: parquet.write_table(table, temporary))
