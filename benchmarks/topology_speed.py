"""What paper T's training costs: a Focus-Fair step, making the weights, memory; JSON lines.

    python benchmarks/topology_speed.py [--repeats 7] [--threads 2] [--weights kshot-hypernet]
        [--what focus-fair] [--skeleton small] [--processor-time]

A Focus-Fair step is watched once to learn which five cells it runs. These are extracted, the mixed supernet is written
in plain PyTorch, and the six are trained one by one, on labels, forward, backward and optimiser step. Taken in turn
(A B A B ...); the median of the ratios is quoted. Making the weights is what a uniform step costs more with generated
weights than with shared ones of the same arch. Memory is the most that a process of its own held while it trained.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import torch
from speed import side_by_side
from torch import nn
from torch.nn import functional as F

from duonas.core.cell import EDGES
from duonas.core.couplings import pair_space
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.layers.cells import through_cell
from duonas.recipe.schema import options_for
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.pair import PairSupernet
from duonas.training.memory import keep_freed_memory
from duonas.training.paths import fair_paths
from duonas.training.rule import make_rule

WEIGHTS = ("shared", "kshot", "kshot-hypernet")
WHAT = ("memory", "focus-fair", "generation", "together")
SKELETONS = {"small, 16 x 16": (8, 1, 16), "the benchmark's, 32 x 32": (16, 5, 32)}  # channels, cells, pixels


def build(weights: str, channels: int, cells: int, side: int) -> PairSupernet:
    """The supernet over all cells."""
    options = options_for("space", name="nasbench201", channels=channels, cells=cells, weights=weights)
    space = build_space(NasBench201, options, side, 10)
    big = build_supernet(NasBench201, space, (0.5,) * 3, (0.25,) * 3, stream(0, "init"), options)
    return PairSupernet(pair_space(space), big).train()


def batch(size: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(size, 3, side, side, generator=generator).contiguous(memory_format=torch.channels_last)
    return images, torch.randint(0, 10, (size,), generator=generator)


class Watching(nn.Module):
    """Passes calls on to a supernet and notes which subnets ran."""

    def __init__(self, supernet: PairSupernet) -> None:
        super().__init__()
        self.supernet, self.ran = supernet, []
        self.mixed, self.together = supernet.mixed, supernet.together

    def forward(self, images, subnet, mask=None):
        self.ran.append(subnet)
        return self.supernet(images, subnet, mask)


class MixedCell(nn.Module):
    """All operations on every edge, in plain PyTorch."""

    def __init__(self, cells: list[nn.Module], beta: nn.Parameter) -> None:
        super().__init__()
        self.beta = beta
        edges = [[cell.edges[str(edge)] for cell in cells if str(edge) in cell.edges] for edge in range(len(EDGES))]
        self.edges = nn.ModuleList([nn.ModuleList(operations) for operations in edges])

    def forward(self, x):
        chances = self.beta.softmax(1)

        def weighted(edge):
            # The first of the chances is that of "none", which adds nothing.
            return lambda x: sum(p * o(x) for p, o in zip(chances[edge, 1:], self.edges[edge], strict=True))

        return through_cell(x, {edge: weighted(edge) for edge in range(len(EDGES))})


def plain_mixed(supernet: PairSupernet) -> nn.Sequential:
    """The mixed supernet in plain PyTorch."""
    space, beta = supernet.pairs.space, nn.Parameter(torch.zeros(len(EDGES), 5))
    operations = space.axes["edge01.operation"].values
    archs = [space.build(dict.fromkeys(space.axes, index)) for index in range(len(operations))]
    extracted = [dict(supernet.big.extract(arch).named_children()) for arch in archs]
    network = nn.Sequential()
    for name, block in extracted[-1].items():
        whole = MixedCell([other[name] for other in extracted], beta) if "cell" in name else block
        network.add_module(name, whole)
    return network


def trained(networks: list[nn.Module], images, targets) -> None:
    """A step of each."""
    optimizers = [sgd(network.parameters()) for network in networks]

    def run() -> None:
        for network, each in zip(networks, optimizers, strict=True):
            F.cross_entropy(network(images), targets).backward()
            each.step()
            each.zero_grad()

    return run


def ruled(supernet: PairSupernet, name: str, images, targets):
    """A step of a rule, always with the same draws."""
    rule = make_rule(supernet.pairs, options_for("train", rule=name))
    optimizer = sgd([*supernet.parameters(), *rule.weights.parameters()])

    def run() -> None:
        rule.prepare(supernet, 90, 100)
        rule.step(supernet, Step(images, targets, stream(0, "step"), lambda loss: loss.backward()))
        optimizer.step()
        optimizer.zero_grad()

    return run


def sgd(parameters) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, nesterov=True, weight_decay=1e-4)


def focus_fair(weights: str, skeleton: str, size: int, repeats: int, clock=time.perf_counter) -> dict[str, float]:
    """A step against the six networks that it trains."""
    supernet = build(weights, *SKELETONS[skeleton])
    images, targets = batch(size, SKELETONS[skeleton][2])
    watching = Watching(supernet)
    rule = make_rule(supernet.pairs, options_for("train", rule="focus-fair"))
    rule.step(watching, Step(images, targets, stream(0, "step"), lambda loss: loss.backward()))
    plain = [supernet.extract(subnet).train() for subnet in watching.ran] + [plain_mixed(supernet).train()]
    return side_by_side(ruled(supernet, "focus-fair", images, targets), trained(plain, images, targets), repeats, clock)


def generation(weights: str, skeleton: str, size: int, repeats: int, clock=time.perf_counter) -> dict[str, float]:
    """A step of one cell with made weights against one with shared weights."""
    images, targets = batch(size, SKELETONS[skeleton][2])
    steps = [ruled(build(kind, *SKELETONS[skeleton]), "uniform", images, targets) for kind in (weights, "shared")]
    return side_by_side(*steps, repeats, clock)


def together(weights: str, skeleton: str, repeats: int, clock=time.perf_counter) -> dict[str, float]:
    """Weights of a step's six networks, forward and backward, made in one pass against one network at a time."""
    supernet = build(weights, *SKELETONS[skeleton])
    space, largest = supernet.pairs.space, supernet.pairs.space.largest()
    uses = [(arch, space.blocks(arch), None) for arch in fair_paths(space, stream(0, "step"))]
    even = {axis: torch.full((5,), 0.2) for axis in space.mixed}
    uses.append((largest, space.mixed_blocks(largest), even))

    def run(*parts: list) -> None:
        for part in parts:
            specs = [spec for blocks in supernet.big.all_specs(part) for spec in blocks]
            made = [layer.weight for spec in specs for layer in spec.layers if hasattr(layer, "weight")]
            torch.autograd.backward(made, [torch.ones_like(weight) for weight in made])
        supernet.zero_grad()

    return side_by_side(lambda: run(uses), lambda: run(*([use] for use in uses)), repeats, clock)


