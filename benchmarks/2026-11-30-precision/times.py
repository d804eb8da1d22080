"""Time at batch 1 and bytes of the largest archs of four spaces in fp32, int8 and fp16, in turns, with random weights.

OMP_NUM_THREADS=1 python benchmarks/2026-11-30-precision/times.py
"""

from __future__ import annotations

import time

import numpy as np
import torch

from duonas.core.rng import stream
from duonas.deploy.export import export_module
from duonas.deploy.half import in_fp16
from duonas.deploy.quantize import in_int8, prepared, ranges_of
from duonas.pair.build import build
from duonas.runtime.session import open_session
from duonas.spaces.mobilenet import MobileNet

SPACES = (
    ("fast-32", "preset", 32),
    ("efficientnet-lite0", "preset", 128),
    ("cifar", "simple", 32),
    ("cifar", "preset", 32),
)
ROUNDS, RUNS, OPSET = 20, 5, 18


def main() -> None:
    print("| space | MACs | fp32 | int8 | fp16 | bytes of int8 |\n|---|---|---|---|---|---|")
    for preset, blocks, size in SPACES:
        torch.manual_seed(0)
        space = MobileNet.space(MobileNet.Options(preset=preset, blocks=blocks), size, 10)
        specifications = space.blocks(space.largest())
        network = build(specifications)
        for module in network.modules():
            if callable(getattr(module, "reset_parameters", None)):
                module.reset_parameters()
        drawn = stream(0, "images").random((8, 3, size, size), dtype=np.float32)
        model = prepared(export_module(network.eval(), torch.from_numpy(drawn), "images", "logits", OPSET))
        models = {"fp32": model, "int8": in_int8(model, ranges_of(model, [drawn], "network")), "fp16": in_fp16(model)}
        sessions = {name: open_session(each.SerializeToString(), 1) for name, each in models.items()}
        times: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(ROUNDS):
            for name, session in sessions.items():
                session.run(None, {"images": drawn[:1]})
                for _ in range(RUNS):
                    began = time.thread_time()
                    session.run(None, {"images": drawn[:1]})
                    times[name].append(1e3 * (time.thread_time() - began))
        median = {name: float(np.median(each)) for name, each in times.items()}
        shown = [f"{each:.2f} ms ({each / median['fp32']:.2f})" for each in median.values()]
        share = models["int8"].ByteSize() / models["fp32"].ByteSize()
        macs = sum(block.macs for block in specifications) / 1e6
        print(f"| {preset}, {blocks} | {macs:.1f}M | {' | '.join(shown)} | {share:.0%} |", flush=True)


if __name__ == "__main__":
    main()
