"""MobileNetV3's head as an elastic block."""

from __future__ import annotations

from torch import Tensor, nn

from duonas.core.block import BlockSpec, LayerSpec
from duonas.layers.blocks import FUNCTIONS, ConvNorm
from duonas.layers.elastic import ElasticBlock, ElasticLinear


class ElasticDeepHead(ElasticBlock):
    """MobileNetV3's or MobileNetV4's head, elastic in its input channels."""

    def __init__(self, largest: BlockSpec, norm: str) -> None:
        super().__init__()
        self.widen = ConvNorm(largest["widen"], [largest["widen"].out_channels], norm)
        hidden = largest["hidden"]
        self.hidden: nn.Module = (
            ConvNorm(hidden, [hidden.out_channels], norm) if hidden.kind == "conv" else ElasticLinear(hidden)
        )
        self.classify = ElasticLinear(largest["classify"])

    def forward(self, x: Tensor, spec: BlockSpec, feature_mask: Tensor | None = None) -> Tensor:
        """(B, spec.in_channels, H, W) to logits (B, K); a mask (B, F) multiplies the hidden features (dropout)."""
        features = self._hidden(self.widen(x, spec["widen"]).mean((2, 3), keepdim=True), spec["hidden"])
        if feature_mask is not None:
            features = features * feature_mask
        out: Tensor = self.classify(features, spec["classify"])
        return out

    def _hidden(self, pooled: Tensor, layer: LayerSpec) -> Tensor:
        """(B, C, 1, 1) to (B, F)."""
        if layer.kind == "conv":
            out: Tensor = self.hidden(pooled, layer).flatten(1)
            return out
        return FUNCTIONS[layer.activation](self.hidden(pooled.flatten(1), layer))

    def input_importance(self) -> Tensor:
        """The L1 norm of the weights that read each input channel (C,)."""
        return self.widen.input_importance()

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i."""
        self.widen.reorder_inputs(order)
