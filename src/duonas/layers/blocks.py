"""Elastic blocks: the stem, MobileNetV3's inverted residual, the head. Each runs and extracts what a spec asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import Activation, BlockSpec, LayerSpec
from duonas.layers.elastic import ElasticConv, ElasticLinear, Shrink, centre
from duonas.layers.norm import NORMS
from duonas.layers.sorting import by_importance

Widths = Mapping[str, Sequence[int]]  # for each layer of a block, every number of channels that it may give

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"relu": F.relu, "hswish": F.hardswish, "none": lambda x: x}
MODULES: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "hswish": nn.Hardswish, "none": nn.Identity}


class Input(nn.Module):
    """Resize square images in [0, 1] to ``resolution`` and normalise them, in plain PyTorch."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, H) to (B, 3, resolution, resolution)."""
        return _normalised(_resized(x, self.resolution), self.mean, self.std)


class ElasticInput(nn.Module):
    """The input block of a supernet, at the resolution that each spec asks for."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, 3, H, H) to (B, 3, spec.out_resolution, spec.out_resolution)."""
        return _normalised(_resized(x, spec.out_resolution), self.mean, self.std)

    def extract(self, spec: BlockSpec) -> Input:
        """The plain input block for one resolution."""
        return Input(self.mean.flatten().tolist(), self.std.flatten().tolist(), spec.out_resolution).to(
            self.mean.device
        )


def _normalised(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (x - mean) / std


def _resized(x: Tensor, side: int) -> Tensor:
    return x if x.shape[-1] == side else F.interpolate(x, size=(side, side), mode="bilinear")


class ConvNorm(nn.Module):
    """Elastic convolution, norm, and the activation that each spec asks for."""

    def __init__(self, largest: LayerSpec, widths: Sequence[int], norm: str, shrink: Shrink = centre) -> None:
        super().__init__()
        self.conv = ElasticConv(largest, shrink)
        self.norm = NORMS[norm](widths)

    def forward(self, x: Tensor, layer: LayerSpec) -> Tensor:
        """(B, layer.in_channels, H, W) to (B, layer.out_channels, H', W')."""
        return ACTIVATIONS[layer.activation](self.norm(self.conv(x, layer)))

    def extract(self, layer: LayerSpec) -> nn.Sequential:
        """The same in plain layers."""
        parts = [self.conv.extract(layer), self.norm.extract(layer.out_channels)]
        if layer.activation != "none":
            parts.append(MODULES[layer.activation]())
        return nn.Sequential(*parts)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return self.conv.input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Put input channel ``order[i]`` at place i."""
        self.conv.reorder_inputs(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Put output channel ``order[i]`` at place i."""
        self.conv.reorder_outputs(order)
        self.norm.reorder(order)


class ElasticStem(nn.Module):
    """A convolution from the image, of fixed width: both towers of a pair share it."""

    def __init__(self, largest: BlockSpec, norm: str) -> None:
        super().__init__()
        conv = largest["conv"]
        self.conv = ConvNorm(conv, [conv.out_channels], norm)

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, 3, H, W) to (B, spec.out_channels, H', W')."""
        return self.conv(x, spec["conv"])

    def extract(self, spec: BlockSpec) -> nn.Sequential:
        """The plain stem."""
        return self.conv.extract(spec["conv"])


class SqueezeExcite(nn.Module):
    """Channel attention in plain layers: pool, squeeze, ReLU, excite, hard sigmoid, scale (MobileNetV3, 5.3)."""

    def __init__(self, squeeze: nn.Conv2d, excite: nn.Conv2d) -> None:
        super().__init__()
        self.squeeze, self.excite = squeeze, excite

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class ElasticSqueezeExcite(nn.Module):
    """Channel attention for any number of channels."""

    def __init__(self, largest: BlockSpec) -> None:
        super().__init__()
        self.squeeze, self.excite = ElasticConv(largest["squeeze"]), ElasticConv(largest["excite"])

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, C, H, W) to the same shape."""
        squeezed = F.relu(self.squeeze(x.mean((2, 3), keepdim=True), spec["squeeze"]))
        return x * F.hardsigmoid(self.excite(squeezed, spec["excite"]))

    def extract(self, spec: BlockSpec) -> SqueezeExcite:
        """The same in plain layers."""
        return SqueezeExcite(self.squeeze.extract(spec["squeeze"]), self.excite.extract(spec["excite"]))

    def sort_inside(self) -> None:
        """The squeezed channels, by the weights that read them."""
        order = by_importance(self.excite.input_importance())
        self.squeeze.reorder_outputs(order)
        self.excite.reorder_inputs(order)

    def reorder(self, order: Tensor) -> None:
        """Put channel ``order[i]`` at place i."""
        self.squeeze.reorder_inputs(order)
        self.excite.reorder_outputs(order)


class Residual(nn.Module):
    """``x + body(x)`` in plain layers."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.body(x)


class ElasticMBConv(nn.Module):
    """MobileNetV3's inverted residual block, elastic in width, kernel and expansion.

    Args:
        largest: the block that contains all others.
        widths: every number of channels that each layer may give, for switchable norms.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
        shrink: how smaller depthwise kernels follow from the largest.
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

    def extract(self, spec: BlockSpec) -> nn.Module:
        """The same in plain layers."""
        body = nn.Sequential()
        if self.expand and "expand" in spec:
            body.append(self.expand.extract(spec["expand"]))
        body.append(self.depthwise.extract(spec["depthwise"]))
        if self.squeeze_excite and spec.squeeze_excite:
            body.append(self.squeeze_excite.extract(spec))
        body.append(self.project.extract(spec["project"]))
        return Residual(body) if spec.residual else body

    def sort_inside(self) -> None:
        """The expanded channels, by the weights of the projection that reads them (OFA, section 3)."""
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
        """Put input channel ``order[i]`` at place i; where nothing expands them, they are the hidden ones too."""
        if self.expand:
            self.expand.reorder_inputs(order)
        else:
            self._reorder_hidden(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Put output channel ``order[i]`` at place i."""
        self.project.reorder_outputs(order)

    def _reorder_hidden(self, order: Tensor) -> None:
        if self.expand:
            self.expand.reorder_outputs(order)
        self.depthwise.reorder_outputs(order)
        if self.squeeze_excite:
            self.squeeze_excite.reorder(order)
        self.project.reorder_inputs(order)


class ElasticHead(nn.Module):
    """Widen 1 x 1, average over the map, classify."""

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

    def extract(self, spec: BlockSpec) -> nn.Sequential:
        """The same in plain layers."""
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(self.widen.extract(spec["widen"]), pool, self.classify.extract(spec["classify"]))

    def sort_inside(self) -> None:
        """The features, by the weights of the classifier that reads them."""
        order = by_importance(self.classify.input_importance())
        self.widen.reorder_outputs(order)
        self.classify.reorder_inputs(order)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return self.widen.input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Put input channel ``order[i]`` at place i."""
        self.widen.reorder_inputs(order)
