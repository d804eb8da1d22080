"""One of the two processes that test_processes.py starts; what it finds goes to the folder that it is given."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.options import SpaceOptions, TrainOptions
from duonas.core.rng import stream
from duonas.data import processes
from duonas.data.augment import Augment
from duonas.data.batches import Batches
from duonas.data.images import Images
from duonas.spaces.mobilenet import FAMILY
from duonas.spaces.pair import PairSupernet
from duonas.training.checkpoint import save_tensors
from duonas.training.loop import build_fabric, train
from duonas.training.sandwich import Sandwich

OPTIONS = TrainOptions(
    epochs=2, batch_size=16, lr=0.05, dropout=0.2, warmup_epochs=0, accelerator="cpu", checkpoint_seconds=1e-9
)
CASES = [("nested", "recalibrated"), ("partial", "switchable")]
AXES = {"depth": [1, 2], "kernel": [3], "expansion": [1, 2]}


def make(coupling: str, norm: str) -> PairSupernet:
    table = SpaceOptions(preset="digits", axes=AXES, norm=norm)
    pairs = pair_space(FAMILY.space(table, 8, 4), coupling)
    towers = [FAMILY.supernet(pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0, role), table) for role in pairs.roles]
    return PairSupernet(pairs, *towers)


def batches() -> Batches:
    rng = stream(0, "images")
    pixels = torch.from_numpy(rng.integers(0, 256, (64, 3, 8, 8), dtype=np.uint8))
    images = Images(pixels, torch.from_numpy(rng.integers(0, 4, 64)))
    augment = Augment(crop_padding=1, flip=True, mixup=0.2, cutmix=1.0)
    rank, world = processes.rank(), processes.world_size()
    return Batches(images, 16, num_classes=4, seed=0, augment=augment, rank=rank, world=world)


def train_once(folder: Path, coupling: str, norm: str) -> PairSupernet:
    network = make(coupling, norm)
    fabric = None if processes.world_size() > 1 else Fabric(accelerator="cpu", devices=1)
    train(network, batches(), Sandwich(network.pairs, OPTIONS), OPTIONS, seed=0, folder=folder, fabric=fabric)
    return network


class Drifting:
    """From step 3 on, one weight of process 1 is off by its last bit."""

    def __init__(self, network: PairSupernet) -> None:
        self.inner, self.network = batches(), network

    def __len__(self) -> int:
        return len(self.inner)

    def batch(self, step: int):
        if step == 3 and processes.rank() == 1:
            with torch.no_grad():
                weight = next(self.network.parameters()).view(-1)
                weight[0] = torch.nextafter(weight[0], torch.tensor(9.0))
        return self.inner.batch(step)


def drift(folder: Path) -> None:
    network = make(*CASES[0])
    train(network, Drifting(network), Sandwich(network.pairs, OPTIONS), OPTIONS, seed=0, folder=folder)


def other_folder(folder: Path) -> None:
    """Process 0 has a checkpoint, process 1 does not see it."""
    first = make(*CASES[0])
    train(first, batches(), Sandwich(first.pairs, OPTIONS), replace(OPTIONS, epochs=1), seed=0, folder=folder)
    train_once(folder / str(processes.rank()) if processes.rank() else folder, *CASES[0])


def silence(folder: Path) -> None:
    """Process 1 does not answer until process 0 has given up."""
    if processes.rank() == 0:
        processes.gather(torch.zeros(1))
    while not (folder / "silence0.txt").exists():
        time.sleep(0.05)


def said(folder: Path, name: str, act) -> None:
    """What this process said when ``act`` failed."""
    message = "nothing"
    try:
        act(folder / name)
    except DuonasError as error:
        message = str(error)
    (folder / f"{name}{os.environ['RANK']}.txt").write_text(message)


def join(ports: list[str], **options) -> None:
    """Meet the other process; each time at another port, since the last one may not be free yet."""
    os.environ["MASTER_PORT"] = ports.pop()
    build_fabric(replace(OPTIONS, **options))


def main(folder: Path, killed: Path, ports: list[str], recipe: list[str]) -> None:
    rank = int(os.environ["RANK"])
    if rank == 0:
        for case in CASES:
            save_tensors(folder / f"{case[0]}_start.safetensors", make(*case).state_dict(), {})
            train_once(folder / "alone" / case[0], *case)
    join(ports)
    for case in CASES:
        network = train_once(folder / "together" / case[0], *case)
        save_tensors(folder / f"{case[0]}{rank}.safetensors", network.state_dict(), {})
    said(folder, "drift", drift)
    said(folder, "other_folder", other_folder)
    for run in (killed, folder / "undisturbed"):
        duonas.run(duonas.load_recipe("quickstart", recipe), run, until="train")
        join(ports, timeout_seconds=4)
    said(folder, "silence", lambda _: silence(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), sys.argv[4:])
