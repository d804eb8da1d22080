"""Which kind of block learns CIFAR-10 furthest in two minutes of one CPU core? Plain networks of about 8M MACs.

    OMP_NUM_THREADS=1 python blocks.py DATA/cifar10 120 [NAME ...]

DATA holds the Parquet shards. 45,000 images train, the other 5,000 of the training split judge; the test split is not
opened.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from duonas.training.memory import keep_freed_memory

BATCH, LR, HELD_OUT = 128, 0.2, 5_000
MEAN = torch.tensor([125.3, 123.0, 113.9]).view(1, 3, 1, 1)
STD = torch.tensor([63.0, 62.1, 66.7]).view(1, 3, 1, 1)
Activation = Callable[[], nn.Module]


def convolution(
    ins: int, outs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Activation | None = nn.ReLU
) -> list[nn.Module]:
    layer = nn.Conv2d(ins, outs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outs), *([act()] if act else [])]


class Residual(nn.Module):
    def __init__(self, body: nn.Module, act: Activation = nn.Identity) -> None:
        super().__init__()
        self.body, self.act = body, act()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.body(x))


def mbconv(ins: int, outs: int, stride: int, ratio: int, act: Activation) -> nn.Module:
    hidden = ins * ratio
    body = nn.Sequential(
        *convolution(ins, hidden, 1, act=act),
        *convolution(hidden, hidden, 3, stride, hidden, act),
        *convolution(hidden, outs, 1, act=None),
    )
    return Residual(body) if stride == 1 and ins == outs else body


def fused(ins: int, outs: int, stride: int, ratio: int) -> nn.Module:
    body = nn.Sequential(*convolution(ins, ins * ratio, 3, stride), *convolution(ins * ratio, outs, 1, act=None))
    return Residual(body) if stride == 1 and ins == outs else body


def dense(ins: int, outs: int, stride: int) -> nn.Module:
    if stride == 1 and ins == outs:
        return Residual(nn.Sequential(*convolution(ins, outs, act=None)), nn.ReLU)
    return nn.Sequential(*convolution(ins, outs, 3, stride))


def mobile(act: Activation) -> nn.Module:
    """Three stages of two MBConv blocks each, as ``cifar-small``."""
    layers, ins = convolution(3, 16, act=act), 16
    for outs in (24, 48, 96):
        layers += [mbconv(ins, outs, 2, 4, act), mbconv(outs, outs, 1, 4, act)]
        ins = outs
    return with_head(layers, ins, 3 * ins, act)


def fast(widths: tuple[int, int, int], depths: tuple[int, int, int], ratio: int) -> nn.Module:
    """Dense, fused and MBConv blocks, as ``fast-32``."""
    makers = (dense, lambda i, o, s: fused(i, o, s, ratio), lambda i, o, s: mbconv(i, o, s, 4, nn.ReLU))
    layers, ins = convolution(3, 16), 16
    for make, outs, depth in zip(makers, widths, depths, strict=True):
        for index in range(depth):
            layers.append(make(ins, outs, 1 if index else 2))
            ins = outs
    return with_head(layers, ins, 2 * ins, nn.ReLU)


def residual(widths: tuple[int, ...], depths: tuple[int, ...]) -> nn.Module:
    """Dense convolutions alone, in ResNet's basic blocks after a convolution that halves the map."""
    layers, ins = convolution(3, 16), 16
    for outs, depth in zip(widths, depths, strict=True):
        layers += convolution(ins, outs, 3, 2)
        ins = outs
        for _ in range(depth):
            body = nn.Sequential(*convolution(ins, ins), *convolution(ins, ins, act=None))
            layers.append(Residual(body, nn.ReLU))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(ins, 10))


