"""How much duonas adds to plain PyTorch, side by side in one run; prints JSON lines.

    python benchmarks/speed.py [--repeats 15] [--threads 2]

Every figure is a ratio of times taken in turn (A B A B ...), so that a drifting machine cancels out; the median of the
repeats is quoted. Images are random: no arithmetic here depends on what they show.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from duonas.core.couplings import NestedPairs
from duonas.core.pair import Subnet
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.data.batches import evaluation_batches
from duonas.data.images import Images
from duonas.layers.norm import recalibrate
from duonas.recipe.schema import options_for
from duonas.search.evaluate import Evaluator
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.recombine import recombine
from duonas.search.scores import Judged
from duonas.search.single import Singles
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.training.memory import keep_freed_memory
from duonas.training.rules.sandwich import Sandwich

BATCH = 128


def side_by_side(
    a: Callable[[], object],
    b: Callable[[], object],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of both and the median of the ratio a / b, taken in turn after two warm-ups.

    Beside other work, ``time.process_time`` counts what a single thread computed, and not what it waited for.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 2):
        for which, function in enumerate((a, b)):
            start = clock()
            function()
            if repeat >= 2:
                times[which].append(clock() - start)
    ratios = [x / y for x, y in zip(*times, strict=True)]
    return {"a_s": statistics.median(times[0]), "b_s": statistics.median(times[1]), "ratio": statistics.median(ratios)}


def build(depth: int = 3) -> PairSupernet:
    """The supernet of the ``cifar10-cpu`` recipe, at a depth."""
    axes = {"depth": list(range(1, depth + 1)), "kernel": [3, 5], "expansion": [1, 2, 4]}
    options = MobileNet.Options(preset="cifar-small", axes=axes)
    net = MobileNet.supernet(MobileNet.space(options, 32, 10), (0.5,) * 3, (0.25,) * 3, stream(0, "init"), options)
    return PairSupernet(NestedPairs(net.space), net)


def batch(n: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
    """Random images, channels last, and classes."""
    rng = stream(0, "images", n)
    images = torch.from_numpy(rng.random((n, 3, 32, 32), dtype=np.float32)).contiguous(
        memory_format=torch.channels_last
    )
    return images, torch.from_numpy(rng.integers(0, 10, n))


def training_step(repeats: int, depth: int = 3) -> dict[str, float]:
    """A sandwich step (4 subnets, optimiser step) against the same four as plain networks, stepped by plain PyTorch."""
    supernet = build(depth).train()
    options = options_for("train")
    images, targets = batch()
    rng = stream(0, "archs", 0)
    space = supernet.pairs.space
    archs = [Subnet(a) for a in (space.largest(), space.smallest(), space.sample(rng), space.sample(rng))]
    plain = [supernet.extract(arch).to(memory_format=torch.channels_last).train() for arch in archs]
    optimizers = [_sgd(network) for network in plain]
    optimizer, rule = _sgd(supernet), Sandwich(supernet.pairs, options)

    def ours() -> None:
        rule.step(supernet, Step(images, targets, stream(0, "archs", 0), lambda loss: loss.backward()))
        optimizer.step()
        optimizer.zero_grad()

    def theirs() -> None:
        teacher = plain[0](images)
        F.cross_entropy(teacher, targets).backward()
        soft = teacher.detach().softmax(1)
        for network in plain[1:]:
            F.cross_entropy(network(images), soft).backward()
        for each in optimizers:
            each.step()
            each.zero_grad()

    return side_by_side(ours, theirs, repeats)


def _sgd(network: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=1e-4)


def evaluation(repeats: int, images: int = 2000) -> dict[str, float]:
    """Evaluating an arch (extract, recalibrate, answer) against a plain network's forward over the same images."""
    supernet = build().eval()
    pixels = torch.from_numpy(stream(0, "pixels").integers(0, 256, (2 * images, 3, 32, 32), dtype=np.uint8))
    labels = torch.zeros(images, dtype=torch.int64)
    arch = Subnet(supernet.pairs.space.sample(stream(3, "arch")))
    options = options_for("search", recalibration_images=images, batch_size=250)
    with tempfile.TemporaryDirectory() as folder:
        evaluator = Evaluator(supernet, pixels[:images], Images(pixels[images:], labels), Path(folder), options, "x")
        plain = recalibrate(supernet.extract(arch).to(memory_format=torch.channels_last), [batch()[0]])

        def ours() -> None:
            for cached in Path(folder).glob("*.safetensors"):
                cached.unlink()
            evaluator.evaluate(arch)

        @torch.inference_mode()
        def theirs() -> None:
            for part in evaluation_batches(pixels, 250):
                plain(part)

        return side_by_side(ours, theirs, repeats)


def pair_scoring(archs: int, images: int = 2500) -> dict[str, float]:
    """All nested pairs of ``archs`` evaluated archs at all thresholds, per second."""
    pairs = build().pairs
    space = pairs.space
    prices = Prices(pairs)
    rng = stream(0, "answers")
    chosen = sorted({Subnet(space.sample_within(space.sample(rng), rng)) for _ in range(archs)})
    right = rng.random((len(chosen), images)) < 0.8
    score = rng.random((len(chosen), images), dtype=np.float32)
    goal = Goal(("accuracy", "expected_macs", "peak_macs"), {})
    start = time.perf_counter()
    table = PairTable(prices, chosen, goal)
    rows = [(little, row) for little in range(len(chosen)) for _, _, row in table.rows(little) if len(row.bigs)]
    judged = [Judged(little, 0, score[little], 0, row) for little, row in rows]
    _, scored = recombine(right, judged, table, Singles(right, table))
    seconds = time.perf_counter() - start
    return {
        "archs": len(chosen),
        "pairs": scored,
        "seconds": seconds,
        "pairs_x_thresholds_per_s": scored * images / seconds,
    }


def main() -> None:
    """Print one JSON line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()

    def say(name: str, figures: dict[str, float]) -> None:
        print(json.dumps({"figure": name} | {k: round(v, 5) for k, v in figures.items()}), flush=True)

    for depth in (1, 2, 3):
        say(f"training step, up to {3 * depth} blocks", training_step(arguments.repeats, depth))
    for images in (500, 1000, 2000):
        say(f"evaluating an arch, 2 x {images} images", evaluation(arguments.repeats, images))
    for archs in (250, 500, 1000, 2000):
        say(f"pair scoring, {archs} archs", pair_scoring(archs))


if __name__ == "__main__":
    main()
