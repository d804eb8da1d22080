"""How long the stages after the trainings of a run are going to take: routing, export, measurement and report."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from duonas.data.ondisk import read
from duonas.data.splits import Splits
from duonas.pair.pair import Pair
from duonas.recipe.schema import Recipe
from duonas.routing.route import needs_times

ALWAYS = 15.0  # seconds: of what takes as long whatever the networks are, such as the report's pictures
QUANTIZED = 20.0  # more seconds, for networks in fp16 or int8
BLOCK = 0.35  # seconds to export a block, which PyTorch traces layer by layer
CALLS = 4  # of big, as long as all calls of one timed image together: little, big, routed, plain, and their parts
SEEN = 2  # networks as big as big that see each image of a split, with PyTorch or ONNX Runtime
TIMED, ROUNDS = 16, 2  # images of a batch, and batches, by which an image is timed


def seconds_after(
    recipe: Recipe, splits: Splits, pair: Pair, *, plain: bool, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Estimate the seconds of all stages after the trainings, by the time that an image takes at the larger network.

    Args:
        recipe: the recipe.
        splits: its images.
        pair: the two networks, or others as large.
        plain: whether a plain network is exported and measured beside them.
        clock: the time in seconds.
    """
    towers = pair.towers()
    blocks = sum(len(tower) for tower in towers.values()) + (len(towers["big"]) if plain else 0)
    exports = 2 if needs_times(recipe.route) else 1  # a threshold by times is chosen on an export of its own
    options = recipe.measure
    timed = sum(size * (options.latency_images if size == 1 else options.throughput_batches) for size in options.sizes)
    seen = len(splits.test) + len(splits.calib) + len(splits.val) + recipe.search.recalibration_images
    images = CALLS * timed * exports + SEEN * seen
    fixed = ALWAYS + (QUANTIZED if recipe.export.converts else 0.0)
    return fixed + exports * BLOCK * blocks + images * image_seconds(towers["big"], splits, clock)


@torch.inference_mode()
def image_seconds(network: nn.Module, splits: Splits, clock: Callable[[], float]) -> float:
    """Return the seconds that a network takes for an image, on the CPU, where exports are measured."""
    was_training = network.training
    images = read(splits.train.pixels[:TIMED]).cpu().float() / 255
    network.cpu().eval()
    network(images)  # which reserves memory
    begin = clock()
    for _ in range(ROUNDS):
        network(images)
    found = (clock() - begin) / (ROUNDS * len(images))
    network.train(was_training)
    return found