def with_head(layers: list[nn.Module], ins: int, features: int, act: Activation) -> nn.Module:
    head = [*convolution(ins, features, 1, act=act), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 10)]
    return nn.Sequential(*layers, *head)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mb-hs": lambda: mobile(nn.Hardswish),
    "mb-relu": lambda: mobile(nn.ReLU),
    "fast": lambda: fast((24, 64, 96), (1, 2, 3), 1),
    "fast-b": lambda: fast((16, 64, 128), (1, 2, 2), 1),
    "fast-c": lambda: fast((32, 64, 128), (1, 1, 2), 2),
    "res": lambda: residual((16, 40, 80), (1, 1, 1)),
}


class Data:
    """The training split of CIFAR-10 in memory, a part of it held out."""

    def __init__(self, folder: Path) -> None:
        rows = [row for path in sorted(folder.rglob("*train*.parquet")) for row in pq.read_table(path).to_pylist()]
        images = np.stack([np.asarray(Image.open(io.BytesIO(row["img"]["bytes"]))) for row in rows])
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        labels = torch.tensor([row["label"] for row in rows])
        self.rng = torch.Generator().manual_seed(1)
        order = torch.randperm(len(pixels), generator=self.rng)
        held, kept = order[:HELD_OUT], order[HELD_OUT:]
        self.val, self.val_labels, self.labels = pixels[held], labels[held], labels[kept]
        self.padded = F.pad(pixels[kept].float(), (4,) * 4, mode="reflect").to(torch.uint8)

    def batch(self, rows: Tensor) -> Tensor:
        """Images (B, 3, 32, 32), cropped and flipped at random."""
        size = len(rows)
        down, right = (torch.randint(0, 9, (size,), generator=self.rng)[:, None] + torch.arange(32) for _ in range(2))
        flipped = torch.rand(size, generator=self.rng) < 0.5
        right[flipped] = right[flipped].flip(1)
        cut = self.padded[rows][torch.arange(size)[:, None, None], :, down[:, :, None], right[:, None, :]]
        return normalised(cut.permute(0, 3, 1, 2))


def normalised(pixels: Tensor) -> Tensor:
    return ((pixels.float() - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def train(network: nn.Module, data: Data, seconds: float) -> int:
    """Train for so many seconds of the processor, with a schedule over them; return the steps."""
    groups = [[p for p in network.parameters() if (p.ndim > 1) is decayed] for decayed in (True, False)]
    optimiser = torch.optim.SGD(
        [{"params": groups[0], "weight_decay": 5e-4}, {"params": groups[1], "weight_decay": 0.0}],
        lr=LR, momentum=0.9, nesterov=True,
    )  # fmt: skip
    began, steps, order = time.process_time(), 0, torch.empty(0, dtype=torch.long)
    while (part := (time.process_time() - began) / seconds) < 1:
        if len(order) < BATCH:
            order = torch.randperm(len(data.labels), generator=data.rng)
        rows, order = order[:BATCH], order[BATCH:]
        for group in optimiser.param_groups:
            group["lr"] = LR * (part / 0.1 if part < 0.1 else (1 - part) / 0.9)
        loss = F.cross_entropy(network(data.batch(rows)), data.labels[rows], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
    return steps


def main(folder: str, seconds: str, *names: str) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    data = Data(Path(folder))
    for name in names or NETWORKS:
        torch.manual_seed(0)
        network = NETWORKS[name]()
        with FlopCounterMode(display=False) as counter:
            network.eval()(torch.zeros(1, 3, 32, 32))
        steps = train(network.to(memory_format=torch.channels_last).train(), data, float(seconds))
        with torch.inference_mode():
            answers = torch.cat([network.eval()(normalised(part)).argmax(1) for part in data.val.split(500)])
        accuracy = (answers == data.val_labels).float().mean()
        params = sum(weight.numel() for weight in network.parameters())
        size = f"{counter.get_total_flops() / 2e6:5.2f}M MACs, {params:,} params"
        rate = steps * BATCH / float(seconds)
        print(f"{name:10} {size}, {rate:.0f} images/s, {100 * accuracy:.1f} % of val", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
