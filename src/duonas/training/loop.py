"""The training loop: batches in, one optimiser step each, a checkpoint now and then."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.options import TrainOptions
from duonas.core.protocols import Progress, Step, TrainRule, silent
from duonas.core.rng import stream
from duonas.data.distributed import apart, average, check_replicas, rank, world_size
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
    world = int(os.environ.get("WORLD_SIZE", local))
    strategy = DDPStrategy(timeout=timedelta(seconds=options.timeout_seconds)) if world > 1 else "auto"
    fabric = Fabric(
        accelerator=options.accelerator, precision=options.precision, strategy=strategy,
        devices=local, num_nodes=world // local,
    )  # fmt: skip
    fabric.launch()
    return fabric


def one_process(options: TrainOptions) -> Fabric:
    """The device and precision of this process by itself, whether or not ``torchrun`` started others beside it."""
    fabric = Fabric(accelerator=options.accelerator, precision=options.precision, devices=1, num_nodes=1)
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

    On a CPU a run that was killed and started again ends with the same bits as one that was not. Several processes give
    the weights that one would, but for rounding: each step they average their gradients, and 50 times an epoch, as well
    as before anything is saved, they make sure that they still have the same weights. With ``processes = "subnets"``
    each of them draws subnets of its own instead, for the same images (paper T, appendix A.1).

    Args:
        network: a ``PairSupernet``, or whatever else the rule can train.
        batches: images (B, 3, H, W) in [0, 1] and targets by step; this process's part, or with ``processes =
            "subnets"`` the whole in each.
        rule: what a step does.
        options: the ``[train]`` table.
        seed: of the archs that are drawn.
        folder: gets ``checkpoint/state.safetensors`` and, at the end, ``<name>.safetensors``.
        name: of the trained weights' file.
        progress: told of the step it starts after, and then 50 times an epoch.
        log: given figures now and then: step, epoch, loss, lr, images_per_s and the rule's own losses.
        fabric: device, precision and processes; built from ``options`` where absent.

    Returns:
        The path of the trained weights (the averaged ones, where ``ema`` is on).

    Raises:
        DuonasError: the loss is not finite any more, or the processes' weights differ, or one of them is gone; the last
            good checkpoint stays.
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
    own = options.processes == "subnets" and world_size() > 1
    parts = 1 if own else world_size()  # of a batch
    saved = since = time.monotonic()
    seen = 0
    check_replicas(trained, first)
    progress(first, steps)

    def keep(done: int) -> None:
        _check_weights(network, average, done - 1, checkpoint.path)
        if fabric.is_global_zero:
            checkpoint.save(done, trained, optimizer, average)

    with PatientInterrupt() as interrupt:
        for step in range(first, steps):
            if rule.prepare(network, step, steps):
                optimizer.state.clear()
                average = AveragedWeights(network, options.ema)
            rate = learning_rate(step, steps, len(batches), options)
            images, targets = batches.batch(step)
            rng = _draws(seed, step, rank() if own else 0)
            with apart(trained) if own else nullcontext():
                losses = rule.step(computed, Step(images, targets, rng, fabric.backward))
            _update(trained, optimizer, rate, options.clip)
            average.update(network, step)
            seen += len(images) * parts
            if interrupt.wanted:
                keep(step + 1)
                raise KeyboardInterrupt
            if (step + 1) % every and step + 1 < steps:
                continue
            # All processes come here at the same steps, and nothing reaches a file that they do not agree on.
            figures = _figures(losses)
            _check_finite(figures["loss"], step, checkpoint.path)
            check_replicas(trained, step + 1)
            now = time.monotonic()
            speed = seen / (now - since)
            log(step=step + 1, epoch=(step + 1) / len(batches), lr=rate, images_per_s=speed, **figures)
            progress(step + 1, steps, loss=figures["loss"])
            if now - saved > options.checkpoint_seconds and step + 1 < steps:
                keep(step + 1)
                saved = time.monotonic()
            seen, since = 0, now
    keep(steps)
    network.load_state_dict(average.values)
    path = folder / f"{name}.safetensors"
    if fabric.is_global_zero:
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

    def mixed(self, *args: Any, **kwargs: Any) -> Any:
        with self._fabric.autocast():
            return self._network.mixed(*args, **kwargs)  # type: ignore[operator]


def _draws(seed: int, step: int, rank: int) -> np.random.Generator:
    """What a step's subnets are drawn from; the first process draws what one by itself would."""
    return stream(seed, "archs", step, *([rank] if rank else []))


def _update(trained: nn.Module, optimizer: torch.optim.Optimizer, rate: float, clip: float) -> None:
    """One optimiser step on the gradients that the rule has added up."""
    parameters = list(trained.parameters())
    if world_size() > 1:
        _average_gradients(parameters)
    if clip:
        nn.utils.clip_grad_norm_(parameters, clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()


def _average_gradients(parameters: list[nn.Parameter]) -> None:
    """Mean gradients over all processes, in one exchange.

    In each process the same weights have gradients, since all draw the same subnets, or by ``apart``; the optimiser
    leaves the others alone, as it does in a lone process.
    """
    used = [(p, p.grad) for p in parameters if p.grad is not None]
    mean = average(torch.cat([gradient.flatten() for _, gradient in used]))
    for (parameter, _), part in zip(used, mean.split([p.numel() for p, _ in used]), strict=True):
        parameter.grad = part.view_as(parameter)


def _figures(losses: dict[str, Tensor]) -> dict[str, float]:
    """Losses by name, of the whole batch."""
    values = average(torch.stack([value.float() for value in losses.values()])).tolist()
    return dict(zip(losses, values, strict=True))


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
    raise DuonasError(f"{what} at step {step + 1}: lower lr or set [train] clip; {kept}.")
