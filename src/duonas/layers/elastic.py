"""Elastic convolution and linear layers: the weights of the largest, sliced to what a ``LayerSpec`` asks for."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from duonas.core.block import LayerSpec

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


class ElasticConv(nn.Module):
    """A convolution whose leading channels and kernel centre serve every smaller one (Slimmable Networks; OFA).

    Weights are empty until ``layers.init.initialise`` fills them.

    Args:
        largest: the spec that contains all others.
    """

    def __init__(self, largest: LayerSpec) -> None:
        super().__init__()
        self.kernel = largest.kernel
        shape = (largest.out_channels, largest.in_channels // largest.groups, largest.kernel, largest.kernel)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(largest.out_channels)) if largest.bias else None

    def slices(self, layer: LayerSpec) -> tuple[Tensor, Tensor | None]:
        """Views of weight (out, in / groups, k, k) and bias (out,) for ``layer``."""
        start = (self.kernel - layer.kernel) // 2
        inside = slice(start, start + layer.kernel)
        weight = self.weight[: layer.out_channels, : layer.in_channels // layer.groups, inside, inside]
        return weight, None if self.bias is None else self.bias[: layer.out_channels]

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels, H, W) to (B, layer.out_channels, H', W')."""
        weight, bias = self.slices(layer)
        return F.conv2d(x, weight, bias, layer.stride, layer.kernel // 2, groups=layer.groups)

    def extract(self, layer: LayerSpec) -> nn.Conv2d:
        """A plain convolution with a copy of the slice."""
        conv = skip_init(nn.Conv2d, layer.in_channels, layer.out_channels, layer.kernel, stride=layer.stride,
                         padding=layer.kernel // 2, groups=layer.groups, bias=layer.bias,
                         device=self.weight.device)  # fmt: skip
        return _filled(conv, *self.slices(layer))


class ElasticLinear(nn.Module):
    """A linear layer of which a narrow subnet uses the leading input features."""

    def __init__(self, largest: LayerSpec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(largest.out_channels, largest.in_channels))
        self.bias = nn.Parameter(torch.zeros(largest.out_channels))

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels) to (B, layer.out_channels)."""
        return F.linear(x, self.weight[:, : layer.in_channels], self.bias)

    def extract(self, layer: LayerSpec) -> nn.Linear:
        """A plain linear layer with a copy of the slice."""
        linear = skip_init(nn.Linear, layer.in_channels, layer.out_channels, device=self.weight.device)
        return _filled(linear, self.weight[:, : layer.in_channels], self.bias)


def _filled(layer: _Layer, weight: Tensor, bias: Tensor | None) -> _Layer:
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)
    return layer
