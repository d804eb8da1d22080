"""How well proxies order cells of NAS-Bench-201 by their published accuracies (paper D, appendix C.6).

    python benchmarks/cell_proxies.py nasbench201.parquet DATA/cifar10 --figures cells.csv

``DATA/cifar10`` holds ``train*.parquet`` in the Hugging Face image layout. Intervals are 95 % percentile bootstrap ones
over the cells. The gap is a proxy's Kendall's tau less that of #params, on the same resampled cells.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from scipy.stats import kendalltau, rankdata

from duonas.core.pair import Subnet
from duonas.costs.analytic import analytic
from duonas.data.images import Images
from duonas.ranking.archs import chosen_archs
from duonas.search.metric import ArchFacts, ArchMetric, find_filter
from duonas.search.untrained import UntrainedNetworks
from duonas.spaces.nasbench201 import NasBench201, NasBench201Space

PROXIES = ("naswot", "jacob_cov", "synflow", "grad_norm", "depth", "params", "macs")
TARGETS = ("cifar10_test_acc_200ep", "cifar100_test_acc_200ep")
COLOURS = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
FIRST = 1000  # training images to draw the batch from; the rows of the file are in random order
RESAMPLED = 1000


def images(folder: Path, side: int) -> Images:
    """The first training images, at another side if it is not 32."""
    table = pq.read_table(sorted(folder.glob("train*.parquet"))[0]).slice(0, FIRST).to_pydict()
    opened = (Image.open(io.BytesIO(each["bytes"])).convert("RGB").resize((side, side), 4) for each in table["img"])
    pixels = np.stack([np.asarray(each).transpose(2, 0, 1) for each in opened])
    return Images(torch.from_numpy(pixels.copy()), torch.tensor(table["label"]))


@dataclass(frozen=True)
class Judged:
    """The figures (N,) of N cells by a proxy, and the mean seconds of processor time that one took."""

    figures: np.ndarray
    seconds: float


def judged(name: str, space: NasBench201Space, cells: list[Subnet], networks: UntrainedNetworks) -> Judged:
    """Judge cells by a proxy."""
    metric, figures = find_filter(name), []
    assert isinstance(metric, ArchMetric)
    begun = time.process_time()
    for cell in cells:
        blocks = space.blocks(cell.arch)
        facts = ArchFacts(cell, blocks, analytic(blocks))
        figures.append(networks.value(metric, facts) if metric.untrained else metric.measured(facts))
    return Judged(np.array(figures), (time.process_time() - begun) / len(cells))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rho; Pearson's coefficient of the ranks."""
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(a, b).statistic)


def interval(values: np.ndarray) -> str:
    """The middle 95 % of values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return f"{low:6.3f} to {high:6.3f}"


def lines(known: dict[str, Judged], accuracy: np.ndarray, rows: np.ndarray) -> Iterator[str]:
    """A line for each proxy, over those rows of the cells."""
    rng, target = np.random.default_rng(0), accuracy[rows]
    draws = rng.integers(len(rows), size=(RESAMPLED, len(rows)))
    taus = {name: np.array([kendall(each.figures[rows][d], target[d]) for d in draws]) for name, each in known.items()}
    for name, each in known.items():
        mine = each.figures[rows]
        rhos = np.array([spearman(mine[d], target[d]) for d in draws])
        gap = "" if name == "params" else interval(taus[name] - taus["params"])
        yield (
            f"{name:<10} {kendall(mine, target):6.3f} ({interval(taus[name])})  "
            f"{spearman(mine, target):6.3f} ({interval(rhos)})  {gap:>16}  {each.seconds:8.4f}"
        )


def main() -> int:
    """Print one table a target and subset; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="Parquet with arch and the accuracy columns, in per cent")
    parser.add_argument("data", type=Path, help="folder with train*.parquet of CIFAR-10")
    parser.add_argument("--archs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the cells, the batch and the weights")
    parser.add_argument("--skeleton", default="nasbench201")
    parser.add_argument("--side", type=int, default=32, help="of the images, in pixels")
    parser.add_argument("--figures", type=Path, help="CSV to write all figures to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space = NasBench201.space(NasBench201.Options(preset=arguments.skeleton), arguments.side, 10)
    cells = [Subnet(arch) for arch in chosen_archs(space, arguments.archs, arguments.seed)]
    networks = UntrainedNetworks(images(arguments.data, arguments.side), COLOURS, arguments.seed)
    published = pq.read_table(arguments.table, columns=["arch", *TARGETS]).to_pydict()
    row = {text: number for number, text in enumerate(published["arch"])}
    texts = [space.text(cell.arch) for cell in cells]
    accuracy = {name: np.array([published[name][row[text]] for text in texts]) for name in TARGETS}
    known = {}
    for name in PROXIES:
        known[name] = judged(name, space, cells, networks)
        print(f"{name}: {known[name].seconds:.4f} s an arch", flush=True)
    macs = known["macs"].figures
    subsets = {"all": np.arange(len(cells)), "the upper half by MACs": np.flatnonzero(macs >= np.median(macs))}
    print(f"{arguments.skeleton} at {arguments.side} px, seed {arguments.seed}, 64 images")
    for target in TARGETS:
        for subset, rows in subsets.items():
            print(f"\n{target}, {subset}: {len(rows)} cells")
            print("           Kendall                     Spearman                    gap to params     s an arch")
            print("\n".join(lines(known, accuracy[target], rows)), flush=True)
    if arguments.figures:
        with arguments.figures.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["cell", *TARGETS, *known])
            for number, text in enumerate(texts):
                figures = [f"{each.figures[number]:.6g}" for each in known.values()]
                writer.writerow([text, *(accuracy[name][number] for name in TARGETS), *figures])
    return 0


if __name__ == "__main__":
    sys.exit(main())