def memory(weights: str, skeleton: str, size: int) -> None:
    """Train three Focus-Fair steps in this process and print what it held."""
    supernet = build(weights, *SKELETONS[skeleton])
    step = ruled(supernet, "focus-fair", *batch(size, SKELETONS[skeleton][2]))
    for _ in range(3):
        step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    numbers = sum(p.numel() for p in supernet.parameters())
    print(json.dumps({"what": "memory", "weights": weights, "skeleton": skeleton, "batch": size,
                      "trained_numbers": numbers, "peak_mib": round(peak)}), flush=True)  # fmt: skip


def main() -> None:
    """Print one JSON line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights", nargs="+", default=WEIGHTS, choices=WEIGHTS)
    parser.add_argument("--what", nargs="+", default=WHAT, choices=WHAT)
    parser.add_argument("--skeleton", nargs="+", default=["small", "full"], choices=["small", "full"])
    parser.add_argument("--processor-time", action="store_true", help="with --threads 1, beside other work")
    parser.add_argument("--memory", nargs=3, metavar=("WEIGHTS", "SKELETON", "BATCH"), help="this one alone")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    if arguments.memory:
        weights, skeleton, size = arguments.memory
        memory(weights, skeleton, int(size))
        return
    small, full = SKELETONS
    clock = time.process_time if arguments.processor_time else time.perf_counter

    def taken(*cases: tuple[str, int]) -> list[tuple[str, int]]:
        named = {"small": small, "full": full}
        return [case for case in cases if case[0] in [named[each] for each in arguments.skeleton]]

    # First, since a process inherits the peak of the one that starts it.
    for weights in arguments.weights if "memory" in arguments.what else ():
        command = [sys.executable, __file__, "--threads", str(arguments.threads), "--memory", weights, full, "64"]
        subprocess.run(command, check=True)

    def show(what: str, weights: str, skeleton: str, size: int, figures: dict[str, float]) -> None:
        row = {"what": what, "weights": weights, "skeleton": skeleton, "batch": size}
        print(json.dumps(row | {key: round(value, 4) for key, value in figures.items()}), flush=True)

    for weights in arguments.weights if "focus-fair" in arguments.what else ():
        for skeleton, size in taken((small, 128), (full, 64)):
            show("focus-fair", weights, skeleton, size, focus_fair(weights, skeleton, size, arguments.repeats, clock))
    made = [weights for weights in arguments.weights if weights != "shared"]
    for weights in made if "generation" in arguments.what else ():
        for skeleton, size in taken((small, 32), (small, 64), (small, 128), (small, 256), (full, 64), (full, 256)):
            show("generation", weights, skeleton, size, generation(weights, skeleton, size, arguments.repeats, clock))
    for weights in made if "together" in arguments.what else ():
        for skeleton, size in taken((small, 0), (full, 0)):
            show("together", weights, skeleton, size, together(weights, skeleton, arguments.repeats, clock))


if __name__ == "__main__":
    main()
