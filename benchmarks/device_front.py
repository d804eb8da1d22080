"""How near the strategies of a search come to the best cell under a latency limit, on published accuracies.

    python benchmarks/device_front.py nasbench201.parquet nasbench201_hardware.parquet

No training: in place of a supernet, the benchmark's table says how accurate a cell is (trained from scratch), and the
device table how long it takes. Single cells are searched, each as a pair with itself (``Alone``), by the strategies,
problem and prices of ``duonas search``; pairs of cells would need the networks' answers to single images, which no
table has. Latency is that of big. The regret is the true best accuracy under the limit less the best of the first N
cells tried, in points: the mean over the seeds, and in brackets in how many of them the best itself was found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow.parquet as pq

from duonas.core.arch import Arch
from duonas.core.couplings import SiblingPairs
from duonas.core.pair import PairArch
from duonas.core.trial import Candidate, Point, Trial
from duonas.costs.device import cost_model
from duonas.costs.options import DeviceOptions
from duonas.recipe.schema import options_for
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.search import BATCH
from duonas.search.strategy import make_strategy
from duonas.spaces.nasbench201 import NasBench201

LIMIT = "big_latency_ms"
STRATEGIES = {  # and what they aim at
    "random": ("accuracy",),
    "nsga2": ("accuracy", LIMIT),
    "evolution": ("accuracy",),
    "moead": ("accuracy", LIMIT),
    "predictor": ("accuracy",),
}


class Alone(SiblingPairs):
    """Every arch as a pair with itself."""

    def sample(self, rng: np.random.Generator) -> PairArch:
        """An arch drawn from the space, twice."""
        return self.repair(super().sample(rng), rng)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Big by itself."""
        return PairArch(pair.big, pair.big)


class Remembering(Prices):
    """Asked about the same few thousand cells by every strategy and seed."""

    def figures(self, pair: PairArch, goal: Goal | None = None) -> dict[str, float]:
        return self._remembered(pair)

    @cache  # noqa: B019 (it lives as long as the script)
    def _remembered(self, pair: PairArch) -> dict[str, float]:
        return super().figures(pair)


def trial(candidate: Candidate, problem: Problem, accuracy: Mapping[Arch, float]) -> Trial:
    """A cell by itself as the strategies are told of it."""
    reached = accuracy[candidate.pair.big]
    point = Point(1.0, reached, 0, problem.figures(candidate.pair))
    return Trial(candidate, point, point, {"accuracy": reached}, {"accuracy": reached})


def tried(problem: Problem, accuracy: Mapping[Arch, float], strategy: str, evaluations: int, seed: int) -> list[float]:
    """The accuracies of the cells that a strategy tries, in order."""
    options = options_for("search", strategy=strategy, evaluations=evaluations)
    strategist, found = make_strategy(problem, options, seed), []
    while len(found) < evaluations and (asked := strategist.ask(min(BATCH, evaluations - len(found)))):
        told = [trial(candidate, problem, accuracy) for candidate in asked]
        strategist.tell(told)
        found += [one.best.accuracy for one in told]
    return found


def cell(best: float, runs: Sequence[Sequence[float]], count: int) -> str:
    """Regret after ``count`` cells, and how often it is none."""
    regret = np.array([best - max(run[:count]) for run in runs])
    return f"{regret.mean():6.3f} ({int((regret < 1e-9).sum()):2d})"


def main() -> int:
    """Print one table a limit; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="Parquet with arch and the accuracy column, in per cent")
    parser.add_argument("hardware", help="Parquet with arch and the latency column, in ms")
    parser.add_argument("--accuracy", default="cifar10_test_acc_200ep")
    parser.add_argument("--latency", default="cifar10_pixel3_latency_ms")
    parser.add_argument("--limits", type=float, nargs="+", default=[4.0, 8.0, 12.0, 16.0], help="in ms")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 1000], help="cells tried")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    space = NasBench201.space(NasBench201.Options(), 32, 10)
    pairs = Alone(space)
    device = cost_model(DeviceOptions(arguments.hardware, latency=arguments.latency), pairs)
    assert device.networks is not None
    columns = pq.read_table(arguments.table, columns=["arch", arguments.accuracy]).to_pydict()
    of_text = dict(zip(columns["arch"], columns[arguments.accuracy], strict=True))
    accuracy = {arch: of_text[space.text(arch)] for arch in device.networks}
    prices = Remembering(pairs, device)
    print(f"{arguments.accuracy} under {arguments.latency}; {len(accuracy):,} cells; {arguments.seeds} seeds")
    for limit in arguments.limits:
        within = [accuracy[arch] for arch, figures in device.networks.items() if figures["latency_ms"] <= limit]
        best = max(within)
        print(f"\nat most {limit:g} ms: {len(within):,} cells, the best {best:.3f} %")
        print("regret after   " + "".join(f"{count:>13,}" for count in arguments.counts))
        for name, objectives in STRATEGIES.items():
            problem = Problem(Goal(objectives, {LIMIT: limit}), prices).check()
            runs = [tried(problem, accuracy, name, max(arguments.counts), seed) for seed in range(arguments.seeds)]
            print(f"{name:<15}" + "".join(f"{cell(best, runs, count):>13}" for count in arguments.counts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
