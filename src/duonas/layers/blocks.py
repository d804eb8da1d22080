"""Elastic blocks: input, stem, MobileNetV3's inverted residual, head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import Activation, BlockSpec, LayerSpec
from duonas.layers.elastic import (
    ElasticBlock,
    ElasticConv,
    ElasticLinear,
    Shrink,
    SoftLayer,
    by_importance,
    centre,
    masked,
)
from duonas.layers.norm import NORMS, SwitchableBatchNorm
from duonas.layers.plain import resized

Widths = Mapping[str, Sequence[int]]  # every number of output channels of each layer of a block

FUNCTIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hswish": F.hardswish,
    "none": lambda x: x,
}


class ElasticInput(ElasticBlock):
    """The input block of a supernet: resizes and normalises images."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, 3, H, H) to (B, 3, spec.out_resolution, spec.out_resolution)."""
        return (resized(x, spec.out_resolution) - self.mean) / self.std

    def weights(self, spec: BlockSpec) -> Iterator[Tensor]:
        """The mean and the standard deviation, equal at every resolution."""
        yield from (self.mean, self.std)


class ConvNorm(nn.Module):
    """Elastic convolution, norm and activation."""

    def __init__(self, largest: LayerSpec, widths: Sequence[int], norm: str, shrink: Shrink = centre) -> None:
        super().__init__()
        self.conv = ElasticConv(largest, shrink)
        self.norm = NORMS[norm](widths, largest.eps)

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels, H, W) to (B, layer.out_channels, H', W')."""
        out, function = self.conv(x, layer), FUNCTIONS[layer.activation]
        if not isinstance(self.norm, SwitchableBatchNorm) or not isinstance(layer, SoftLayer) or layer.channels is None:
            return masked(function(self.norm(out)), layer)
        ends = F.pad(layer.channels, (0, 1)).diff().neg()  # (C,) probabilities that a channel is the last one
        widths = [width for width in self.norm.widths if width <= len(ends) and float(ends[width - 1].detach()) > 0]
        terms = [
            F.pad(ends[width - 1] * function(self.norm(out[:, :width])), (0, 0, 0, 0, 0, len(ends) - width))
            for width in widths
        ]
        return sum(terms[1:], terms[0])

    def weights(self, layer: LayerSpec) -> Iterator[Tensor]:
        """The weights of the plain convolution and norm of ``layer``."""
        yield from self.conv.weights(layer)
        yield from self.norm.weights(layer)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return self.conv.input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i."""
        self.conv.reorder_inputs(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Move output channel ``order[i]`` to place i."""
        self.conv.reorder_outputs(order)
        self.norm.reorder(order)


class ElasticStem(ElasticBlock):
    """A convolution of the image with fixed width, which both networks of a pair share."""

    def __init__(self, largest: BlockSpec, norm: str) -> None:
        super().__init__()
        conv = largest["conv"]
        self.conv = ConvNorm(conv, [conv.out_channels], norm)

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, 3, H, W) to (B, spec.out_channels, H', W')."""
        return self.conv(x, spec["conv"])


class ElasticSqueezeExcite(nn.Module):
    """Channel attention for any number of channels."""

    def __init__(self, largest: BlockSpec) -> None:
        super().__init__()
        self.squeeze, self.excite = ElasticConv(largest["squeeze"]), ElasticConv(largest["excite"])

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, C, H, W) to the same shape."""
        squeezed = F.relu(self.squeeze(x.mean((2, 3), keepdim=True), spec["squeeze"]))
        return x * F.hardsigmoid(self.excite(squeezed, spec["excite"]))

    def sort_inside(self) -> None:
        """Sort the squeezed channels by the weights that read them."""
        order = by_importance(self.excite.input_importance())
        self.squeeze.reorder_outputs(order)
        self.excite.reorder_inputs(order)

    def reorder(self, order: Tensor) -> None:
        """Move channel ``order[i]`` to place i."""
        self.squeeze.reorder_inputs(order)
        self.excite.reorder_outputs(order)


class ElasticMBConv(ElasticBlock):
    """MobileNetV3's inverted residual block, elastic in width, kernel and expansion.

    Args:
        largest: the block that contains all others.
        widths: every number of output channels of each layer, for switchable norms.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
        shrink: computes smaller depthwise kernels from the largest.
    """

    def __init__(self, largest: BlockSpec, widths: Widths, norm: str, shrink: Shrink = centre) -> None:
        super().__init__()
        self.expand = ConvNorm(largest["expand"], widths["expand"], norm) if "expand" in largest else None
        self.depthwise = ConvNorm(largest["depthwise"], widths["depthwise"], norm, shrink)
        self.squeeze_excite = ElasticSqueezeExcite(largest) if largest.squeeze_excite else None
        self.project = ConvNorm(largest["project"], widths["project"], norm)
        if largest.residual:
            self.project.norm.zero_weight()

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, spec.in_channels, H, W) to (B, spec.out_channels, H', W')."""
        out = self.expand(x, spec["expand"]) if self.expand and "expand" in spec else x
        out = self.depthwise(out, spec["depthwise"])
        if self.squeeze_excite and spec.squeeze_excite:
            out = self.squeeze_excite(out, spec)
        out = self.project(out, spec["project"])
        return x + out if spec.residual else out

    def layer(self, name: str) -> Any:
        """The elastic layer of that name, also of the channel attention."""
        return getattr(self.squeeze_excite if name in ("squeeze", "excite") else self, name)

    def sort_inside(self) -> None:
        """Sort the hidden channels by the weights of the projection that reads them (OFA, section 3)."""
        if self.expand:
            self._reorder_hidden(by_importance(self.project.input_importance()))
        if self.squeeze_excite:
            self.squeeze_excite.sort_inside()

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        if self.expand:
            return self.expand.input_importance()
        return self.depthwise.conv.own.detach().abs().sum((1, 2, 3))

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i; without expansion, they are the hidden channels."""
        if self.expand:
            self.expand.reorder_inputs(order)
        else:
            self._reorder_hidden(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Move output channel ``order[i]`` to place i."""
        self.project.reorder_outputs(order)

    def _reorder_hidden(self, order: Tensor) -> None:
        if self.expand:
            self.expand.reorder_outputs(order)
        self.depthwise.reorder_outputs(order)
        if self.squeeze_excite:
            self.squeeze_excite.reorder(order)
        self.project.reorder_inputs(order)


class ElasticHead(ElasticBlock):
    """Elastic 1 x 1 convolution, global average pooling, classifier."""

    def __init__(self, largest: BlockSpec, widths: Widths, norm: str) -> None:
        super().__init__()
        self.widen = ConvNorm(largest["widen"], widths["widen"], norm)
        self.classify = ElasticLinear(largest["classify"])

    def forward(self, x: Tensor, spec: BlockSpec, feature_mask: Tensor | None = None) -> Tensor:
        """(B, spec.in_channels, H, W) to logits (B, K); a mask (B, F) multiplies the pooled features (dropout)."""
        features = self.widen(x, spec["widen"]).mean((2, 3))
        if feature_mask is not None:
            features = features * feature_mask
        return self.classify(features, spec["classify"])

    def sort_inside(self) -> None:
        """Sort the features by the weights of the classifier that reads them."""
        order = by_importance(self.classify.input_importance())
        self.widen.reorder_outputs(order)
        self.classify.reorder_inputs(order)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return self.widen.input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i."""
        self.widen.reorder_inputs(order)
