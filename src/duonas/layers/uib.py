"""The universal inverted bottleneck as an elastic block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from duonas.core.block import BlockSpec
from duonas.layers.blocks import ConvNorm, Widths
from duonas.layers.elastic import ElasticBlock, KernelTransform, by_importance, centre

Kernels = Mapping[str, Sequence[int]]  # the values of the axes "first" and "second"; 0 for no convolution


class ElasticUIB(ElasticBlock):
    """MobileNetV4's universal inverted bottleneck, elastic in width and in its two depthwise convolutions.

    Either may be missing, so a block is an Extra DW, an IB, a ConvNext-like or an FFN (``duonas.core.uib``).

    Args:
        largest: the block that contains all others.
        widths: every number of output channels of each layer, for switchable norms.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
        kernels: the kernel sizes of the depthwise convolutions.
        kernel_transform: whether smaller kernels are learned maps of the centres of larger ones.
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
            out = self.layer(layer.name)(out, layer)
        return x + out if spec.residual else out

    def mixed(self, x: Tensor, spec: BlockSpec, mixture: Mapping[str, Tensor]) -> Tensor:
        """The output with the weighted sum over kernel sizes in both depthwise places (paper T, equation 5).

        Kernel 0 passes on every ``stride``-th pixel. With a single kernel of probability 1 in both places, the output
        is that of the block with these kernels.

        Args:
            x: (B, spec.in_channels, H, W).
            spec: the largest block.
            mixture: the probabilities (V,) of the kernels, by axis: ``stage1.block0.first`` and ``.second``.
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
        layer, depthwise = spec[place], self.layer(place)
        passed = x[..., :: layer.stride, :: layer.stride]
        terms = [
            weight * (depthwise(x, replace(layer, kernel=kernel)) if kernel else passed)
            for weight, kernel in zip(weights, self.kernels[place], strict=True)
        ]
        return sum(terms[1:], terms[0])

    def sort_inside(self) -> None:
        """Sort the hidden channels by the weights of the projection that reads them (OFA, section 3)."""
        if self.expand:
            order = by_importance(self.project.input_importance())
            self.expand.reorder_outputs(order)
            self._reorder_hidden(order)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights of the 1 x 1 convolution that reads each input channel (C,)."""
        return (self.expand or self.project).input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i; without expansion, they are the hidden channels."""
        if self.first:
            self.first.reorder_outputs(order)
        if self.expand:
            self.expand.reorder_inputs(order)
        else:
            self._reorder_hidden(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Move output channel ``order[i]`` to place i."""
        self.project.reorder_outputs(order)

    def _reorder_hidden(self, order: Tensor) -> None:
        if self.second:
            self.second.reorder_outputs(order)
        self.project.reorder_inputs(order)
