"""The universal inverted bottleneck and the head behind it, elastic. Each runs and extracts what a spec asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from duonas.core.block import BlockSpec, LayerSpec
from duonas.layers.blocks import ACTIVATIONS, MODULES, ConvNorm, Residual, Widths
from duonas.layers.elastic import ElasticLinear, KernelTransform, centre
from duonas.layers.sorting import by_importance

Kernels = Mapping[str, Sequence[int]]  # of "first" and "second": the values of the axis, 0 for none


class ElasticUIB(nn.Module):
    """MobileNetV4's universal inverted bottleneck, elastic in width and in its two depthwise convolutions.

    Either may be missing, so a block is an Extra DW, an IB, a ConvNext-like or an FFN (``duonas.core.uib``).

    Args:
        largest: the block that contains all others.
        widths: every number of channels that each layer may give, for switchable norms.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
        kernels: that the depthwise convolutions may have.
        kernel_transform: whether smaller kernels are learned maps of the larger ones' centres, not those centres.
    """

    def __init__(
        self, largest: BlockSpec, widths: Widths, norm: str, kernels: Kernels, kernel_transform: bool = False
    ) -> None:
        super().__init__()

        def depthwise(place: str) -> ConvNorm | None:
            if place not in largest:
                return None
            sides = [side for side in kernels[place] if side]
            shrink = KernelTransform(sides) if kernel_transform and len(sides) > 1 else centre
            return ConvNorm(largest[place], widths[place], norm, shrink)

        self.kernels = kernels
        self.first = depthwise("first")
        self.expand = ConvNorm(largest["expand"], widths["expand"], norm) if "expand" in largest else None
        self.second = depthwise("second")
        self.project = ConvNorm(largest["project"], widths["project"], norm)
        if largest.residual:
            self.project.norm.zero_weight()

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, spec.in_channels, H, W) to (B, spec.out_channels, H', W')."""
        out = x
        for layer in spec.layers:
            out = self._layer(layer.name)(out, layer)
        return x + out if spec.residual else out

    def mixed(self, x: Tensor, spec: BlockSpec, mixture: Mapping[str, Tensor]) -> Tensor:
        """Every form at once: in each depthwise place the sum over its kernels, weighted (paper T, equation 5).

        Kernel 0 passes on what it got, every ``stride``-th pixel of it. Where a mixture holds one kernel alone in both
        places, this is what the block with these two gives.

        Args:
            x: (B, spec.in_channels, H, W).
            spec: the largest block.
            mixture: the probabilities (V,) of the V kernels, by axis: ``stage1.block0.first`` and ``.second``.
        """
        axis = spec.name.replace("_", ".")
        out = self._blended(x, spec, "first", mixture[f"{axis}.first"])
        out = self.expand(out, spec["expand"]) if self.expand else out
        out = self._blended(out, spec, "second", mixture[f"{axis}.second"])
        out = self.project(out, spec["project"])
        return x + out if spec.residual else out

    def _blended(self, x: Tensor, spec: BlockSpec, place: str, weights: Tensor) -> Tensor:
        if place not in spec:
            return x
        layer, depthwise = spec[place], self._layer(place)
        passed = x[..., :: layer.stride, :: layer.stride]
        terms = [
            weight * (depthwise(x, replace(layer, kernel=kernel)) if kernel else passed)
            for weight, kernel in zip(weights, self.kernels[place], strict=True)
        ]
        return sum(terms[1:], terms[0])

    def _layer(self, name: str) -> ConvNorm:
        layer: ConvNorm = getattr(self, name)
        return layer

    def extract(self, spec: BlockSpec) -> nn.Module:
        """The same in plain layers."""
        body = nn.Sequential(*(self._layer(layer.name).extract(layer) for layer in spec.layers))
        return Residual(body) if spec.residual else body

    def sort_inside(self) -> None:
        """The expanded channels, by the weights of the projection that reads them (OFA, section 3)."""
        if self.expand:
            order = by_importance(self.project.input_importance())
            self.expand.reorder_outputs(order)
            self._reorder_hidden(order)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights of the 1 x 1 convolution that reads each input channel (C,)."""
        return (self.expand or self.project).input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Put input channel ``order[i]`` at place i; where nothing expands them, they are the hidden ones too."""
        if self.first:
            self.first.reorder_outputs(order)
        if self.expand:
            self.expand.reorder_inputs(order)
        else:
            self._reorder_hidden(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Put output channel ``order[i]`` at place i."""
        self.project.reorder_outputs(order)

    def _reorder_hidden(self, order: Tensor) -> None:
        if self.second:
            self.second.reorder_outputs(order)
        self.project.reorder_inputs(order)


class ElasticDeepHead(nn.Module):
    """MobileNetV3's head: widen 1 x 1, average over the map, a hidden layer, classify; elastic in what it reads."""

    def __init__(self, largest: BlockSpec, norm: str) -> None:
        super().__init__()
        self.widen = ConvNorm(largest["widen"], [largest["widen"].out_channels], norm)
        self.hidden = ElasticLinear(largest["hidden"])
        self.classify = ElasticLinear(largest["classify"])

    def forward(self, x: Tensor, spec: BlockSpec, feature_mask: Tensor | None = None) -> Tensor:
        """(B, spec.in_channels, H, W) to logits (B, K); a mask (B, F) multiplies the hidden features (dropout)."""
        hidden: LayerSpec = spec["hidden"]
        features = self.hidden(self.widen(x, spec["widen"]).mean((2, 3)), hidden)
        features = ACTIVATIONS[hidden.activation](features)
        if feature_mask is not None:
            features = features * feature_mask
        out: Tensor = self.classify(features, spec["classify"])
        return out

    def extract(self, spec: BlockSpec) -> nn.Sequential:
        """The same in plain layers."""
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        hidden = nn.Sequential(self.hidden.extract(spec["hidden"]), MODULES[spec["hidden"].activation]())
        return nn.Sequential(self.widen.extract(spec["widen"]), pool, hidden, self.classify.extract(spec["classify"]))

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return self.widen.input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Put input channel ``order[i]`` at place i."""
        self.widen.reorder_inputs(order)
