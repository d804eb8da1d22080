"""The device, the precision and the processes that a network is trained with."""

from __future__ import annotations

from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from duonas.core.errors import DuonasError
from duonas.core.processes import local_process_count, process_count
from duonas.training.options import TrainOptions


def build_fabric(options: TrainOptions) -> Fabric:
    """The device, precision and processes of a run: one process, or those that ``torchrun`` started."""
    local, world = local_process_count(), process_count()
    strategy = DDPStrategy(timeout=timedelta(seconds=options.timeout_seconds)) if world > 1 else "auto"
    fabric = Fabric(
        accelerator=options.accelerator, precision=options.precision, strategy=strategy,
        devices=local, num_nodes=world // local,
    )  # fmt: skip
    fabric.launch()
    return fabric


def one_process(options: TrainOptions) -> Fabric:
    """The device and precision of this process alone, whether or not ``torchrun`` started others beside it."""
    fabric = Fabric(accelerator=options.accelerator, precision=options.precision, devices=1, num_nodes=1)
    fabric.launch()
    return fabric


def check_accelerator(name: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        DuonasError: no such device; the message lists those that there are.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(name, True):
        others = ", ".join(["auto", "cpu", *(device for device, found in there.items() if found)])
        raise DuonasError(f"[train] accelerator = {name!r}: this machine has no such device; choose from {others}.")
