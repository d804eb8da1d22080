"""Elastic convolution and linear layers: the weights of the largest, sliced to what a ``LayerSpec`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from duonas.core.block import LayerSpec
from duonas.layers.generated import GivenLayer

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)
Shrink = Callable[[Tensor, int], Tensor]  # weight (O, I, K, K) and a smaller k to weight (O, I, k, k)


def centre(weight: Tensor, kernel: int) -> Tensor:
    """The middle of a weight (O, I, K, K) as a view (O, I, kernel, kernel)."""
    start = (weight.shape[-1] - kernel) // 2
    inside = slice(start, start + kernel)
    return weight[..., inside, inside]


class KernelTransform(nn.Module):
    """A smaller kernel is a learned linear map of the centre of the next larger one (OFA, section 3).

    From 7 x 7 to 3 x 3 there are two steps: a 25 x 25 matrix maps the 5 x 5 centre, a 9 x 9 matrix the 3 x 3 centre of
    what that gave. All channels share a matrix. It is stored less the identity: it starts as zeros, where this is
    ``centre`` exactly, and weight decay pulls it back there.

    Args:
        kernels: the sides that there are, in pixels.
    """

    def __init__(self, kernels: Iterable[int]) -> None:
        super().__init__()
        self.smaller = sorted(kernels, reverse=True)[1:]
        self.changes = nn.ParameterDict({str(k): nn.Parameter(torch.zeros(k * k, k * k)) for k in self.smaller})

    def forward(self, weight: Tensor, kernel: int) -> Tensor:
        """Weight (O, I, K, K) of the largest kernel to (O, I, kernel, kernel)."""
        for side in self.smaller:
            if side >= kernel:
                inner = centre(weight, side)
                weight = inner + F.linear(inner.flatten(2), self.changes[str(side)]).view_as(inner)
        return weight


class ElasticConv(nn.Module):
    """A convolution whose leading channels and kernel centre serve every smaller one (Slimmable Networks; OFA).

    Weights are empty until ``layers.init.initialise`` fills them. Where each arch brings its own (``GivenLayer``),
    ``forgo`` drops them.

    Args:
        largest: the spec that contains all others.
        shrink: how a smaller kernel follows from the largest: its centre, or a ``KernelTransform``.
    """

    def __init__(self, largest: LayerSpec, shrink: Shrink = centre) -> None:
        super().__init__()
        self.shrink = shrink
        shape = (largest.out_channels, largest.in_channels // largest.groups, largest.kernel, largest.kernel)
        self.weight: nn.Parameter | None = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(largest.out_channels)) if largest.bias else None

    def forgo(self) -> None:
        """Hold no weights: every layer that this is asked for brings them."""
        self.weight = None

    def slices(self, layer: LayerSpec) -> tuple[Tensor, Tensor | None]:
        """Weight (out, in / groups, k, k) and bias (out,) for ``layer``."""
        whole = layer.weight if isinstance(layer, GivenLayer) else self.own
        weight = whole[: layer.out_channels, : layer.in_channels // layer.groups]
        return self.shrink(weight, layer.kernel), None if self.bias is None else self.bias[: layer.out_channels]

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels, H, W) to (B, layer.out_channels, H', W')."""
        weight, bias = self.slices(layer)
        return F.conv2d(x, weight, bias, layer.stride, layer.kernel // 2, groups=layer.groups)

    def extract(self, layer: LayerSpec) -> nn.Conv2d:
        """A plain convolution with a copy of the slice."""
        weight, bias = self.slices(layer)
        conv = skip_init(nn.Conv2d, layer.in_channels, layer.out_channels, layer.kernel, stride=layer.stride,
                         padding=layer.kernel // 2, groups=layer.groups, bias=layer.bias,
                         device=weight.device)  # fmt: skip
        return _filled(conv, weight, bias)

    @property
    def own(self) -> nn.Parameter:
        """The weights of the largest; there are none after ``forgo``."""
        assert self.weight is not None
        return self.weight

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,); not for a depthwise one."""
        return self.own.detach().abs().sum((0, 2, 3))

    @torch.no_grad()
    def reorder_inputs(self, order: Tensor) -> None:
        """Put input channel ``order[i]`` at place i; not for a depthwise one, whose inputs are its outputs."""
        self.own.copy_(self.own[:, order])

    @torch.no_grad()
    def reorder_outputs(self, order: Tensor) -> None:
        """Put output channel ``order[i]`` at place i."""
        for values in (self.own, self.bias):
            if values is not None:
                values.copy_(values[order])


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

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input feature (C,)."""
        return self.weight.detach().abs().sum(0)

    @torch.no_grad()
    def reorder_inputs(self, order: Tensor) -> None:
        """Put input feature ``order[i]`` at place i."""
        self.weight.copy_(self.weight[:, order])


def _filled(layer: _Layer, weight: Tensor, bias: Tensor | None) -> _Layer:
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)
    return layer
