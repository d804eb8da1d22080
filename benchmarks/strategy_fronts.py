"""The hypervolume that strategies reach over their evaluations, on published accuracies and latencies.

    python benchmarks/strategy_fronts.py nasbench201.parquet nasbench201_hardware.parquet

No training, and single cells, as in ``device_front.py``. The objectives are accuracy and the latency of big. The
hypervolume is that of the cells tried so far, as a part of that of all cells; the reference point is accuracy 0 and the
latency of the slowest cell. The table has its mean over the seeds, and in brackets the standard deviation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

import numpy as np
import pyarrow.parquet as pq
from device_front import LIMIT, Alone, Remembering, trial
from pymoo.indicators.hv import HV

from duonas.core.arch import Arch
from duonas.costs.device import cost_model
from duonas.costs.options import DeviceOptions
from duonas.recipe.schema import options_for
from duonas.search.front import nondominated
from duonas.search.goal import Goal
from duonas.search.problem import Problem
from duonas.search.search import BATCH
from duonas.search.strategy import make_strategy
from duonas.spaces.nasbench201 import NasBench201

SEARCHES = {
    "random": {},
    "nsga2": {},
    "evolution": {},
    "moead": {},
    "predictor trees": {"predictor": {"regressor": "trees"}},
    "predictor gp": {"predictor": {"regressor": "gp"}},
    "predictor mlp": {"predictor": {"regressor": "mlp"}},
}


def tried(problem: Problem, accuracy: Mapping[Arch, float], search: str, evaluations: int, seed: int) -> np.ndarray:
    """The objectives (N, 2) of the cells that a strategy tries, in order: -accuracy and latency."""
    options = options_for("search", strategy=search.split()[0], evaluations=evaluations, **SEARCHES[search])
    strategist, found = make_strategy(problem, options, seed), []
    while len(found) < evaluations and (asked := strategist.ask(min(BATCH, evaluations - len(found)))):
        told = [trial(candidate, problem, accuracy) for candidate in asked]
        strategist.tell(told)
        found += [(-one.best.accuracy, one.best.figures[LIMIT]) for one in told]
    return np.array(found)


def main() -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="Parquet with arch and the accuracy column, in per cent")
    parser.add_argument("hardware", help="Parquet with arch and the latency column, in ms")
    parser.add_argument("--accuracy", default="cifar10_test_acc_200ep")
    parser.add_argument("--latency", default="cifar10_pixel3_latency_ms")
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), choices=list(SEARCHES))
    parser.add_argument("--counts", type=int, nargs="+", default=[50, 100, 200, 400], help="cells tried")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    space = NasBench201.space(NasBench201.Options(), 32, 10)
    pairs = Alone(space)
    device = cost_model(DeviceOptions(arguments.hardware, latency=arguments.latency), pairs)
    assert device.networks is not None
    columns = pq.read_table(arguments.table, columns=["arch", arguments.accuracy]).to_pydict()
    of_text = dict(zip(columns["arch"], columns[arguments.accuracy], strict=True))
    accuracy = {arch: of_text[space.text(arch)] / 100 for arch in device.networks}
    every = np.array([(-accuracy[arch], figures["latency_ms"]) for arch, figures in device.networks.items()])
    volume = HV(ref_point=np.array([0, every[:, 1].max()]))

    def part(points: np.ndarray) -> float:
        return float(volume(points[nondominated(points)])) / whole

    whole = float(volume(every[nondominated(every)]))
    problem = Problem(Goal(("accuracy", LIMIT), {}), Remembering(pairs, device)).check()
    print(f"{arguments.accuracy} and {arguments.latency}; {len(accuracy):,} cells; {arguments.seeds} seeds")
    print("hypervolume after" + "".join(f"{count:>16,}" for count in arguments.counts))
    for name in arguments.searches:
        runs = [tried(problem, accuracy, name, max(arguments.counts), seed) for seed in range(arguments.seeds)]
        parts = np.array([[part(run[:count]) for count in arguments.counts] for run in runs])
        cells = zip(parts.mean(0), parts.std(0), strict=True)
        print(f"{name:<17}" + "".join(f"{mean:>8.4f} ({deviation:.4f})" for mean, deviation in cells), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
