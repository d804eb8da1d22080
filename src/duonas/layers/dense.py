"""Elastic blocks of dense convolutions: EfficientNetV2's fused inverted residual, ResNet's basic block."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from duonas.core.block import BlockSpec
from duonas.layers.blocks import FUNCTIONS, ConvNorm, ElasticSqueezeExcite, Widths
from duonas.layers.elastic import ElasticBlock, KernelTransform, by_importance, centre


class ElasticDense(ElasticBlock):
    """ResNet's basic block with one convolution or two, elastic in width, kernel and expansion.

    Args:
        largest: the block that contains all others.
        widths: every number of output channels of each layer, for switchable norms.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
        transformed: kernel sizes, if smaller kernels are learned maps of the centres of larger ones; else empty.
    """

    def __init__(self, largest: BlockSpec, widths: Widths, norm: str, transformed: tuple[int, ...] = ()) -> None:
        super().__init__()

        def convolution(name: str) -> ConvNorm:
            elastic = transformed and largest[name].kernel > 1
            return ConvNorm(largest[name], widths[name], norm, KernelTransform(transformed) if elastic else centre)

        self.expand = convolution("expand") if "expand" in largest else None
        self.project = convolution("project")
        if largest.residual:
            self.project.norm.zero_weight()

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, spec.in_channels, H, W) to (B, spec.out_channels, H', W')."""
        out = self.project(self.hidden(x, spec), spec["project"])
        return FUNCTIONS[spec.activation](x + out if spec.residual else out)

    def hidden(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, spec.in_channels, H, W) to what the last convolution reads, (B, C, H', W')."""
        return self.expand(x, spec["expand"]) if self.expand and "expand" in spec else x

    def sort_inside(self) -> None:
        """Sort the hidden channels by the weights of the convolution that reads them (OFA, section 3)."""
        if self.expand:
            self.reorder_hidden(by_importance(self.project.input_importance()))

    def reorder_hidden(self, order: Tensor) -> None:
        """Move hidden channel ``order[i]`` to place i."""
        assert self.expand
        self.expand.reorder_outputs(order)
        self.project.reorder_inputs(order)

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return (self.expand or self.project).input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i."""
        (self.expand or self.project).reorder_inputs(order)

    def reorder_outputs(self, order: Tensor) -> None:
        """Move output channel ``order[i]`` to place i."""
        self.project.reorder_outputs(order)


class ElasticFused(ElasticDense):
    """EfficientNetV2's fused inverted residual, elastic like a basic block; its projection is 1 x 1 and linear."""

    def __init__(self, largest: BlockSpec, widths: Widths, norm: str, transformed: tuple[int, ...] = ()) -> None:
        super().__init__(largest, widths, norm, transformed)
        self.squeeze_excite = ElasticSqueezeExcite(largest) if largest.squeeze_excite else None

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, spec.in_channels, H, W) to (B, spec.out_channels, H', W')."""
        out = self.hidden(x, spec)
        if self.squeeze_excite and spec.squeeze_excite:
            out = self.squeeze_excite(out, spec)
        out = self.project(out, spec["project"])
        return x + out if spec.residual else out

    def layer(self, name: str) -> Any:
        """The elastic layer of that name, also of the channel attention."""
        return getattr(self.squeeze_excite if name in ("squeeze", "excite") else self, name)

    def sort_inside(self) -> None:
        """Sort the hidden channels by the weights of the projection, then the squeezed ones."""
        super().sort_inside()
        if self.squeeze_excite:
            self.squeeze_excite.sort_inside()

    def reorder_hidden(self, order: Tensor) -> None:
        """Move hidden channel ``order[i]`` to place i."""
        super().reorder_hidden(order)
        if self.squeeze_excite:
            self.squeeze_excite.reorder(order)
