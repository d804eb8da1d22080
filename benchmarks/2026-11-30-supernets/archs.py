"""Compare the supernets of a study: the same archs in all of them, and the best that each search found.

    python benchmarks/2026-11-30-supernets/archs.py runs/study

The archs that all runs have in common are those of the tied space: 12 of them, from the smallest to the largest.
Accuracies are on the val split, after recalibration as in the search. The seconds are those of the training loop.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from duonas.core.arch import Arch
from duonas.core.pair import Subnet
from duonas.core.parquet import read_table
from duonas.core.space import SearchSpace
from duonas.core.tied import TiedSpace
from duonas.data.splits import Splits
from duonas.pipeline.context import Context
from duonas.rundir.folder import RunFolder
from duonas.training.drawing import macs_of

COMMON = 12  # archs that are evaluated in every run
LIMITS = (0.4e6, 0.8e6, 1.2e6)  # MACs within which the best arch of the search is looked for


def common_archs(space: SearchSpace) -> list[Arch]:
    """The same networks in the tied and in the free space, by rising MACs."""
    tied = space if isinstance(space, TiedSpace) else TiedSpace(space)
    known = sorted(tied.archs(), key=lambda arch: (macs_of(tied, arch), arch))
    chosen = [known[place] for place in np.linspace(0, len(known) - 1, COMMON).round().astype(int)]
    return chosen if space is tied else [tied.freed(arch) for arch in chosen]


def common_accuracies(context: Context) -> np.ndarray:
    """Their mean accuracy on val, (3,): of the smallest third, of the middle and of the largest."""
    evaluator = context.evaluator_on(context.splits.val, None)
    found = [evaluator.evaluate(Subnet(arch)).accuracy for arch in common_archs(context.space)]
    return np.array(found).reshape(3, -1).mean(1)


def best_within(folder: Path) -> list[float]:
    """Accuracy on val of the best arch that the search evaluated within each limit; NaN where there is none."""
    rows = read_table(folder / "archs.parquet", ["macs", "accuracy"]).to_pylist()
    return [max((r["accuracy"] for r in rows if r["macs"] <= limit), default=float("nan")) for limit in LIMITS]


def training_seconds(run: RunFolder, batch_size: int) -> float:
    """Seconds of the training loop, from the images a second of each log entry."""
    seconds, before = 0.0, 0
    for entry in run.read_log("train"):
        seconds += (entry["step"] - before) * batch_size / entry["images_per_s"]
        before = entry["step"]
    return seconds


def main() -> None:
    """Print a row for each run, under the names of the variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the folder of the study's runs")
    study = parser.parse_args().study
    torch.set_num_threads(1)
    limits = " | ".join(f"best within {limit / 1e6:g}M" for limit in LIMITS)
    print(f"| variant | training, s | small | middle | large | {limits} |\n|---|---|---|---|---|---|---|---|")
    splits: dict[int, Splits] = {}  # read once for each seed
    for folder in sorted(path.parent for path in study.glob("*/seed-*/supernet.safetensors")):
        recipe = RunFolder(folder).recipe
        with RunFolder.open(folder, recipe) as run:
            seconds = training_seconds(run, recipe.train.batch_size)
            context = Context(recipe, run, splits=splits.get(recipe.seed))
            splits[recipe.seed] = context.splits
            figures = [*common_accuracies(context), *best_within(folder)]
        row = " | ".join(f"{100 * each:.1f}" for each in figures)
        print(f"| {folder.parent.name}, {folder.name} | {seconds:.0f} | {row} |", flush=True)


if __name__ == "__main__":
    main()
