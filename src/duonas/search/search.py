"""The search: a strategy proposes pairs, each arch is evaluated once, and all pairs of these archs give the front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, Subnet
from duonas.core.parquet import write_rows
from duonas.core.protocols import Progress, silent
from duonas.core.trial import Candidate, Trial
from duonas.search.bench import Bench, Row
from duonas.search.filter import Ask, Filter, Value, check_filter
from duonas.search.front import Front, front
from duonas.search.judge import Judge
from duonas.search.metric import ArchMetric
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.recombine import recombine
from duonas.search.scores import Evaluates, Scores
from duonas.search.single import Singles
from duonas.search.strategy import Strategy, make_strategy, proposals
from duonas.search.untrained import UntrainedNetworks
from duonas.search.volume import Volumes

if TYPE_CHECKING:
    from duonas.data.images import Images
    from duonas.supernet.pair import PairSupernet

BATCH = 40  # pairs that a strategy proposes at a time


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Args:
        front: the best pairs.
        trials: one row for each evaluated pair in order, at its most accurate router and threshold within the
            constraints.
        archs: one row for each evaluated subnet.
    """

    front: Front
    trials: tuple[Row, ...]
    archs: tuple[Row, ...]

    @property
    def pair(self) -> PairArch:
        """The chosen pair."""
        return self.front.best.pair

    def save(self, folder: Path) -> None:
        """Write ``trials.parquet``, ``archs.parquet`` and, last, ``front.json``."""
        write_rows(folder / "trials.parquet", self.trials)
        write_rows(folder / "archs.parquet", self.archs)
        self.front.save(folder / "front.json")


def search(
    problem: Problem,
    evaluator: Evaluates,
    options: SearchOptions,
    seed: int,
    progress: Progress = silent,
    fitting: tuple[PairSupernet, Images, Images] | None = None,
    untrained: UntrainedNetworks | None = None,
) -> SearchResult:
    """Evaluate ``options.evaluations`` pairs, then score all pairs of the evaluated archs.

    Router and threshold are searched too: every pair is scored with each router at all thresholds.

    A search resumes by replay: the strategy proposes the same pairs again, and the evaluator reads its cache.

    Args:
        problem: allowed pairs, prices, objectives and constraints.
        evaluator: evaluates one subnet at a time.
        options: the ``[search]`` table.
        seed: of the strategy and of fitting the routers.
        progress: called with the number of evaluated pairs and the best accuracy so far, then with the number of scored
            pairs of the evaluated archs, and at the end with the accuracy of the chosen pair, all on the val split.
        fitting: the arguments of the strategy's ``fit``: the supernet, and the images of the train and val splits.
        untrained: untrained networks, for metrics of these.

    Raises:
        DuonasError: the constraints cannot be met; raised before any evaluation, unless the reason is the cost of a
            fitted router.
    """
    check_filter(problem, options)
    problem.check()
    strategy, judge = make_strategy(problem, options, seed), Judge(problem.prices, untrained)
    strategy.judge, strategy.progress = judge, progress
    if fitting is not None:
        strategy.show = partial(progress, 0, options.evaluations)
        strategy.fit(*fitting)
    scores = Scores(evaluator, problem.prices, seed)
    bench = Bench(evaluator, scores, problem.prices, problem.goal, judge)
    volumes = Volumes(problem.goal, problem.prices)
    rows, best = explore(strategy, bench, options, volumes, progress)
    if not rows:
        raise DuonasError(f"[search] strategy {strategy.name} proposed no pair.")
    scoring = partial(progress, best_val_accuracy=best)
    table = bench.table()
    judged = scores.judged(table, scoring)
    singles = Singles(bench.right, table)
    points, scored = recombine(bench.right, judged, table, singles, scoring)
    learned = strategy.findings() or None
    found = replace(front(points, table, singles, scored), strategy=learned, reached=tuple(volumes.reached))
    pairs = sum(len(each.row.bigs) for each in judged)
    progress(pairs, pairs, chosen_val_accuracy=found.best.accuracy)
    return SearchResult(found, tuple(rows), bench.arch_rows())


def explore(
    strategy: Strategy, bench: Bench, options: SearchOptions, volumes: Volumes, progress: Progress
) -> tuple[list[Row], float]:
    """Propose and evaluate pairs; return the rows of their trials and the best accuracy.

    Args:
        strategy: proposes pairs, and ends the loop when it has no more.
        bench: evaluates them.
        options: have the largest number of pairs, and the filter.
        volumes: is told of the trials.
        progress: called with the number of pairs that a replay found in the cache, then after each further pair, with
            the last of a batch also the hypervolume, and while the filter computes new figures.
    """
    rows: list[Row] = []
    best, evaluations = 0.0, options.evaluations
    ask: Ask = partial(proposals, strategy, prices=bench.prices)
    if options.filter is not None:
        judge = watched(strategy.judge, lambda: progress(len(rows), evaluations))
        ask = partial(Filter(options.filter, bench.prices.pairs, judge).best, ask)

    def tried(candidate: Candidate, before: list[Trial] | None) -> Trial:
        """The trial of a candidate; ``before`` are those before the last of a batch."""
        nonlocal best
        replayed = not bench.asked
        trial = bench.trial(candidate)
        if replayed and bench.asked:
            progress(len(rows), evaluations)
        rows.append(bench.row(len(rows), trial))
        best = max(best, trial.best.accuracy)
        figures = {"best_val_accuracy": best}
        if before is not None:
            figures["hypervolume"] = volumes.add([*before, trial])
        if bench.asked:
            progress(len(rows), evaluations, **figures)
        return trial

    while len(rows) < evaluations and (candidates := ask(min(BATCH, evaluations - len(rows)))):
        bench.ahead(candidates)
        trials: list[Trial] = []
        for candidate in candidates:
            trials.append(tried(candidate, trials if len(trials) + 1 == len(candidates) else None))
        strategy.tell(trials)
    if not bench.asked:
        progress(len(rows), evaluations, best_val_accuracy=best)
    return rows, best


def watched(judge: Judge, tell: Callable[[], None]) -> Value:
    """The figures of subnets; ``tell`` is called after each that was not in the cache, since many may take minutes."""

    def value(metric: ArchMetric, subnet: Subnet) -> float:
        before = judge.computed
        figure = judge.value(metric, subnet)
        if judge.computed > before:
            tell()
        return figure

    return value
