"""How well proxies order the archs and the pairs of a trained supernet (paper D, appendix C.6).

    python benchmarks/supernet_proxies.py RUN --archs 60 --splits val calib test

The archs are drawn without repetition; each is extracted, recalibrated and asked about all images of the splits. The
pairs are all nested ones among them. A pair's accuracy is that with little answering a share of the images, those of
the largest margin; its figure is the sum of the ranks of its networks, each among those of its role, as
``[search.filter]`` ranks proposals. Intervals are 95 % percentile bootstrap ones over the archs. Nothing is written to
the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from shutil import copytree

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import kendalltau, rankdata

from duonas.core.pair import PairArch, Subnet
from duonas.costs.analytic import analytic
from duonas.pipeline.context import Context
from duonas.ranking.archs import chosen_archs
from duonas.rundir.folder import RunFolder
from duonas.search.metric import ArchFacts, ArchMetric, find_filter
from duonas.search.untrained import UntrainedNetworks

PROXIES = ("naswot", "jacob_cov", "synflow", "grad_norm", "depth", "params", "macs")
RESAMPLED = 300


class Answers:
    """What each of A subnets answers on N images: (A, N) whether it is right, and the margin of its probabilities."""

    def __init__(self, context: Context, subnets: list[Subnet], splits: list[str]) -> None:
        begun, right, margin = time.process_time(), [], []
        evaluators = [context.evaluator_on(getattr(context.splits, split), None) for split in splits]
        labels = np.concatenate([each.labels for each in evaluators])
        for subnet in subnets:
            network = evaluators[0].network(subnet)
            logits = np.concatenate([each.logits(network) for each in evaluators])
            ordered = np.sort(softmax(logits, axis=1), axis=1)
            right.append(logits.argmax(1) == labels)
            margin.append(ordered[:, -1] - ordered[:, -2])
        self.right, self.margin = np.stack(right), np.stack(margin)
        self.seconds = (time.process_time() - begun) / len(subnets)

    def routed(self, little: int, big: int, share: float) -> float:
        """The accuracy of a pair whose little answers that share of the images."""
        order = np.argsort(-self.margin[little], kind="stable")
        count = round(share * len(order))
        kept, sent = order[:count], order[count:]
        return float(np.concatenate([self.right[little, kept], self.right[big, sent]]).mean())


def figures(
    context: Context, subnets: list[Subnet], networks: UntrainedNetworks, name: str
) -> tuple[np.ndarray, float]:
    """The figures (A,) of subnets by a proxy, and the mean seconds of processor time that one took."""
    metric, found = find_filter(name), []
    assert isinstance(metric, ArchMetric)
    begun = time.process_time()
    for subnet in subnets:
        blocks = context.pairs.blocks(subnet)
        facts = ArchFacts(subnet, blocks, analytic(blocks))
        found.append(networks.value(metric, facts) if metric.untrained else metric.measured(facts))
    return np.array(found), (time.process_time() - begun) / len(subnets)


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b; 0 if one of both does not vary."""
    return float(kendalltau(a, b).statistic) if np.ptp(a) and np.ptp(b) else 0.0


def resampled(archs: int, members: np.ndarray) -> list[np.ndarray]:
    """For each draw of archs with repetition the rows of ``members`` (P, M), as often as all their archs were drawn."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(RESAMPLED):
        often = np.bincount(rng.integers(archs, size=archs), minlength=archs)
        rows.append(np.repeat(np.arange(len(members)), often[members].prod(1)))
    return rows


def line(name: str, found: np.ndarray, target: np.ndarray, draws: list[np.ndarray]) -> str:
    """Kendall's tau of figures with a target, and its interval."""
    taus = [kendall(found[rows], target[rows]) for rows in draws if len(rows) > 1]
    low, high = np.percentile(taus, [2.5, 97.5])
    return f"{name:<10} {kendall(found, target):6.3f} ({low:6.3f} to {high:6.3f})"


def main() -> int:
    """Print a table for archs and for pairs; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run with a trained supernet")
    parser.add_argument("--archs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--splits", nargs="+", default=["val"], choices=["val", "calib", "test"])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.75], help="of little")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(copytree(arguments.run, Path(folder) / "run"))
        show(Context(run.recipe, run), arguments)
    return 0


def show(context: Context, arguments: argparse.Namespace) -> None:
    """Print the tables."""
    archs = chosen_archs(context.space, arguments.archs, arguments.seed)
    subnets = [Subnet(arch) for arch in archs]
    answers = Answers(context, subnets, arguments.splits)
    accuracy, images = answers.right.mean(1), answers.right.shape[1]
    print(f"{len(archs)} of {context.space.size():,} archs of {context.space.name!r}, {images:,} images of", end=" ")
    print(f"{', '.join(arguments.splits)}: {100 * accuracy.min():.1f} to {100 * accuracy.max():.1f} %, ", end="")
    print(f"deviation {100 * accuracy.std():.1f}; {answers.seconds:.2f} s an evaluation", flush=True)
    splits = context.splits
    networks = UntrainedNetworks(splits.train, (splits.mean, splits.std), arguments.seed)
    known = {}
    for name in PROXIES:
        known[name], seconds = figures(context, subnets, networks, name)
        print(f"{name}: {seconds:.4f} s an arch", flush=True)
    alone = resampled(len(archs), np.arange(len(archs))[:, None])
    print("\narchs: Kendall's tau with accuracy")
    for name, found in known.items():
        print(line(name, found, accuracy, alone), flush=True)
    places = [(a, b) for a, little in enumerate(archs) for b, big in enumerate(archs)
              if context.pairs.contains(PairArch(little, big))]  # fmt: skip
    members = np.array(places)
    draws = resampled(len(archs), members)
    for share in arguments.shares:
        routed = np.array([answers.routed(little, big, share) for little, big in places])
        print(
            f"\n{len(places)} pairs, little answers {share:g}: {100 * routed.min():.1f} to {100 * routed.max():.1f} %"
        )
        for name, found in [*known.items(), ("accuracies", accuracy)]:
            ranks = rankdata(found[members[:, 0]]) + rankdata(found[members[:, 1]])
            print(line(name, ranks, routed, draws), flush=True)


if __name__ == "__main__":
    sys.exit(main())
