"""What a training step costs under every coupling and rule, against the same subnets as plain networks; JSON lines.

    python benchmarks/steps.py [--repeats 7] [--threads 2]

A step is watched once to learn which subnets and pairs it runs. Those are extracted, and plain PyTorch then trains each
of them one by one, on labels, forward, backward and optimiser step: a pair counts as its two networks, each with a stem
of its own, which is what training them apart would cost. Taken in turn (A B A B ...); the median of the ratios is
quoted.
"""

from __future__ import annotations

import argparse
import json

import torch
from speed import BATCH, batch, side_by_side
from torch import nn
from torch.nn import functional as F

from duonas.core.couplings import pair_space
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.training.memory import keep_freed_memory
from duonas.training.options import LossOptions
from duonas.training.rule import make_rule

AXES = {"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2, 4]}
LOSS = LossOptions(gamma=0.5)


class Watching(nn.Module):
    """Passes calls on to a supernet and notes which subnets ran."""

    def __init__(self, supernet: PairSupernet) -> None:
        super().__init__()
        self.supernet, self.ran = supernet, []

    def forward(self, images, subnet, mask=None):
        self.ran.append(subnet)
        return self.supernet(images, subnet, mask)

    def pair(self, images, pair, mask=None):
        self.ran += self.supernet.pairs.subnets(pair)
        return self.supernet.pair(images, pair, mask)


def build(coupling: str) -> PairSupernet:
    """The supernet of ``cifar-small`` under a coupling."""
    options = MobileNet.Options(preset="cifar-small", axes=AXES)
    space = MobileNet.space(options, 32, 10)
    pairs = pair_space(space, coupling, None, space)
    towers = [
        MobileNet.supernet(space, (0.5,) * 3, (0.25,) * 3, stream(0, "init", role), options) for role in pairs.towers
    ]
    return PairSupernet(pairs, *towers).to(memory_format=torch.channels_last).train()


def step(coupling: str, name: str, repeats: int) -> dict[str, float]:
    """One step of a rule against the subnets that it trained, as plain networks."""
    supernet = build(coupling)
    options = options_for("train", rule=name, **({"loss": LOSS} if name == "cotrain" else {}))
    rule = make_rule(supernet.pairs, options)
    rule.prepare(supernet, 90, 100)  # near the end, where a progressive rule has everything elastic
    images, targets = batch()
    watching = Watching(supernet)
    rule.step(watching, Step(images, targets, stream(0, "step"), lambda loss: loss.backward()))
    plain = [supernet.extract(subnet).to(memory_format=torch.channels_last).train() for subnet in watching.ran]
    parameters = [*supernet.parameters(), *rule.weights.parameters()]
    optimizer, optimizers = _sgd(parameters), [_sgd(network.parameters()) for network in plain]

    def ours() -> None:
        rule.step(supernet, Step(images, targets, stream(0, "step"), lambda loss: loss.backward()))
        optimizer.step()
        optimizer.zero_grad()

    def theirs() -> None:
        for network, each in zip(plain, optimizers, strict=True):
            F.cross_entropy(network(images), targets).backward()
            each.step()
            each.zero_grad()

    return {"subnets": len(plain)} | side_by_side(ours, theirs, repeats)


def _sgd(parameters) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, nesterov=True, weight_decay=1e-4)


def main() -> None:
    """Print one JSON line a coupling and rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    for coupling in ("nested", "sibling", "partial"):
        for name in ("sandwich", "cotrain", "uniform", "progressive"):
            figures = step(coupling, name, arguments.repeats)
            row = {"coupling": coupling, "rule": name, "batch": BATCH}
            print(json.dumps(row | {key: round(value, 4) for key, value in figures.items()}), flush=True)


if __name__ == "__main__":
    main()
