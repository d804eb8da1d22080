"""Generated weights that gather the gradients of several networks before these go on to the generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from duonas.core.block import BlockSpec, LayerSpec
from duonas.layers.elastic import LayerWithWeight


class Leaves:
    """Copies of weights, without the graph that made them, each of which gathers a gradient of its own."""

    def __init__(self) -> None:
        self._of: list[tuple[Tensor, Tensor]] = []  # a generated weight, and its leaf

    def cut(self, blocks: Sequence[BlockSpec]) -> list[BlockSpec]:
        """The blocks of a network with leaves in place of generated weights."""
        return [replace(block, layers=tuple(map(self._cut, block.layers))) for block in blocks]

    def pass_on(self) -> None:
        """Hand the gradients on to what made the weights, in one backward pass."""
        used = [(weight, leaf.grad) for weight, leaf in self._of if leaf.grad is not None]
        if used:
            torch.autograd.backward([weight for weight, _ in used], [gradient for _, gradient in used])

    def _cut(self, layer: LayerSpec) -> LayerSpec:
        if not isinstance(layer, LayerWithWeight) or not layer.weight.requires_grad:
            return layer
        leaf = layer.weight.detach().requires_grad_()
        self._of.append((layer.weight, leaf))
        return replace(layer, weight=leaf)
