"""Plain layers and blocks of extracted networks, with fixed sizes.

Convolutions and linear layers are not initialised; ``duonas.pair.build`` loads their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from duonas.core.block import EPS, Activation, LayerSpec
from duonas.core.cell import EDGES, NODES
from duonas.layers.norm import MOMENTUM

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hswish": nn.Hardswish,
    "none": nn.Identity,
}


def conv(layer: LayerSpec) -> nn.Conv2d:
    """A convolution with its padding, without it where that is uneven (see ``conv_norm``)."""
    before, after = layer.pads
    return skip_init(nn.Conv2d, layer.in_channels, layer.out_channels, layer.kernel, stride=layer.stride,
                     padding=before if before == after else 0, groups=layer.groups, bias=layer.bias)  # fmt: skip


def norm(channels: int, eps: float = EPS) -> nn.BatchNorm2d:
    """A batch norm."""
    return nn.BatchNorm2d(channels, eps, MOMENTUM)


def conv_norm(layer: LayerSpec) -> nn.Sequential:
    """Uneven padding if there is any, a convolution, batch norm, and activation unless it is ``none``."""
    parts: list[nn.Module] = [conv(layer), norm(layer.out_channels, layer.eps)]
    before, after = layer.pads
    if before != after:
        parts.insert(0, nn.ZeroPad2d((before, after, before, after)))
    if layer.activation != "none":
        parts.append(ACTIVATIONS[layer.activation]())
    return nn.Sequential(*parts)


def linear(layer: LayerSpec) -> nn.Linear:
    """A linear layer."""
    return skip_init(nn.Linear, layer.in_channels, layer.out_channels)


class Input(nn.Module):
    """Resizes square images in [0, 1] to ``resolution`` and normalises them by the training images' mean and std."""

    mean: Tensor
    std: Tensor

    def __init__(self, resolution: int, mean: Sequence[float] = (0, 0, 0), std: Sequence[float] = (1, 1, 1)) -> None:
        super().__init__()
        self.resolution = resolution
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, H) to (B, 3, resolution, resolution)."""
        return (resized(x, self.resolution) - self.mean) / self.std


def resized(x: Tensor, side: int) -> Tensor:
    """Resize images (B, C, H, H) to (B, C, side, side), bilinear."""
    return x if x.shape[-1] == side else F.interpolate(x, size=(side, side), mode="bilinear")


class SqueezeExcite(nn.Module):
    """Channel attention: pool, squeeze, ReLU, excite, hard sigmoid, scale (MobileNetV3, 5.3)."""

    def __init__(self, squeeze: nn.Conv2d, excite: nn.Conv2d) -> None:
        super().__init__()
        self.squeeze, self.excite = squeeze, excite

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class Residual(nn.Module):
    """``x + body(x)``."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.body(x)


class WithShortcut(nn.Module):
    """``body(x) + shortcut(x)``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / 2, W / 2)."""
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


def half_pool(resolution: int) -> nn.AvgPool2d:
    """Average pooling 2 x 2; for an odd side the last row and column are pooled alone, as by a strided convolution."""
    return nn.AvgPool2d(2, ceil_mode=resolution % 2 == 1)


# The operations of a cell without weights; "none" has no module.
WEIGHTLESS: dict[str, Callable[[], nn.Module]] = {
    "skip_connect": nn.Identity,
    "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}


class Cell(nn.Module):
    """A cell with a module for each edge that has an operation."""

    def __init__(self, operations: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({str(edge): operation for edge, operation in operations.items()})

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return through_cell(x, {int(edge): operation for edge, operation in self.edges.items()})


def through_cell(x: Tensor, operations: Mapping[int, Callable[[Tensor], Tensor]]) -> Tensor:
    """The last node of a cell, (B, C, H, W) to the same shape; ``operations`` are by edge, without ``none``."""
    nodes = [x]
    for node in range(1, NODES):
        inputs = [(edge, source) for edge, (source, end) in enumerate(EDGES) if end == node and edge in operations]
        terms = [operations[edge](nodes[source]) for edge, source in inputs]
        nodes.append(sum(terms[1:], terms[0]) if terms else torch.zeros_like(x))
    return nodes[-1]
