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
from torch import nn

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.core.tensors import save_tensors
from duonas.data import distributed as processes
from duonas.data.augment import Augment
from duonas.data.batches import Batches
from duonas.data.distributed import Process
from duonas.data.images import Images
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import WeightsOptions
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.kshot_hypernet import KshotHypernet
from duonas.training.fabric import build_fabric
from duonas.training.loop import Training, train
from duonas.training.optim import build_optimizer, learning_rate
from duonas.training.rule import make_rule
from duonas.training.rules.sandwich import Sandwich

OPTIONS = options_for(
    "train", epochs=2, batch_size=16, lr=0.05, dropout=0.2, warmup_epochs=0, accelerator="cpu", checkpoint_seconds=1e-9
)
CASES = [("nested", "recalibrated"), ("partial", "switchable")]
OWN = replace(OPTIONS, dropout=0.0, ema=0.0, clip=1.0, processes="subnets", coefficients="free")
OWN_CASES = [("uniform", "shared"), ("focus-fair", "kshot-hypernet")]  # uniform leaves most weights of a step unused
FRONT = options_for("train", sampler={"name": "front", "after": 0.25}).sampler
AXES = {"depth": [1, 2], "kernel": [3], "expansion": [1, 2]}


def make(coupling: str, norm: str) -> PairSupernet:
    table = MobileNet.Options(preset="digits", axes=AXES, norm=norm)
    pairs = pair_space(MobileNet.space(table, 8, 4), coupling)
    towers = [MobileNet.supernet(pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0, role), table) for role in pairs.roles]
    return PairSupernet(pairs, *towers)


def cells(weights: str) -> PairSupernet:
    made = WeightsOptions() if weights == "shared" else KshotHypernet.Options(dictionary=4, rank=4, mixers=1)
    table = NasBench201.Options(channels=4, cells=1, weights=made)
    pairs = pair_space(build_space(NasBench201, table, 8, 4))
    return PairSupernet(pairs, build_supernet(NasBench201, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0, "c"), table))


def batches(shared: bool = True) -> Batches:
    rng = stream(0, "images")
    pixels = torch.from_numpy(rng.integers(0, 256, (64, 3, 8, 8), dtype=np.uint8))
    images = Images(pixels, torch.from_numpy(rng.integers(0, 4, 64)))
    augment = Augment.from_options(options_for("data", crop_padding=1, flip=True, mixup=0.2, cutmix=1.0))
    rank, world = (processes.rank(), processes.world_size()) if shared else (0, 1)
    return Batches(images, 16, num_classes=4, seed=0, augment=augment, process=Process(rank, world))


def train_once(folder: Path, coupling: str, norm: str) -> PairSupernet:
    network = make(coupling, norm)
    fabric = None if processes.world_size() > 1 else Fabric(accelerator="cpu", devices=1)
    train(network, batches(), Sandwich(network.pairs, OPTIONS), OPTIONS, Training(folder, fabric=fabric))
    return network


def train_own(folder: Path, name: str, weights: str, data=None) -> PairSupernet:
    """Each process with subnets of its own."""
    network, options = cells(weights), replace(OWN, rule=name)
    rule = make_rule(network.pairs, options)
    train(network, data or batches(shared=False), rule, options, Training(folder))
    return network


def train_near_front(folder: Path, processes: str) -> PairSupernet:
    """With archs that are drawn by what both processes learned."""
    network, options = make(*CASES[0]), replace(OPTIONS, processes=processes, sampler=FRONT)
    data = batches(shared=processes == "images")
    train(network, data, make_rule(network.pairs, options), options, Training(folder))
    return network


def by_hand(name: str, weights: str, ranks: int) -> PairSupernet:
    """What ``ranks`` processes must come to: gradients and statistics of one after another, and their mean."""
    network, options, data = cells(weights).train(), replace(OWN, rule=name), batches(shared=False)
    rule = make_rule(network.pairs, options)
    trained = nn.ModuleDict({"network": network, "rule": rule.weights})
    optimizer, parameters, buffers = build_optimizer(trained, options), [*trained.parameters()], [*trained.buffers()]
    steps = options.epochs * len(data)
    for step in range(steps):
        rule.prepare(network, step, steps)
        before = [buffer.clone() for buffer in buffers]
        gradients, statistics = [], []
        for rank in range(ranks):
            for buffer, old in zip(buffers, before, strict=True):
                buffer.copy_(old)
            draws = stream(0, "archs", step, rank) if rank else stream(0, "archs", step)
            rule.step(network, Step(*data.batch(step), draws, lambda loss: loss.backward()))
            gradients.append([parameter.grad for parameter in parameters])
            statistics.append([buffer.clone() for buffer in buffers])
            optimizer.zero_grad()
        for parameter, *each in zip(parameters, *gradients, strict=True):
            used = [gradient for gradient in each if gradient is not None]
            parameter.grad = sum(used) / ranks if used else None
        for buffer, *each in zip(buffers, *statistics, strict=True):
            buffer.copy_(sum(each) / ranks)
        nn.utils.clip_grad_norm_(parameters, options.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, len(data), options)
        optimizer.step()
        optimizer.zero_grad()
    return network


def stop(folder: Path) -> None:
    """At the sixth step, in both processes."""
    data = batches(shared=False)
    whole = data.batch

    def batch(step: int):
        if step == 5:
            processes.gather(torch.zeros(1))  # the first has saved what was done
            raise DuonasError("stopped")
        return whole(step)

    data.batch = batch
    train_own(folder, *OWN_CASES[1], data)


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
    train(network, Drifting(network), Sandwich(network.pairs, OPTIONS), OPTIONS, Training(folder))


def other_folder(folder: Path) -> None:
    """Process 0 has a checkpoint, process 1 does not see it."""
    first = make(*CASES[0])
    train(first, batches(), Sandwich(first.pairs, OPTIONS), replace(OPTIONS, epochs=1), Training(folder))
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
        for case in OWN_CASES:
            for ranks in (1, 2):
                save_tensors(folder / f"{case[0]}_by_hand{ranks}.safetensors", by_hand(*case, ranks).state_dict(), {})
    join(ports)
    for case in OWN_CASES:
        network = train_own(folder / "own" / case[0], *case)
        save_tensors(folder / f"{case[0]}{rank}.safetensors", network.state_dict(), {})
    said(folder, "stopped", stop)
    train_own(folder / "stopped", *OWN_CASES[1])
    for case in CASES:
        network = train_once(folder / "together" / case[0], *case)
        save_tensors(folder / f"{case[0]}{rank}.safetensors", network.state_dict(), {})
    for shared in ("images", "subnets"):
        network = train_near_front(folder / "front" / shared, shared)
        save_tensors(folder / f"front-{shared}{rank}.safetensors", network.state_dict(), {})
    said(folder, "drift", drift)
    said(folder, "other_folder", other_folder)
    own = ["train.processes=subnets", "train.batch_size=129"]  # which two cannot share out
    for run, more in ((killed, []), (folder / "undisturbed", []), (folder / "own_run", own)):
        duonas.run(duonas.load_recipe("digits", [*recipe, *more]), run, until="train")
        join(ports, timeout_seconds=4)
    said(folder, "silence", lambda _: silence(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), sys.argv[4:])
    sys.stdout.flush()
    # The last group was left by a silent process, and gloo's threads still wait for it: at a usual end of the
    # interpreter they sometimes abort the process, after all of its work.
    os._exit(0)
