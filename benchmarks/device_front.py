"""How near evolution, NSGA-II and chance come to the best cell under a latency limit, on published accuracies.

    python benchmarks/device_front.py nasbench201.parquet nasbench201_hardware.parquet

No training: in place of a supernet, the benchmark's table says how accurate a cell is (trained from scratch), and the
device table how long it takes. Single cells are searched, each as a pair with itself (``Alone``), by the strategies,
problem and prices of ``duonas search``; pairs of cells would need the networks' answers to single images, which no
table has. The regret is the true best accuracy under the limit less the best of the first N cells tried, in points: the
mean over the seeds, and in brackets in how many of them the best itself was found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow.parquet as pq

from duonas.core.arch import Arch
from duonas.core.couplings import pair_space
from duonas.core.goal import OBJECTIVES, Goal
from duonas.core.narrowed import Alone
from duonas.core.options import DeviceOptions, SearchOptions, SpaceOptions
from duonas.core.pair import PairArch
from duonas.core.trial import Trial
from duonas.costs.network_table import load_profile
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.search import make_strategy
from duonas.spaces.nasbench201 import FAMILY

LIMIT = "peak_latency_ms"
STRATEGIES = {"random": ("accuracy",), "nsga2": ("accuracy", LIMIT), "evolution": ("accuracy",)}  # and what they aim at


class Remembering(Pricer):
    """Asked about the same few thousand cells by every strategy and seed."""

    @cache  # noqa: B019 (it lives as long as the script)
    def figures(self, pair: PairArch) -> dict[str, float]:
        return super().figures(pair)


def trial(pair: PairArch, problem: Problem, accuracy: Mapping[Arch, float]) -> Trial:
    """A cell by itself as the strategies are told of it."""
    figures = problem.figures(pair)
    costs = {name: np.full(1, figures[name]) for name in OBJECTIVES if name in figures}
    return Trial(pair, np.ones(1), np.array([accuracy[pair.big]]), costs)


def tried(problem: Problem, accuracy: Mapping[Arch, float], strategy: str, evaluations: int, seed: int) -> list[float]:
    """The accuracies of the cells that a strategy tries, in order."""
    options = SearchOptions(strategy=strategy, evaluations=evaluations)
    strategist, found = make_strategy(problem, options, seed), []
    while len(found) < evaluations:
        asked = strategist.ask(min(options.population, evaluations - len(found)))
        if not asked:
            break
        told = [trial(candidate.pair, problem, accuracy) for candidate in asked]
        strategist.tell(told)
        found += [float(one.accuracy[0]) for one in told]
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
    space = FAMILY.space(SpaceOptions(), 32, 10)
    device = load_profile(DeviceOptions(arguments.hardware, latency=arguments.latency), space)
    columns = pq.read_table(arguments.table, columns=["arch", arguments.accuracy]).to_pydict()
    of_text = dict(zip(columns["arch"], columns[arguments.accuracy], strict=True))
    accuracy = {arch: of_text[space.text(arch)] for arch in device.archs}
    pricer = Remembering(Alone(pair_space(space, "sibling")), device=device)
    print(f"{arguments.accuracy} under {arguments.latency}; {len(accuracy):,} cells; {arguments.seeds} seeds")
    for limit in arguments.limits:
        within = [accuracy[arch] for arch, figures in device.archs.items() if figures["latency_ms"] <= limit]
        best = max(within)
        print(f"\nat most {limit:g} ms: {len(within):,} cells, the best {best:.3f} %")
        print("regret after   " + "".join(f"{count:>13,}" for count in arguments.counts))
        for name, objectives in STRATEGIES.items():
            problem = Problem(Goal(objectives, {LIMIT: limit}), pricer)
            runs = [tried(problem, accuracy, name, max(arguments.counts), seed) for seed in range(arguments.seeds)]
            print(f"{name:<15}" + "".join(f"{cell(best, runs, count):>13}" for count in arguments.counts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
