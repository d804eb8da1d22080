"""What ONNX Runtime takes for the presets of the mobilenet and uib spaces, and for convolutions by their channels.

python presets.py [SECONDS [THREADS]]

Networks have random weights, since time does not depend on them. All are timed in shuffled rounds of one process.
With one thread, the time is the processor's, which other work on the machine disturbs less; else it is the clock's.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch
from torch import nn

from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.deploy.export import export_module
from duonas.layers.norm import folded
from duonas.pair.build import build
from duonas.runtime.timing import Clock, Watch, in_rounds
from duonas.spaces import mobilenet, uib

RANDOM = 5  # random archs of a preset
CHANNELS = (8, 16, 24, 32, 40, 48, 56, 64)
Call = Callable[[], object]


class Network(NamedTuple):
    """A network to time: of which preset, which arch of it, and its multiply-accumulates."""

    preset: str
    arch: str
    macs: int


def networks(threads: int) -> Iterator[tuple[Network, Call]]:
    """The smallest, the largest and random archs of every preset but the digits'."""
    for family, presets in ((mobilenet.MobileNet, mobilenet.PRESETS), (uib.UIB, uib.PRESETS)):
        for name, preset in presets.items():
            side = preset.image_size
            if side == 8:
                continue
            space = family.space(family.Options(preset=name), side, 10)
            archs = {"smallest": space.smallest(), "largest": space.largest()}
            archs |= {f"random {n}": space.sample(stream(0, name, n)) for n in range(RANDOM)}
            for label, arch in archs.items():
                blocks = space.blocks(arch)
                yield Network(name, label, analytic(blocks).macs), session(build(blocks), 3, side, threads)


def convolutions(threads: int) -> Iterator[tuple[tuple[str, int], Call]]:
    """3 x 3 convolutions with ReLU of maps of 16 x 16, as many channels out as in; dense and depthwise."""
    for channels in CHANNELS:
        for kind, groups in (("dense", 1), ("depthwise", channels)):
            layers = nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, groups=groups), nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1, groups=groups), nn.ReLU(),
            )  # fmt: skip
            yield (kind, channels), session(layers, channels, 16, threads)


def session(network: nn.Module, channels: int, side: int, threads: int) -> Call:
    """A call that classifies one image."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    exported = export_module(folded(network), torch.rand(2, channels, side, side), "images", "logits", 18)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    opened = onnxruntime.InferenceSession(exported.SerializeToString(), options, providers=["CPUExecutionProvider"])
    image = {"images": np.random.default_rng(0).random((1, channels, side, side), np.float32)}
    return partial(opened.run, None, image)


def timed(calls: dict, seconds: float, threads: int) -> tuple[dict, float]:
    """Time in ms by call, and the share of looks at which the machine was busy."""
    clock = Clock(now=time.thread_time) if threads == 1 else Clock()
    matrix = np.random.default_rng(0).random((192, 192), np.float32)
    watch = Watch(lambda: matrix @ matrix, clock, patience=0.0 if threads == 1 else seconds / 4)
    found = in_rounds(calls, watch, clock.now() + seconds, random.Random(0))
    return found, watch.share


def main(seconds: float = 240.0, threads: int = 1) -> None:
    """Print both tables as Markdown."""
    calls = dict(networks(threads))
    times, busy = timed(calls, seconds, threads)
    print(f"onnxruntime {onnxruntime.__version__}, {threads} thread(s), batch 1; machine busy at {busy:.0%} of looks\n")
    print("| preset | smallest | largest | largest / smallest | random: GMAC/s |\n|---|---|---|---|---|")
    for preset in dict.fromkeys(network.preset for network in times):
        of = {network.arch: network for network in times if network.preset == preset}
        small, large = of["smallest"], of["largest"]
        rates = [each.macs / times[each] / 1e6 for each in of.values() if each not in (small, large)]
        cells = [f"{each.macs / 1e6:.2f}M, {times[each]:.3f} ms" for each in (small, large)]
        ratio = times[large] / times[small]
        print(f"| `{preset}` | {' | '.join(cells)} | {ratio:.0f} | {min(rates):.0f} to {max(rates):.0f} "
              f"(median {median(rates):.0f}) |")  # fmt: skip
    found, _ = timed(dict(convolutions(threads)), seconds / 8, threads)
    print("\nTwo 3 x 3 convolutions of a 16 x 16 map, in microseconds:\n")
    print(f"| channels | {' | '.join(map(str, CHANNELS))} |\n|---|{'---|' * len(CHANNELS)}")
    for kind in ("dense", "depthwise"):
        print(f"| {kind} | {' | '.join(f'{1e3 * found[kind, channels]:.0f}' for channels in CHANNELS)} |")


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((float, int), sys.argv[1:], strict=False)))
