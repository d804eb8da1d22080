"""How long a training step takes, by a few real steps whose result is thrown away."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import nn

from duonas.core.protocols import TrainRule
from duonas.training.loop import TrainBatches, Trainer, Training
from duonas.training.memory import keep_freed_memory
from duonas.training.options import TrainOptions

SECONDS = 3.0  # to spend, where the steps are short enough
FEWEST, MOST = 3, 60  # steps
Clock = Callable[[], float]


def step_seconds(
    network: nn.Module,
    batches: TrainBatches,
    rule: TrainRule,
    options: TrainOptions,
    training: Training,
    clock: Clock = time.perf_counter,
) -> float:
    """Return the mean seconds of a step, making its batch included, over steps from all of the training.

    What a step does may change in the course of a training: with the phases of progressive shrinking, or a warm start
    by one arch. So the timed steps are spread evenly.

    Args:
        network: that is trained; its weights are spoilt.
        batches: images and targets by step.
        rule: what a step does.
        options: the training loop's.
        training: seed, device and class weights; nothing is written to its folder.
        clock: the time in seconds.
    """
    keep_freed_memory()
    trainer = Trainer(network, rule, options, training, len(batches))

    def timed(step: int) -> float:
        begin = clock()
        trainer.step(step, *batches.batch(step))["loss"].item()  # waits for a GPU
        return clock() - begin

    timed(0)  # which reserves memory
    count = int(min(max(SECONDS / max(timed(0), 1e-9), FEWEST), MOST))
    places = [(2 * number + 1) * trainer.steps // (2 * count) for number in range(count)]
    return max(sum(map(timed, places)) / count, 1e-9)
