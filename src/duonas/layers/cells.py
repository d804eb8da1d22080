"""The elastic blocks of NAS-Bench-201: cells, the block between stages, the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.cell import EDGES, axis_name, layer_name
from duonas.layers.blocks import ConvNorm
from duonas.layers.elastic import ElasticBlock, ElasticConv, ElasticLinear
from duonas.layers.norm import NORMS
from duonas.layers.plain import WEIGHTLESS, half_pool, through_cell


class ElasticCell(ElasticBlock):
    """The convolutions of all edges; a spec selects those that run.

    Args:
        whole: the cell with the layers of all operations.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
    """

    def __init__(self, whole: BlockSpec, norm: str) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict({layer.name: _conv_norm(layer, norm) for layer in whole.layers})
        self.plain = nn.ModuleDict({name: make() for name, make in WEIGHTLESS.items()})

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return through_cell(x, {edge: self._operation(spec, edge, name) for edge, name in _present(spec)})

    def mixed(self, x: Tensor, spec: BlockSpec, mixture: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of all operations on each edge, (B, C, H, W) to the same shape.

        Args:
            x: the input.
            spec: a cell with the layers of all operations.
            mixture: the probabilities (V,) of its operations, by axis.
        """

        def weighted(edge: int) -> Callable[[Tensor], Tensor]:
            chances = zip(spec.operations, mixture[axis_name(edge)], strict=True)
            terms = [(self._operation(spec, edge, name), chance) for name, chance in chances if name != "none"]
            return lambda x: sum(chance * operation(x) for operation, chance in terms) if terms else torch.zeros_like(x)

        return through_cell(x, {edge: weighted(edge) for edge in range(len(EDGES))})

    def _operation(self, spec: BlockSpec, edge: int, name: str) -> Callable[[Tensor], Tensor]:
        if name in WEIGHTLESS:
            return self.plain[name]
        layer = spec[layer_name(edge, name)]
        return lambda x: self.convolutions[layer.name](F.relu(x), layer)

    def layer(self, name: str) -> Any:
        """The convolution of that name."""
        return self.convolutions[name]


class ElasticBasic(ElasticBlock):
    """ResNet's basic block of stride 2, equal in every arch."""

    def __init__(self, whole: BlockSpec, norm: str) -> None:
        super().__init__()
        self.first, self.second = (_conv_norm(whole[name], norm) for name in ("first", "second"))
        self.pool = half_pool(whole.resolution)
        self.shortcut = ElasticConv(whole["shortcut"])

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, C, H, W) to (B, C', H / 2, W / 2)."""
        out: Tensor = self.second(F.relu(self.first(F.relu(x), spec["first"])), spec["second"])
        return out + self.shortcut(self.pool(x), spec["shortcut"])


class ElasticClassifier(ElasticBlock):
    """Norm, ReLU, global average pooling, classifier; equal in every arch."""

    def __init__(self, whole: BlockSpec, norm: str) -> None:
        super().__init__()
        self.norm = NORMS[norm]([whole.in_channels])
        self.classify = ElasticLinear(whole["classify"])

    def forward(self, x: Tensor, spec: BlockSpec, feature_mask: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to logits (B, K); a mask (B, C) multiplies the pooled features (dropout)."""
        features = F.relu(self.norm(x)).mean((2, 3))
        if feature_mask is not None:
            features = features * feature_mask
        out: Tensor = self.classify(features, spec["classify"])
        return out


def _present(spec: BlockSpec) -> list[tuple[int, str]]:
    return [(edge, name) for edge, name in enumerate(spec.operations) if name != "none"]


def _conv_norm(layer: LayerSpec, norm: str) -> ConvNorm:
    return ConvNorm(layer, [layer.out_channels], norm)
