"""Search strategies on published accuracies at equal evaluations (paper D, Table 2), without training.

    python benchmarks/table2.py nasbench201.parquet nasbench201_hardware.parquet DATA/cifar10 --rows rows.csv

Single cells under a limit on a measured latency, as in ``device_front.py``; pairs would need the networks' answers to
single images. ``rows.csv`` has a line for each search and count of evaluated cells: the regret in points, the part of
the hypervolume of all cells within the limit (from the mean accuracy of all cells and from the limit on), the most
accurate cell, and the milliseconds of processor time that proposing took, for each evaluated cell; without those of
proxies, which are computed once for all searches.

Proxies are of untrained networks of 8 channels and one cell a stage, on 64 training images of 16 x 16 from
``DATA/cifar10``. Cells that compute the same share them. ``X alone`` takes all cells within the limit in the order of
X.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from cell_proxies import COLOURS, images
from device_front import LIMIT, Alone, Remembering, trial
from pymoo.indicators.hv import HV

from duonas.core.arch import Arch
from duonas.core.cell import EDGES, NODES, OPERATIONS
from duonas.core.pair import Subnet
from duonas.core.trial import Candidate
from duonas.costs.analytic import analytic
from duonas.costs.device import cost_model
from duonas.costs.options import DeviceOptions
from duonas.recipe.schema import options_for
from duonas.search.filter import Filter
from duonas.search.front import nondominated
from duonas.search.goal import Goal
from duonas.search.metric import ArchFacts, ArchMetric, find_filter
from duonas.search.options import FilterOptions
from duonas.search.problem import Problem
from duonas.search.search import BATCH
from duonas.search.strategy import make_strategy
from duonas.search.untrained import UntrainedNetworks
from duonas.spaces.nasbench201 import NasBench201, NasBench201Space

SMALL = {"population": 20, "parents": 10, "mutations": 10, "crossovers": 10, "iterations": 1000}
BOTH = ("accuracy", LIMIT)
PROXIES = ("synflow", "naswot", "params")
HEAD = ("latency", "limit", "search", "seed", "evaluations", "regret", "hypervolume", "ms", "cell", "accuracy")


@dataclass(frozen=True)
class Search:
    """A strategy with its objectives and options, and what its proposals are filtered by."""

    strategy: str
    objectives: tuple[str, ...] = ("accuracy",)
    options: Mapping[str, object] = field(default_factory=dict)
    filter: str | None = None


SEARCHES = {
    "random": Search("random"),
    "nsga2": Search("nsga2", BOTH),
    "evolution": Search("evolution"),
    "evolution of 20": Search("evolution", options={"evolution": SMALL}),
    "moead": Search("moead", BOTH),
    **{
        f"predictor {name}": Search("predictor", BOTH, {"predictor": {"regressor": name}})
        for name in ("trees", "gp", "mlp")
    },
    **{f"evolution of 20 + {name}": Search("evolution", options={"evolution": SMALL}, filter=name) for name in PROXIES},
    **{f"{name} alone": Search(name) for name in PROXIES},
}


@dataclass(frozen=True)
class Setting:
    """A limit on a latency, and all cells within it with -accuracy and latency."""

    latency: str
    limit: float
    prices: Remembering
    cells: Mapping[Arch, tuple[float, float]]

    @property
    def best(self) -> float:
        """The highest accuracy within the limit."""
        return -min(figures[0] for figures in self.cells.values())


def main() -> int:
    """Write all rows, and print a line for each search and count; the exit status."""
    arguments = parsed()
    torch.set_num_threads(1)
    space = NasBench201.space(NasBench201.Options(preset="nasbench201-small"), 32, 10)  # cells are quicker to price
    columns = pq.read_table(arguments.table, columns=["arch", arguments.accuracy]).to_pydict()
    published = zip(columns["arch"], columns[arguments.accuracy], strict=True)
    accuracy = {space.arch(cell=text): reached / 100 for text, reached in published}
    proxies = {name: Figures(name, arguments.data) for name in PROXIES}
    mean, counts = float(np.mean(list(accuracy.values()))), arguments.counts
    print(f"{arguments.accuracy}, {len(accuracy):,} cells, {arguments.seeds} seeds; mean (deviation) over the seeds")
    with arguments.rows.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for wanted in arguments.limits:
            latency, limit = wanted.split("=")
            setting = set_up(accuracy, priced(space, arguments.hardware, latency), latency, float(limit))
            print(f"\n{latency} <= {limit}: {len(setting.cells):,} cells, the best {100 * setting.best:.3f} %")
            for name in arguments.searches:
                run = partial(searched, setting, SEARCHES[name], accuracy, proxies, max(counts))
                seeds = range(1 if name.endswith("alone") else arguments.seeds)
                rows = [row for seed in seeds for row in scored(*run(seed), setting, mean, counts)]
                tagged = [(latency, limit, name, n // len(counts), *row) for n, row in enumerate(rows)]
                writer.writerows([*one[:4], *map(_short, one[4:8]), _digits(space, one[8]), one[9]] for one in tagged)
                file.flush()
                print(line(name, rows, counts), flush=True)
    for name in PROXIES:
        print(f"{name}: {proxies[name]}")
    return 0


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="Parquet with arch and the accuracy column, in per cent")
    parser.add_argument("hardware", help="Parquet with arch and the latency columns, in ms")
    parser.add_argument("data", type=Path, help="folder with train*.parquet of CIFAR-10")
    parser.add_argument("--accuracy", default="cifar10_test_acc_200ep")
    parser.add_argument(
        "--limits",
        nargs="+",
        metavar="COLUMN=MS",
        default=[f"cifar10_{each}" for each in ("pixel3_latency_ms=8", "pixel3_latency_ms=12",
                                                "raspi4_latency_ms=12", "raspi4_latency_ms=20")],
    )  # fmt: skip
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), choices=list(SEARCHES))
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 1000], help="cells evaluated")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=Path, required=True, help="CSV to write")
    return parser.parse_args()


@cache
def priced(space: NasBench201Space, hardware: str, latency: str) -> Remembering:
    """The prices of all cells by a column of the table of latencies."""
    pairs = Alone(space)
    return Remembering(pairs, cost_model(DeviceOptions(hardware, latency=latency), pairs))


def set_up(accuracy: Mapping[Arch, float], prices: Remembering, latency: str, limit: float) -> Setting:
    """A limit on a latency."""
    assert prices.model.networks is not None
    within = {arch: row["latency_ms"] for arch, row in prices.model.networks.items() if row["latency_ms"] <= limit}
    return Setting(latency, limit, prices, {arch: (-accuracy[arch], took) for arch, took in within.items()})


@cache
def problem_of(prices: Remembering, limit: float, objectives: tuple[str, ...]) -> Problem:
    """The search problem of a limit, the same for all seeds."""
    return Problem(Goal(objectives, {LIMIT: limit}), prices).check()


def searched(
    setting: Setting,
    search: Search,
    accuracy: Mapping[Arch, float],
    proxies: Mapping[str, Figures],
    evaluations: int,
    seed: int,
) -> tuple[list[Arch], list[float]]:
    """The cells that a search evaluates, in order, and the seconds of proposing until each."""
    if search.strategy in proxies:
        figures, cells = proxies[search.strategy], list(setting.cells)
        shuffled = [cells[place] for place in np.random.default_rng(seed).permutation(len(cells))]  # orders equal ones
        return sorted(shuffled, key=lambda arch: -figures(arch))[:evaluations], [0.0] * evaluations
    problem = problem_of(setting.prices, setting.limit, search.objectives)
    options = options_for("search", strategy=search.strategy, evaluations=evaluations, **search.options)
    strategist = make_strategy(problem, options, seed)
    ask = strategist.ask
    if search.filter is not None:
        known = proxies[search.filter]

        def value(metric: ArchMetric, subnet: Subnet) -> float:
            return known(subnet.arch)

        ask = partial(Filter(FilterOptions(search.filter), problem.prices.pairs, value).best, strategist.ask)

    def computing() -> float:
        return sum(each.seconds for each in proxies.values())

    found: list[Arch] = []
    took: list[float] = []
    spent = 0.0
    while len(found) < evaluations:
        begun = time.process_time() - computing()
        asked: Sequence[Candidate] = ask(min(BATCH, evaluations - len(found)))
        spent += time.process_time() - computing() - begun
        if not asked:
            break
        told = [trial(candidate, problem, accuracy) for candidate in asked]
        begun = time.process_time()
        strategist.tell(told)
        spent += time.process_time() - begun
        found += [candidate.pair.big for candidate in asked]
        took += [spent] * len(asked)
    return found, took


def scored(
    found: list[Arch], took: list[float], setting: Setting, mean: float, counts: Iterable[int]
) -> Iterable[tuple[int, float, float, float, Arch, float]]:
    """Count, regret, part of the hypervolume, ms a cell, the best cell and its accuracy, for each count."""
    volume = HV(ref_point=np.array([-mean, setting.limit]))
    whole = _volume(volume, np.array(list(setting.cells.values())))
    for count in counts:
        tried = found[:count]
        best = min(tried, key=lambda arch: setting.cells[arch])
        reached = -setting.cells[best][0]
        part = _volume(volume, np.array([setting.cells[arch] for arch in tried])) / whole
        yield count, 100 * (setting.best - reached), part, 1000 * took[len(tried) - 1] / len(tried), best, 100 * reached


def _volume(volume: HV, points: np.ndarray) -> float:
    return float(volume(points[nondominated(points)]))


def line(name: str, rows: Sequence[tuple[int, float, float, float, Arch, float]], counts: Sequence[int]) -> str:
    """The means of a search: regret (deviation, seeds without any), hypervolume (deviation), ms a cell, by count."""
    texts = []
    for count in counts:
        of = np.array([row[1:4] for row in rows if row[0] == count])
        (regret, part, ms), (apart, spread, _) = of.mean(0), of.std(0)
        none = int((of[:, 0] < 1e-9).sum())
        texts.append(f"{regret:.3f} ({apart:.3f}) {none:2d}/{len(of)} {part:.3f} ({spread:.3f}) {ms:6.2f} ms")
    return f"{name:<26}" + " | ".join(texts)


class Figures:
    """The figures of cells by a proxy, computed when they are asked for, once for all cells that compute the same."""

    def __init__(self, name: str, data: Path) -> None:
        self._metric = find_filter(name)
        self._space = NasBench201.space(NasBench201.Options(preset="nasbench201-small"), 16, 10)
        self._networks = UntrainedNetworks(images(data, 16), COLOURS, 0) if self._metric.untrained else None
        self._known: dict[str, float] = {}
        self.seconds = 0.0

    def __call__(self, cell: Arch) -> float:
        """The figure of a cell."""
        operations = self._space.operations(cell)
        key = computes(operations) if self._networks else str(operations)
        if key not in self._known:
            begun = time.process_time()
            blocks = self._space.blocks(cell)
            facts = ArchFacts(Subnet(cell), blocks, analytic(blocks))
            value = self._networks.value(self._metric, facts) if self._networks else self._metric.measured(facts)
            self._known[key] = value
            self.seconds += time.process_time() - begun
        return self._known[key]

    def __str__(self) -> str:
        return f"{len(self._known):,} different networks in {self.seconds:.0f} s"


@cache
def computes(operations: tuple[str, ...]) -> str:
    """What a cell computes, as an expression that is the same for cells that differ in unused edges or in order."""
    nodes = ["x"]
    for node in range(1, NODES):
        terms = []
        for (source, to), operation in zip(EDGES, operations, strict=True):
            if to == node and operation != "none" and nodes[source]:
                plain = operation == "skip_connect"
                terms.append(nodes[source] if plain else f"{operation}({nodes[source]})")
        nodes.append("[" + "+".join(sorted(terms)) + "]" if len(terms) > 1 else "".join(terms))
    return nodes[-1]


def _digits(space: NasBench201Space, arch: Arch) -> str:
    """The operations of a cell as six digits."""
    return "".join(str(OPERATIONS.index(operation)) for operation in space.operations(arch))


def _short(value: float) -> str:
    return f"{value:.5g}"


if __name__ == "__main__":
    sys.exit(main())
