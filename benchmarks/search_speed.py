"""What a search takes beside evaluating archs, and how fast a million pairs are scored at all thresholds.

    python benchmarks/search_speed.py --run RUN --evaluations 60      # a run with a trained supernet
    python benchmarks/search_speed.py --pairs 100 320 1000            # archs; without a run

Processor time on one thread. Each arch is evaluated once for all strategies, and its seconds count for each of them.
Proposing is ``ask`` and ``tell``, scoring that of all pairs of the evaluated archs at the end, bookkeeping the rest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

import numpy as np
import torch

from duonas.core.couplings import SiblingPairs
from duonas.core.pair import Subnet
from duonas.core.protocols import silent
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.pipeline.context import Context
from duonas.recipe.schema import options_for
from duonas.rundir.folder import RunFolder
from duonas.search.bench import Bench
from duonas.search.evaluate import Evaluator
from duonas.search.front import front
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.recombine import recombine
from duonas.search.scores import Judged, Scores
from duonas.search.search import explore
from duonas.search.single import Singles
from duonas.search.strategy import Strategy, make_strategy
from duonas.search.volume import Volumes
from duonas.spaces.mobilenet import MobileNet

STRATEGIES = ("random", "nsga2", "evolution", "moead", "predictor")


class Timed(Strategy):
    """A strategy that adds up the seconds of its ``ask`` and ``tell``."""

    def __init__(self, inner: Strategy) -> None:
        super().__init__(inner.problem, inner.options, inner.seed)
        self._inner, self.seconds = inner, 0.0

    def ask(self, n: int) -> list[Candidate]:
        """Ask the strategy."""
        begun = time.process_time()
        asked = self._inner.ask(n)
        self.seconds += time.process_time() - begun
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell the strategy."""
        begun = time.process_time()
        self._inner.tell(trials)
        self.seconds += time.process_time() - begun


class Answers:
    """The answers of an evaluator, each computed once, and the seconds that it took."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._answers, self._known = evaluator.answers, dict[Subnet, tuple[np.ndarray, float]]()
        self.computing = self.counted = 0.0
        evaluator.answers = self  # type: ignore[method-assign,assignment]

    def __call__(self, subnet: Subnet) -> np.ndarray:
        """The logits of a subnet."""
        begun = time.process_time()
        if subnet not in self._known:
            logits = self._answers(subnet)
            self._known[subnet] = logits, time.process_time() - begun
            self.computing += time.process_time() - begun
        self.counted += self._known[subnet][1]
        return self._known[subnet][0]


def shares(folder: Path, evaluations: int, strategies: Sequence[str]) -> None:
    """Print where the time of a search goes, for each strategy."""
    run = RunFolder(folder)
    context = Context(run.recipe, run)
    problem, evaluator = context.problem.check(), context.evaluator_on(context.splits.val, None)
    answers = Answers(evaluator)
    print(f"{context.space.name}, {len(evaluator.labels):,} val images, {evaluations} evaluations; seconds (share)")
    print("strategy     archs   evaluating      proposing       bookkeeping     scoring     all but evaluating")
    for name in strategies:
        strategy = Timed(make_strategy(problem, options_for("search", strategy=name, evaluations=evaluations), 0))
        answers.counted = answers.computing = 0.0
        begun = time.process_time()
        scores = Scores(evaluator, problem.prices, 0)
        bench = Bench(evaluator, scores, problem.prices, problem.goal)
        volumes = Volumes(problem.goal, problem.prices)
        explore(strategy, bench, strategy.options, volumes, silent)
        explored = time.process_time() - begun - answers.computing
        begun = time.process_time()
        table = bench.table()
        singles = Singles(bench.right, table)
        points, scored = recombine(bench.right, scores.judged(table, silent), table, singles)
        front(points, table, singles, scored)
        scoring = time.process_time() - begun
        whole = answers.counted + explored + scoring
        parts = (answers.counted, strategy.seconds, explored - strategy.seconds, scoring, explored + scoring)
        said = "  ".join(f"{part:7.2f} ({100 * part / whole:5.2f} %)" for part in parts)
        print(f"{name:<12} {len(bench.subnets):5d}  {said}", flush=True)


def answered(macs: np.ndarray, images: int, graded: bool) -> tuple[np.ndarray, np.ndarray]:
    """Made-up answers of A subnets: (A, N) whether they are right, and how sure they are.

    Graded ones are right more often the more MACs a subnet has, and on the same easy images; else all by chance.
    """
    rng, shape = stream(0, "answers"), (len(macs), images)
    if not graded:
        return rng.random(shape) < 0.8, rng.random(shape, dtype=np.float32)
    skill = 0.5 + np.log(macs / macs.min()) / 4
    ease = skill[:, None] - rng.normal(size=images) + 0.5 * rng.normal(size=shape)
    return ease > 0, (np.abs(ease) + 0.5 * rng.random(shape)).astype(np.float32)


def million(archs: int, images: int, graded: bool) -> None:
    """Print what scoring the pairs of ``archs`` littles with as many bigs takes, at all thresholds."""
    axes = {"depth": [1, 2, 3], "kernel": [3, 5], "expansion": [1, 2, 4]}
    space = MobileNet.space(MobileNet.Options(preset="cifar-small", axes=axes), 32, 10)
    rng, pairs = stream(0, "archs"), SiblingPairs(space)
    drawn = [space.sample_within(space.sample(rng), rng) for _ in range(3 * archs)]
    chosen = list(dict.fromkeys(drawn))[:archs]
    subnets = [Subnet(arch, role) for role in ("little", "big") for arch in chosen]
    prices = Prices(pairs)
    table = PairTable(prices, subnets, Goal(("accuracy", "expected_macs", "peak_macs"), {}))
    right, score = answered(table.macs, images, graded)
    begun = time.process_time()
    rows = [(little, row) for little in range(archs) for _, _, row in table.rows(little) if len(row.bigs)]
    judged = [Judged(little, 0, score[little], 0, row) for little, row in rows]
    _, scored = recombine(right, judged, table, Singles(right, table))
    seconds = time.process_time() - begun
    kind = "graded" if graded else "by chance"
    print(
        f"{scored:9,} pairs x {images + 1:,} thresholds, {kind:<9}: {seconds:6.2f} s, "
        f"{scored * images / seconds:.2g} a second",
        flush=True,
    )


def main() -> int:
    """Print the shares of a run's search, or the seconds of scoring pairs; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="the folder of a run with a trained supernet; it is not changed")
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--pairs", type=int, nargs="+", default=[], help="littles, and as many bigs")
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 2500])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.run:
        with tempfile.TemporaryDirectory() as folder:
            shares(Path(copytree(arguments.run, Path(folder) / "run")), arguments.evaluations, arguments.strategies)
    for archs in arguments.pairs:
        for images in arguments.images:
            for graded in (True, False):
                million(archs, images, graded)
    return 0


if __name__ == "__main__":
    sys.exit(main())
