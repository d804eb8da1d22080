"""The training loop: one optimiser step for each batch, and a checkpoint now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, Step, TrainRule, silent
from duonas.core.rng import stream
from duonas.core.tensors import save_tensors
from duonas.data.balance import image_weights
from duonas.data.distributed import average, average_updates, check_replicas, rank, world_size
from duonas.layers.norm import share_statistics
from duonas.training.checkpoint import Checkpoint
from duonas.training.contention import Contention
from duonas.training.fabric import build_fabric
from duonas.training.interrupt import PatientInterrupt
from duonas.training.memory import keep_freed_memory
from duonas.training.optim import AveragedWeights, build_optimizer, learning_rate
from duonas.training.options import TrainOptions

LOGS_PER_EPOCH = 50


class TrainBatches(Protocol):
    """Training batches as a pure function of the step."""

    def __len__(self) -> int: ...

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) and targets (B,) or (B, K) of a step."""
        ...


def _log_nothing(**figures: float) -> None:
    """The log that nobody reads."""


def _warn_nobody(sentence: str) -> None:
    """The warning that nobody reads."""


@dataclass(frozen=True)
class Training:
    """Where a network is trained, by which seed, and who watches.

    Args:
        folder: gets ``checkpoint/state.safetensors`` and, at the end, ``<name>.safetensors``.
        name: of the file of the trained weights.
        seed: of the archs that are drawn.
        log: called 50 times an epoch with step, epoch, loss, lr, images_per_s and the rule's own losses.
        progress: called with the step that training starts after, and then 50 times an epoch.
        fabric: device, precision and processes; built from the ``[train]`` table by default.
        class_weights: (K,) weight of the images of each class in the losses; ``None``: 1 each.
        warn: called with a sentence where the training is slower than it could be.
    """

    folder: Path
    name: str = "supernet"
    seed: int = 0
    log: Callable[..., None] = _log_nothing
    progress: Progress = silent
    fabric: Fabric | None = None
    class_weights: Tensor | None = None
    warn: Callable[[str], None] = _warn_nobody

    @property
    def checkpoint(self) -> Checkpoint:
        """The state of the training on disk."""
        return Checkpoint(self.folder / "checkpoint" / "state.safetensors")


