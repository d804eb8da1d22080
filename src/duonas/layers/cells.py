"""Cells and what stands around them in NAS-Bench-201: the block between stages, the head. Elastic, and extracted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.cell import EDGES, NODES, axis_name, layer_name
from duonas.layers.blocks import ConvNorm
from duonas.layers.elastic import ElasticConv, ElasticLinear
from duonas.layers.norm import NORMS


def through_cell(x: Tensor, operations: Mapping[int, Callable[[Tensor], Tensor]]) -> Tensor:
    """The last node of a cell for (B, C, H, W), of the same shape; edges without an operation are not there."""
    nodes = [x]
    for node in range(1, NODES):
        inputs = [(edge, source) for edge, (source, end) in enumerate(EDGES) if end == node and edge in operations]
        terms = [operations[edge](nodes[source]) for edge, source in inputs]
        nodes.append(sum(terms[1:], terms[0]) if terms else torch.zeros_like(x))
    return nodes[-1]


class Cell(nn.Module):
    """A cell in plain layers, one for each edge that has an operation."""

    def __init__(self, operations: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({str(edge): operation for edge, operation in operations.items()})

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return through_cell(x, {int(edge): operation for edge, operation in self.edges.items()})


class ElasticCell(nn.Module):
    """The convolutions of every edge; each spec says which of them run.

    Args:
        whole: the cell with all layers that there are.
        norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``.
    """

    def __init__(self, whole: BlockSpec, norm: str) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict({layer.name: _conv_norm(layer, norm) for layer in whole.layers})
        self.plain = nn.ModuleDict({name: make() for name, make in PLAIN.items()})

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, C, H, W) to the same shape."""

        return through_cell(x, {edge: self._operation(spec, edge, name) for edge, name in _present(spec)})

    def mixed(self, x: Tensor, spec: BlockSpec, mixture: Mapping[str, Tensor]) -> Tensor:
        """All operations on each edge, (B, C, H, W) to the same shape.

        Args:
            x: what enters.
            spec: a whole cell: it has the layers of all operations.
            mixture: by axis, a probability for each of the whole cell's operations (V,).
        """

        def weighted(edge: int) -> Callable[[Tensor], Tensor]:
            chances = zip(spec.operations, mixture[axis_name(edge)], strict=True)
            terms = [(self._operation(spec, edge, name), chance) for name, chance in chances if name != "none"]
            return lambda x: sum(chance * operation(x) for operation, chance in terms) if terms else torch.zeros_like(x)

        return through_cell(x, {edge: weighted(edge) for edge in range(len(EDGES))})

    def _operation(self, spec: BlockSpec, edge: int, name: str) -> Callable[[Tensor], Tensor]:
        if name in PLAIN:
            return self.plain[name]
        layer = spec[layer_name(edge, name)]
        return lambda x: self.convolutions[layer.name](F.relu(x), layer)

    def extract(self, spec: BlockSpec) -> Cell:
        """The same in plain layers."""

        def operation(edge: int, name: str) -> nn.Module:
            if name in PLAIN:
                return PLAIN[name]()
            layer = spec[layer_name(edge, name)]
            return _after_relu(self.convolutions[layer.name], layer)

        return Cell({edge: operation(edge, name) for edge, name in _present(spec)})


class WithShortcut(nn.Module):
    """``body(x) + shortcut(x)`` in plain layers."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / 2, W / 2)."""
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


class ElasticBasic(nn.Module):
    """ResNet's basic block of stride 2, the same in every arch."""

    def __init__(self, whole: BlockSpec, norm: str) -> None:
        super().__init__()
        self.first, self.second = (_conv_norm(whole[name], norm) for name in ("first", "second"))
        self.pool = _halved(whole)
        self.shortcut = ElasticConv(whole["shortcut"])

    def forward(self, x: Tensor, spec: BlockSpec) -> Tensor:
        """(B, C, H, W) to (B, C', H / 2, W / 2)."""
        out: Tensor = self.second(F.relu(self.first(F.relu(x), spec["first"])), spec["second"])
        return out + self.shortcut(self.pool(x), spec["shortcut"])

    def extract(self, spec: BlockSpec) -> WithShortcut:
        """The same in plain layers."""
        body = nn.Sequential(_after_relu(self.first, spec["first"]), _after_relu(self.second, spec["second"]))
        return WithShortcut(body, nn.Sequential(_halved(spec), self.shortcut.extract(spec["shortcut"])))


class ElasticClassifier(nn.Module):
    """Norm, ReLU, average over the map, classify; the same in every arch."""

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

    def extract(self, spec: BlockSpec) -> nn.Sequential:
        """The same in plain layers."""
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        classify = self.classify.extract(spec["classify"])
        return nn.Sequential(self.norm.extract(spec.in_channels), nn.ReLU(), pool, classify)


# The operations without weights; an edge with "none" is left out.
PLAIN: dict[str, Callable[[], nn.Module]] = {
    "skip_connect": nn.Identity,
    "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}


def _present(spec: BlockSpec) -> list[tuple[int, str]]:
    return [(edge, name) for edge, name in enumerate(spec.operations) if name != "none"]


def _conv_norm(layer: LayerSpec, norm: str) -> ConvNorm:
    return ConvNorm(layer, [layer.out_channels], norm)


def _after_relu(conv_norm: Any, layer: LayerSpec) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *conv_norm.extract(layer))


def _halved(spec: BlockSpec) -> nn.AvgPool2d:
    """Average 2 x 2; of a map with an odd side the last row and column by themselves, as a convolution sees them."""
    return nn.AvgPool2d(2, ceil_mode=spec.resolution % 2 == 1)
