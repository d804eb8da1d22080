"""The training loop: batches in, one optimiser step each, a checkpoint now and then."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.options import TrainOptions
from duonas.core.protocols import Progress, TrainRule, silent
from duonas.core.rng import stream
from duonas.spaces.supernet import Supernet
from duonas.training.checkpoint import Checkpoint, save_tensors
from duonas.training.interrupt import PatientInterrupt
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


def check_accelerator(name: str) -> None:
    """Refuse a device that is not there.

    Raises:
        DuonasError: no such device; the message says what there is.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(name, True):
        others = ", ".join(["auto", "cpu", *(device for device, found in there.items() if found)])
        raise DuonasError(f"[train] accelerator = {name!r}: this machine has no such device; choose from {others}.")


def train(
    supernet: Supernet,
    batches: TrainBatches,
    rule: TrainRule,
    options: TrainOptions,
    *,
    seed: int,
    folder: Path,
    progress: Progress = silent,
    log: Callable[..., None] = lambda **figures: None,
    fabric: Fabric | None = None,
) -> Path:
    """Train ``supernet`` in place, resuming from ``folder/checkpoint`` where there is one.

    On a CPU a run that was killed and started again ends with the same bits as one that was not.

    Args:
        supernet: on the device that ``fabric`` uses.
        batches: images (B, 3, H, W) in [0, 1] and targets by step.
        rule: what a step does.
        options: the ``[train]`` table.
        seed: of the archs that are drawn.
        folder: gets ``checkpoint/state.safetensors`` and, at the end, ``supernet.safetensors``.
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
    supernet.to(fabric.device).train()
    optimizer = build_optimizer(supernet, options)
    average = AveragedWeights(supernet, options.ema)
    checkpoint = Checkpoint(folder / "checkpoint" / "state.safetensors")
    first = checkpoint.load(supernet, optimizer, average)
    steps = options.epochs * len(batches)
    every = max(1, len(batches) // LOGS_PER_EPOCH)
    saved = since = time.monotonic()
    seen = 0

    def forward(images: Tensor, arch: Arch, feature_mask: Tensor | None = None) -> Tensor:
        with fabric.autocast():
            return supernet(images, arch, feature_mask)

    with PatientInterrupt() as interrupt:
        for step in range(first, steps):
            rate = learning_rate(step, steps, len(batches), options)
            images, targets = batches.batch(step)
            losses = rule.step(forward, images, targets, stream(seed, "archs", step), fabric.backward)
            _update(supernet, optimizer, rate, options.clip, fabric)
            average.update(supernet, step)
            seen += len(images) * fabric.world_size
            now = time.monotonic()
            due = interrupt.wanted or now - saved > options.checkpoint_seconds
            if (step + 1) % every == 0 or step + 1 == steps or due:
                figures = {name: float(value) for name, value in losses.items()}
                _check_finite(figures["loss"], step, checkpoint.path)
                speed = seen / (now - since)
                log(step=step + 1, epoch=(step + 1) / len(batches), lr=rate, images_per_s=speed, **figures)
                progress(step + 1, steps, loss=figures["loss"])
                seen, since = 0, now
            if due and fabric.is_global_zero:
                _check_weights(supernet, average, step, checkpoint.path)
                checkpoint.save(step + 1, supernet, optimizer, average)
                saved = time.monotonic()
            if interrupt.wanted:
                raise KeyboardInterrupt
    _check_weights(supernet, average, steps - 1, checkpoint.path)
    supernet.load_state_dict(average.values)
    path = folder / "supernet.safetensors"
    if fabric.is_global_zero:
        checkpoint.save(steps, supernet, optimizer, average)
        save_tensors(path, supernet.state_dict(), {"steps": steps})
    supernet.eval()
    return path


def _update(supernet: nn.Module, optimizer: torch.optim.Optimizer, rate: float, clip: float, fabric: Fabric) -> None:
    """One optimiser step on the gradients that the rule has added up."""
    parameters = list(supernet.parameters())
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
        _stop(f"the loss is {loss}", step, checkpoint)


def _check_weights(network: nn.Module, average: AveragedWeights, step: int, checkpoint: Path) -> None:
    """An update can spoil the weights though the loss before it was finite: such a state must not be kept."""
    values = [*network.state_dict().values(), *average.values.values()]
    if not all(bool(torch.isfinite(value).all()) for value in values):
        _stop("weights are not finite any more", step, checkpoint)


def _stop(what: str, step: int, checkpoint: Path) -> NoReturn:
    kept = f"the last good state is kept in {checkpoint}" if checkpoint.exists() else "no checkpoint was made yet"
    raise DuonasError(f"{what} at step {step + 1}: lower [train] lr or set clip; {kept}.")
