"""The training loop: batches in, one optimiser step each, a checkpoint now and then."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.options import TrainOptions
from duonas.core.protocols import Progress, TrainRule, silent
from duonas.core.rng import stream
from duonas.training.checkpoint import Checkpoint, save_tensors
from duonas.training.memory import keep_freed_memory
from duonas.training.optim import AveragedWeights, build_optimizer, learning_rate

LOGS_PER_EPOCH = 50


class TrainBatches(Protocol):
    """Training batches as a pure function of the step."""

    def __len__(self) -> int: ...

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) and targets (B,) or (B, K) of a step."""
        ...


def build_fabric(options: TrainOptions) -> Fabric:
    """The device, precision and processes of a run: one process, or those that ``torchrun`` started."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    nodes = int(os.environ.get("WORLD_SIZE", local)) // local
    fabric = Fabric(accelerator=options.accelerator, precision=options.precision, devices=local, num_nodes=nodes)
    fabric.launch()
    return fabric


def one_process(options: TrainOptions) -> Fabric:
    """The device and precision of this process by itself, whether or not ``torchrun`` started others beside it."""
    fabric = Fabric(accelerator=options.accelerator, precision=options.precision, devices=1, num_nodes=1)
    fabric.launch()
    return fabric


def train(
    network: nn.Module,
    batches: TrainBatches,
    rule: TrainRule,
    options: TrainOptions,
    *,
    seed: int,
    folder: Path,
    name: str = "supernet",
    progress: Progress = silent,
    log: Callable[..., None] = lambda **figures: None,
    fabric: Fabric | None = None,
) -> Path:
    """Train ``network`` in place, resuming from ``folder/checkpoint`` where there is one.

    On a CPU a run that was killed and started again ends with the same bits as one that was not.

    Args:
        network: a ``PairSupernet``, or whatever else the rule can train.
        batches: images (B, 3, H, W) in [0, 1] and targets by step.
        rule: what a step does.
        options: the ``[train]`` table.
        seed: of the archs that are drawn.
        folder: gets ``checkpoint/state.safetensors`` and, at the end, ``<name>.safetensors``.
        name: of the trained weights' file.
        progress: told after each step.
        log: given figures now and then: step, epoch, loss, lr, images_per_s and the rule's own losses.
        fabric: device, precision and processes; built from ``options`` where absent.

    Returns:
        The path of the trained weights (the averaged ones, where ``ema`` is on).

    Raises:
        DuonasError: the loss is not finite any more; the last good checkpoint stays.
    """
    keep_freed_memory()
    fabric = fabric or build_fabric(options)
    trained = nn.ModuleDict({"network": network, "rule": rule.weights}).to(fabric.device).train()
    optimizer = build_optimizer(trained, options)
    average = AveragedWeights(network, options.ema)
    checkpoint = Checkpoint(folder / "checkpoint" / "state.safetensors")
    first = checkpoint.load(trained, optimizer, average)
    computed = _Autocast(network, fabric)
    steps = options.epochs * len(batches)
    every = max(1, len(batches) // LOGS_PER_EPOCH)
    saved = since = time.monotonic()
    seen = 0

    for step in range(first, steps):
        if rule.prepare(network, step, steps):
            optimizer.state.clear()
            average = AveragedWeights(network, options.ema)
        rate = learning_rate(step, steps, len(batches), options)
        images, targets = batches.batch(step)
        losses = rule.step(computed, images, targets, stream(seed, "archs", step), fabric.backward)
        _update(trained, optimizer, rate, options.clip, fabric)
        average.update(network, step)
        seen += len(images) * fabric.world_size
        now = time.monotonic()
        due = now - saved > options.checkpoint_seconds
        if (step + 1) % every == 0 or step + 1 == steps or due:
            figures = {name: float(value) for name, value in losses.items()}
            _check_finite(figures["loss"], step, checkpoint.path)
            log(step=step + 1, epoch=(step + 1) / len(batches), lr=rate, images_per_s=seen / (now - since), **figures)
            progress(step + 1, steps, loss=figures["loss"])
            seen, since = 0, now
        if due and fabric.is_global_zero:
            checkpoint.save(step + 1, trained, optimizer, average)
            saved = time.monotonic()
    network.load_state_dict(average.values)
    path = folder / f"{name}.safetensors"
    if fabric.is_global_zero:
        checkpoint.save(steps, trained, optimizer, average)
        save_tensors(path, network.state_dict(), {"steps": steps})
    network.eval()
    return path


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


def _update(trained: nn.Module, optimizer: torch.optim.Optimizer, rate: float, clip: float, fabric: Fabric) -> None:
    """One optimiser step on the gradients that the rule has added up."""
    parameters = list(trained.parameters())
    if fabric.world_size > 1:
        _average_gradients(parameters, fabric)
    if clip:
        nn.utils.clip_grad_norm_(parameters, clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()


def _average_gradients(parameters: list[nn.Parameter], fabric: Fabric) -> None:
    """Mean gradients over all processes, in one exchange; a weight that no subnet used here counts as zero."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    mean = fabric.all_reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean")
    assert isinstance(mean, Tensor)
    for parameter, part in zip(parameters, mean.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = part.view_as(parameter)


def _check_finite(loss: float, step: int, checkpoint: Path) -> None:
    if not math.isfinite(loss):
        kept = f"the last good state is kept in {checkpoint}" if checkpoint.exists() else "no checkpoint was made yet"
        raise DuonasError(f"the loss is {loss} at step {step + 1}: lower lr or set [train] clip; {kept}.")
