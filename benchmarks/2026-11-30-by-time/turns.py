"""Time the exports of several runs in turns.

    OMP_NUM_THREADS=1 python benchmarks/2026-11-30-by-time/turns.py DATA RUN [RUN ...] [--images 500] [--rounds 7]

``DATA`` is a folder with CIFAR-10 as Parquet shards. Every network of every run classifies every image once a round, at
batch 1 on one thread, in an order that is drawn anew for each round; an image's time is its median over the rounds. The
means over the images are printed beside the accuracies on the whole test split that ``measure`` found.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from duonas.core.rng import stream
from duonas.data.splits import load_splits
from duonas.measure.sessions import bound
from duonas.recipe.schema import parse
from duonas.runtime.session import open_session

FILES = {"routed": "dynamic.onnx", "big": "big.onnx", "little": "little.onnx", "plain": "single.onnx"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    test = load_splits(parse({"data": {"name": "cifar10", "path": str(given.data)}}).data, 0).test
    images = test.pixels[: given.images].numpy().astype(np.float32) / 255
    calls = {(run.name, role): each for run in given.runs for role, each in calls_of(run, images).items()}
    times = in_turns(list(calls.values()), len(images), given.rounds)
    print("| run | network | mean ms | p50 | p95 | accuracy | little share |\n|---|---|---|---|---|---|---|")
    for ((name, role), _), found in zip(calls.items(), times, strict=True):
        figures = json.loads((next(run for run in given.runs if run.name == name) / "measure.json").read_text())
        row = next(row for row in figures["verdict"]["rows"] if row["name"] == role)
        share = f"{figures['routed']['little_share']:.1%}" if role == "routed" else ""
        p50, p95 = np.percentile(found, [50, 95])
        print(f"| {name} | {role} | {found.mean():.4f} | {p50:.4f} | {p95:.4f} | {row['accuracy']:.2%} | {share} |")


def calls_of(run: Path, images: np.ndarray) -> dict[str, list[Callable[[], object]]]:
    """A call for each image, by network."""
    tau = np.array(json.loads((run / "export" / "policy.json").read_text())["tau"], np.float32)
    found = {}
    for role, file in FILES.items():
        if (run / "export" / file).exists():
            session = open_session(run / "export" / file, 1)
            given = {"tau": tau} if role == "routed" else {}
            found[role] = [bound(session, image[None], **given) for image in images]
    return found


def in_turns(calls: list[list[Callable[[], object]]], images: int, rounds: int) -> np.ndarray:
    """The median time in ms over the rounds of each network and image, (networks, images)."""
    times = np.zeros((rounds, len(calls), images))
    for number in range(rounds):
        for place in stream(0, "turns", number).permutation(len(calls) * images):
            network, image = divmod(int(place), images)
            start = time.perf_counter()
            calls[network][image]()
            times[number, network, image] = 1e3 * (time.perf_counter() - start)
    medians: np.ndarray = np.median(times, axis=0)
    return medians


if __name__ == "__main__":
    main()