def train(
    network: nn.Module, batches: TrainBatches, rule: TrainRule, options: TrainOptions, training: Training
) -> Path:
    """Train ``network`` in place, resuming from the checkpoint where there is one.

    On a CPU a run that was killed and started again ends with the same bits as one that was not. Several processes give
    the weights that one would, but for rounding: each step they average their gradients, and 50 times an epoch, as well
    as before anything is saved, they check that they still have the same weights. With ``processes = "subnets"``
    each of them draws its own subnets instead, for the same images (paper T, appendix A.1).

    Args:
        network: a ``PairSupernet``, or whatever else the rule can train.
        batches: images (B, 3, H, W) in [0, 1] and targets by step; this process's part, or with ``processes =
            "subnets"`` the whole batch in each process.
        rule: what a step does.
        options: the ``[train]`` table.
        training: folder, seed, log, progress and device.

    Returns:
        The path of the trained weights (the averaged ones, where ``ema`` is on).

    Raises:
        DuonasError: the loss is no longer finite, the processes' weights differ, or one of the processes is gone; the
            last good checkpoint stays.
    """
    keep_freed_memory()
    trainer = Trainer(network, rule, options, training, len(batches))
    steps = trainer.steps
    interval = max(1, len(batches) // LOGS_PER_EPOCH)
    first = trainer.resume()
    with PatientInterrupt() as interrupt:
        for step in range(first, steps):
            given = batches.batch(step)
            with trainer.contention.step():
                losses = trainer.step(step, *given)
            if advice := trainer.contention.advice():
                training.warn(advice)
            done = step + 1
            if interrupt.wanted:
                trainer.save(done)
                raise KeyboardInterrupt
            if done % interval == 0 or done == steps:
                trainer.report(done, losses)
                trainer.save_if_due(done)
    trainer.save(steps)
    return trainer.finish()


class Trainer:
    """A network, its optimiser and its averaged weights, step by step."""

    def __init__(
        self, network: nn.Module, rule: TrainRule, options: TrainOptions, training: Training, steps_per_epoch: int
    ) -> None:
        self.network, self.rule, self.options, self.training = network, rule, options, training
        self.steps_per_epoch, self.steps = steps_per_epoch, options.length(steps_per_epoch)
        self.fabric = training.fabric or build_fabric(options)
        self.trained = nn.ModuleDict({"network": network, "rule": rule.weights}).to(self.fabric.device).train()
        self.optimizer = build_optimizer(self.trained, options)
        weights = training.class_weights
        self.class_weights = None if weights is None else weights.to(self.fabric.device)
        self.average = AveragedWeights(network, options.ema)
        self.checkpoint = training.checkpoint
        self.autocast = _Autocast(network, self.fabric)
        # Processes that draw their own subnets run different layers, so they meet only after the backward pass.
        self.own_subnets = options.processes == "subnets" and world_size() > 1
        self.rank, self.world = (0, 1) if self.own_subnets else (rank(), world_size())  # of the parts of a batch
        share_statistics(network, self.world > 1)
        alone_on_cpu = self.fabric.device.type == "cpu" and world_size() == 1
        self.contention = Contention(torch.get_num_threads() if alone_on_cpu else 1)
        self.saved_at = self.logged_at = time.monotonic()
        self.images = 0  # since the last log entry

    def resume(self) -> int:
        """Load the checkpoint, if there is one, and return the steps done."""
        done = self.checkpoint.load(self.trained, self.optimizer, self.average)
        self.saved_at = self.logged_at = time.monotonic()
        check_replicas(self.trained, done)
        self.training.progress(done, self.steps)
        return done

    def step(self, step: int, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Losses by name of one optimiser step on images (B, 3, H, W)."""
        if self.rule.prepare(self.network, step, self.steps):
            self.optimizer.state.clear()
            self.average = AveragedWeights(self.network, self.options.ema)
        # The first process draws the subnets that one process would draw.
        rng = stream(self.training.seed, "archs", step, *([rank()] if self.own_subnets and rank() else []))
        with average_updates(self.trained) if self.own_subnets else nullcontext():
            given = Step(images, targets, rng, self.fabric.backward, self.rank, self.world, self._weights(targets))
            losses = _checked(self.rule.step(self.autocast, given))
        self._update(learning_rate(step, self.steps, self.steps_per_epoch, self.options))
        self.average.update(self.network, step)
        self.images += len(images) * self.world
        return losses

    def report(self, done: int, losses: dict[str, Tensor]) -> None:
        """Log the losses of the last step; all processes get here at the same steps, and check that they agree."""
        values = average(torch.stack([value.float() for value in losses.values()])).tolist()
        figures = dict(zip(losses, values, strict=True))
        if not math.isfinite(figures["loss"]):
            self._stop(f"the loss is {figures['loss']}", done)
        check_replicas(self.trained, done)
        now = time.monotonic()
        self.training.log(
            step=done, epoch=done / self.steps_per_epoch, lr=self.optimizer.param_groups[0]["lr"],
            images_per_s=self.images / (now - self.logged_at), **figures,
        )  # fmt: skip
        self.training.progress(done, self.steps, **_shown(figures))
        self.images, self.logged_at = 0, now

    def save_if_due(self, done: int) -> None:
        """Save a checkpoint where the last one is older than ``checkpoint_seconds``, but not at the end."""
        if self.logged_at - self.saved_at > self.options.checkpoint_seconds and done < self.steps:
            self.save(done)
            self.saved_at = time.monotonic()

    def save(self, done: int) -> None:
        """Save the state after ``done`` steps, unless an update has spoilt the weights since the last finite loss."""
        values = [*self.network.state_dict().values(), *self.average.values.values()]
        if not all(bool(torch.isfinite(value).all()) for value in values):
            self._stop("weights are not finite any more", done)
        if self.fabric.is_global_zero:
            self.checkpoint.save(done, self.trained, self.optimizer, self.average)

    def finish(self) -> Path:
        """Put the averaged weights into the network, write them and return their path."""
        self.network.load_state_dict(self.average.values)
        path = self.training.folder / f"{self.training.name}.safetensors"
        if self.fabric.is_global_zero:
            save_tensors(path, self.network.state_dict(), {"steps": self.steps})
        self.network.eval()
        return path

    def _weights(self, targets: Tensor) -> Tensor | None:
        weights = self.class_weights
        return None if weights is None else image_weights(targets, weights)

    def _update(self, rate: float) -> None:
        """One optimiser step with the gradients that the rule has added up."""
        parameters = list(self.trained.parameters())
        if all(each.grad is None for each in parameters):
            raise DuonasError("the training rule made no gradients: its step() must call given.backward on a loss.")
        if world_size() > 1:
            _average_gradients(parameters)
        if self.options.clip:
            nn.utils.clip_grad_norm_(parameters, self.options.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_factor"]
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _stop(self, what: str, done: int) -> NoReturn:
        path = self.checkpoint.path
        state = f"the last good state is kept in {path}" if path.exists() else "no checkpoint was made yet"
        raise DuonasError(f"{what} at step {done}: lower lr or set [train] clip; {state}.")


def _shown(figures: dict[str, float]) -> dict[str, float]:
    """The losses of the last batch that a progress shows: those that the report draws."""
    for one, other in (("largest", "smallest"), ("big", "little")):
        if one in figures and other in figures:
            return {f"batch_loss_{one}": figures[one], other: figures[other]}
    return {"batch_loss": figures["loss"]}


class _Autocast:
    """The network in the precision of the run."""

    def __init__(self, network: nn.Module, fabric: Fabric) -> None:
        self._network, self._fabric = network, fabric

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._fabric.autocast():
            return self._network(*args, **kwargs)

    def pair(self, *args: Any, **kwargs: Any) -> Any:
        with self._fabric.autocast():
            return self._network.pair(*args, **kwargs)  # type: ignore[operator]

    def mixed(self, *args: Any, **kwargs: Any) -> Any:
        with self._fabric.autocast():
            return self._network.mixed(*args, **kwargs)  # type: ignore[operator]

    def together(self, *args: Any, **kwargs: Any) -> Any:
        return self._network.together(*args, **kwargs)  # type: ignore[operator]


def _checked(losses: Any) -> dict[str, Tensor]:
    """The losses that a rule returned, which may be the user's own.

    Raises:
        DuonasError: they are not single numbers by name, or ``loss`` is missing.
    """
    if not isinstance(losses, dict) or "loss" not in losses:
        raise DuonasError("the training rule's step() must return a dictionary of losses by name, 'loss' among them.")
    wrong = [name for name, value in losses.items() if not isinstance(value, Tensor) or value.dim() > 0]
    if wrong:
        raise DuonasError(
            f"the training rule's step() must return every loss as a tensor of one number, not {wrong[0]!r}."
        )
    return losses


def _average_gradients(parameters: list[nn.Parameter]) -> None:
    """Mean gradients over all processes, in one exchange.

    In each process the same weights have gradients, since all draw the same subnets, or by ``average_updates``; the
    optimiser leaves the others alone, as it does in a single process.
    """
    used = [(p, p.grad) for p in parameters if p.grad is not None]
    mean = average(torch.cat([gradient.flatten() for _, gradient in used]))
    for (parameter, _), part in zip(used, mean.split([p.numel() for p, _ in used]), strict=True):
        parameter.grad = part.view_as(parameter)
