"""Elastic convolutions and linear layers, whose weights are sliced by a ``LayerSpec``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec, LayerSpec

Shrink = Callable[[Tensor, int], Tensor]  # weight (O, I, K, K) and a smaller k to weight (O, I, k, k)


@dataclass(frozen=True)
class LayerWithWeight(LayerSpec):
    """A convolution with weights (O, I, K, K) of the largest one, for an elastic layer to slice."""

    weight: Tensor = field(kw_only=True, compare=False)


@dataclass(frozen=True)
class SoftLayer(LayerSpec):
    """A layer whose size is not decided: the largest one, and how likely its channels and kernels are.

    The output channels are multiplied by the probability that the layer has them, after norm and activation (FBNetV2:
    Wan et al. 2020, section 3.1). Kernels, smaller ones with zeros around them, are summed by their probabilities,
    which is the sum of the convolutions, as these are linear. A probability of 1 for one size gives a layer of it.

    Args:
        weight: as in ``LayerWithWeight``; ``None``: the layer's own.
        channels: (C,) probabilities of the output channels; ``None``: there is one number of channels.
        kernels: sizes and their probabilities, if there are several.
    """

    weight: Tensor | None = field(default=None, kw_only=True, compare=False)
    channels: Tensor | None = field(default=None, kw_only=True, compare=False)
    kernels: tuple[tuple[int, Tensor], ...] = field(default=(), kw_only=True, compare=False)


def masked(x: Tensor, layer: LayerSpec) -> Tensor:
    """(B, C, H, W) times the probabilities of the channels, if ``layer`` has some."""
    if not isinstance(layer, SoftLayer) or layer.channels is None:
        return x
    return x * layer.channels[:, None, None]


class ElasticBlock(nn.Module):
    """A block for every arch; called with (x, spec), it runs on the slices of its weights that the spec selects."""

    def layer(self, name: str) -> Any:
        """The elastic layer for a layer of a spec; by default the attribute of that name."""
        return getattr(self, name)

    def weights(self, spec: BlockSpec) -> Iterator[Tensor]:
        """The weights of the plain block of ``spec`` in the order of its ``state_dict``, as slices.

        The default is the order of ``spec.layers``; a block with other weights overrides this.
        """
        for layer in spec.layers:
            yield from self.layer(layer.name).weights(layer)


def by_importance(importance: Tensor) -> Tensor:
    """The order (C,) of C channels with the most important first; equally important ones keep their order."""
    return torch.argsort(importance, descending=True, stable=True)


def centre(weight: Tensor, kernel: int) -> Tensor:
    """The centre of a weight (O, I, K, K) as a view (O, I, kernel, kernel)."""
    start = (weight.shape[-1] - kernel) // 2
    inside = slice(start, start + kernel)
    return weight[..., inside, inside]


class KernelTransform(nn.Module):
    """Computes a smaller kernel by a learned linear map of the centre of the next larger one (OFA, section 3).

    From 7 x 7 to 3 x 3 there are two steps: a 25 x 25 matrix maps the 5 x 5 centre, and a 9 x 9 matrix maps the 3 x 3
    centre of the result. All channels share a matrix. The parameter is the matrix minus the identity: at its initial
    value 0 this is ``centre``, and weight decay pulls it towards 0.

    Args:
        kernels: all kernel sizes.
    """

    def __init__(self, kernels: Iterable[int]) -> None:
        super().__init__()
        self.smaller = sorted(kernels, reverse=True)[1:]
        self.changes = nn.ParameterDict({str(k): nn.Parameter(torch.zeros(k * k, k * k)) for k in self.smaller})

    def forward(self, weight: Tensor, kernel: int) -> Tensor:
        """Map a weight (O, I, K, K) with the largest kernel to (O, I, kernel, kernel)."""
        for side in self.smaller:
            if side >= kernel:
                inner = centre(weight, side)
                weight = inner + F.linear(inner.flatten(2), self.changes[str(side)]).view_as(inner)
        return weight


class ElasticConv(nn.Module):
    """A convolution whose smaller versions use its leading channels and kernel centre (Slimmable Networks; OFA).

    Weights are not initialised before ``layers.init.initialise``. For generated weights (``LayerWithWeight``),
    ``forgo`` removes them.

    Args:
        largest: the spec that contains all others.
        shrink: computes smaller kernels from the largest: ``centre`` or a ``KernelTransform``.
    """

    def __init__(self, largest: LayerSpec, shrink: Shrink = centre) -> None:
        super().__init__()
        self.shrink = shrink
        shape = (largest.out_channels, largest.in_channels // largest.groups, largest.kernel, largest.kernel)
        self.weight: nn.Parameter | None = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(largest.out_channels)) if largest.bias else None

    def forgo(self) -> None:
        """Remove the weights; every layer must then be a ``LayerWithWeight``."""
        self.weight = None

    def slices(self, layer: LayerSpec) -> tuple[Tensor, Tensor | None]:
        """Weight (out, in / groups, k, k) and bias (out,) for ``layer``."""
        given = layer.weight if isinstance(layer, LayerWithWeight | SoftLayer) else None
        weight = (self.own if given is None else given)[: layer.out_channels, : layer.in_channels // layer.groups]
        bias = None if self.bias is None else self.bias[: layer.out_channels]
        if not isinstance(layer, SoftLayer) or not layer.kernels:
            return self.shrink(weight, layer.kernel), bias
        terms = [
            chance * F.pad(self.shrink(weight, kernel), [(layer.kernel - kernel) // 2] * 4)
            for kernel, chance in layer.kernels
        ]
        return sum(terms[1:], terms[0]), bias

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels, H, W) to (B, layer.out_channels, H', W')."""
        weight, bias = self.slices(layer)
        before, after = layer.pads
        if before != after:  # which a convolution cannot do by itself
            x, before = F.pad(x, (before, after, before, after)), 0
        out = F.conv2d(x, weight, bias, layer.stride, before, groups=layer.groups)
        return out if layer.norm else masked(out, layer)

    def weights(self, layer: LayerSpec) -> Iterator[Tensor]:
        """The weights of a plain convolution for ``layer``."""
        return (values for values in self.slices(layer) if values is not None)

    @property
    def own(self) -> nn.Parameter:
        """The weights of the largest convolution, before ``forgo``."""
        assert self.weight is not None
        return self.weight

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,); not for depthwise convolutions."""
        return self.own.detach().abs().sum((0, 2, 3))

    @torch.no_grad()
    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i; not for depthwise convolutions."""
        self.own.copy_(self.own[:, order])

    @torch.no_grad()
    def reorder_outputs(self, order: Tensor) -> None:
        """Move output channel ``order[i]`` to place i."""
        for values in (self.own, self.bias):
            if values is not None:
                values.copy_(values[order])

    @torch.no_grad()
    def start_from(self, other: ElasticConv) -> None:
        """Take the leading channels and the kernel's centre of a convolution that contains this one."""
        outputs, inputs, side, _ = self.own.shape
        self.own.copy_(centre(other.own[:outputs, :inputs], side))
        if self.bias is not None and other.bias is not None:
            self.bias.copy_(other.bias[:outputs])


class ElasticLinear(nn.Module):
    """A linear layer whose narrower versions use its leading input features."""

    def __init__(self, largest: LayerSpec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(largest.out_channels, largest.in_channels))
        self.bias = nn.Parameter(torch.zeros(largest.out_channels))

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels) to (B, layer.out_channels)."""
        return F.linear(x, self.weight[:, : layer.in_channels], self.bias)

    def weights(self, layer: LayerSpec) -> Iterator[Tensor]:
        """The weights of a plain linear layer for ``layer``."""
        yield self.weight[:, : layer.in_channels]
        yield self.bias

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input feature (C,)."""
        return self.weight.detach().abs().sum(0)

    @torch.no_grad()
    def reorder_inputs(self, order: Tensor) -> None:
        """Move input feature ``order[i]`` to place i."""
        self.weight.copy_(self.weight[:, order])

    @torch.no_grad()
    def start_from(self, other: ElasticLinear) -> None:
        """Take the leading features of a linear layer that contains this one."""
        outputs, inputs = self.weight.shape
        self.weight.copy_(other.weight[:outputs, :inputs])
        self.bias.copy_(other.bias[:outputs])
