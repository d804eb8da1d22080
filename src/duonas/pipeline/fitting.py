"""Train a network of a run on the train split: the supernet, the pair or a static network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_fabric import Fabric
from torch import nn

from duonas.core.processes import process_count
from duonas.core.protocols import Progress, TrainRule
from duonas.data.augment import Augment
from duonas.data.balance import balanced_weights
from duonas.data.batches import Batches
from duonas.data.distributed import Process
from duonas.data.rate import Waiting
from duonas.data.splits import Splits
from duonas.pipeline.context import Context
from duonas.recipe.schema import Recipe
from duonas.training.loop import Training, train
from duonas.training.options import TrainOptions


@dataclass(frozen=True)
class Fitting:
    """A network to train.

    Args:
        stage: name of the stage in the log.
        network: the network, trained in place.
        rule: the training rule, which does one step.
        options: options of the training loop.
        path: file of the trained weights; the checkpoint is in the same folder.
        fabric: device, precision and processes.
    """

    stage: str
    network: nn.Module
    rule: TrainRule
    options: TrainOptions
    path: Path
    fabric: Fabric


def fit(context: Context, work: Fitting, progress: Progress) -> Path:
    """Train a network on the train split, resuming from a checkpoint, and return the path of its weights."""
    recipe, run, splits, options = context.recipe, context.run, context.splits, work.options
    batches, waiting = training_batches(recipe, splits, options, work.fabric), Waiting()

    def log(**figures: float) -> None:
        made = batches.rate()
        run.log(work.stage, **figures, data_images_per_s=made)
        context.warn(waiting.advice(figures["images_per_s"], made))

    training = Training(
        work.path.parent,
        work.path.stem,
        recipe.seed,
        log,
        progress,
        work.fabric,
        balanced_weights(splits.train.labels, splits.num_classes) if options.class_weights == "balanced" else None,
        context.warn,
    )
    run.truncate_log(training.checkpoint.steps, work.stage)
    return train(work.network, batches, work.rule, options, training)


def training_batches(recipe: Recipe, splits: Splits, options: TrainOptions, fabric: Fabric) -> Batches:
    """Return the batches of the train split for a training with these options."""
    whole = options.processes == "subnets"  # each process gets the whole batch
    return Batches(
        splits.train.to(fabric.device), options.batch_size, num_classes=splits.num_classes,
        seed=recipe.seed, augment=Augment.from_options(recipe.data),
        process=Process() if whole else Process(fabric.global_rank, fabric.world_size),
        balanced=options.sampling == "balanced",
    )  # fmt: skip


def steps_per_epoch(splits: Splits, options: TrainOptions) -> int:
    """Return the training steps of an epoch, as ``Batches`` make them."""
    world = 1 if options.processes == "subnets" else process_count()
    return max(1, len(splits.train) // max(1, min(options.batch_size, len(splits.train) // world * world)))
