"""Accuracy, changed answers, bytes, time and memory of finished runs on every engine that is here; prints Markdown.

    python benchmarks/precision_targets.py RUN [RUN ...] [--engines onnxruntime openvino split] [--rounds 5]

The runs are of one pair in several precisions, the first of them in float: its answers by ONNX Runtime are what the
others' are compared with. All take the test images of the first run, at their own thresholds. Times are taken in turns
over all runs and engines, on one thread: one image at a time, over all test images, and 64 images at a time. Memory is
the growth of a fresh process from before the bundle is opened to its peak, with 64 images at a time (on Linux).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import duonas
from duonas.core.progress import Silent
from duonas.data.ondisk import read
from duonas.pipeline.context import read_splits

BATCH = 64
GROWTH = """
import re, sys
from pathlib import Path
import numpy as np, onnxruntime
from duonas.runtime import Bundle
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
before, (folder, engine, batch) = peak(), sys.argv[1:]
bundle = Bundle.load(folder, threads=1, engine=engine)
for _ in range(5):
    bundle.predict(np.random.default_rng(0).random((int(batch), *bundle.image_shape), np.float32))
print((peak() - before) / 1024)
"""
MODELS = {"split": "split-*.onnx"}  # the networks of an engine; others take the routed file


@dataclass
class Combination:
    """A run on an engine.

    Args:
        run: the run's folder.
        engine: the engine's name.
        bundle: the opened export.
        single: mean ms of an image, one at a time, by round.
        batched: mean ms of an image, 64 at a time, by round.
    """

    run: Path
    engine: str
    bundle: duonas.Bundle
    single: list[float] = field(default_factory=list)
    batched: list[float] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the networks that the engine reads."""
        return sum(file.stat().st_size for file in (self.run / "export").glob(MODELS.get(self.engine, "dynamic.onnx")))

    def time(self, images: np.ndarray, size: int) -> float:
        """The mean ms of an image where ``size`` images are given at a time."""
        batches = [images[first : first + size] for first in range(0, len(images) - size + 1, size)]
        start = time.perf_counter()
        for batch in batches:
            self.bundle.predict(batch)
        return 1000 * (time.perf_counter() - start) / (len(batches) * size)


def test_images(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The test images (N, 3, H, W) float32 in [0, 1] and labels (N,) of a run."""
    split = read_splits(duonas.Run(run).recipe, Silent()).test
    return read(split.pixels).numpy().astype(np.float32) / 255, split.labels.numpy()


def memory(run: Path, engine: str) -> float:
    """The MB that a fresh process grows by when it opens a bundle and classifies random images."""
    command = [sys.executable, "-c", GROWTH, str(run / "export"), engine, str(BATCH)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--engines", nargs="+", default=["onnxruntime", "openvino", "split"])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    images, labels = test_images(given.runs[0])
    tried = [
        Combination(run, engine, duonas.Bundle.load(run / "export", threads=1, engine=engine))
        for run in given.runs
        for engine in given.engines
    ]
    for each in tried:  # warm
        each.time(images[:BATCH], 1)
        each.time(images[: 2 * BATCH], BATCH)
    for _ in range(given.rounds):
        for each in tried:
            each.single.append(each.time(images, 1))
            each.batched.append(each.time(images, BATCH))
    print(f"{len(images)} test images, medians of {given.rounds} rounds in turns\n")
    print("| run | engine | accuracy | changed | stay little | MB | ms at 1 | ratio | ms at 64 | ratio | memory MB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    first = tried[0]
    reference = first.bundle.predict(images).labels
    for each in tried:
        found = each.bundle.predict(images)
        single, batched = statistics.median(each.single), statistics.median(each.batched)
        ratios = [
            statistics.median(a / b for a, b in zip(mine, base, strict=True))
            for mine, base in ((each.single, first.single), (each.batched, first.batched))
        ]
        print(
            f"| {each.run.name} | {each.engine} | {np.mean(found.labels == labels):.1%} | "
            f"{np.sum(found.labels != reference)} | {np.mean(found.is_little):.1%} | {each.size / 1e6:.2f} | "
            f"{single:.2f} | {ratios[0]:.2f} | {batched:.2f} | {ratios[1]:.2f} | {memory(each.run, each.engine):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
