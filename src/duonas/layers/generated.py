"""Convolution weights that are made for each arch from its encoding, in place of weights that all archs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec, LayerSpec


@dataclass(frozen=True)
class GivenLayer(LayerSpec):
    """A convolution with the weights (O, I, K, K) of the largest that it is a part of: an elastic one uses these."""

    weight: Tensor = field(kw_only=True, compare=False)


@dataclass(frozen=True)
class Code:
    """What an arch is made from: coefficients lambda (N,), and features z (h, h) where there are any."""

    coefficients: Tensor
    features: Tensor | None = None

    def moved_by_mean(self, layers: int) -> Code:
        """The same with gradients divided by the number of layers that read it.

        Each layer pulls at what all share; by the sum of their pulls it would move too far in a step for any to follow.
        """
        part = 1 / max(1, layers)
        features = None if self.features is None else _slowed(self.features, part)
        return Code(_slowed(self.coefficients, part), features)


class Generator(nn.Module, ABC):
    """Makes the weights of an arch's convolutions, each once, when the arch is used.

    The stem keeps weights of its own, so that both networks of a pair can share it, and so do linear layers.

    Args:
        blocks: with every layer that some arch has, each as large as it gets.

    ``sharpness`` multiplies what the softmax of the coefficients sees: 0 makes them all equal, as in the warm-up of
    K-shot NAS; it is the training's to set before a step, and 1 when that is over.
    """

    sharpness: float = 1.0

    def __init__(self, blocks: Iterable[BlockSpec]) -> None:
        super().__init__()
        self.shapes = {
            _key(block, layer): (layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel)
            for block, layer in _convolutions(blocks)
        }

    @abstractmethod
    def code(self, tokens: Tensor) -> Code:
        """What is made once for an arch, from its encoding (A, V): a row of V probabilities for each of A choices."""

    @abstractmethod
    def weight(self, key: str, code: Code) -> Tensor:
        """The weights (O, I, K, K) of one convolution, as large as it gets; ``shapes`` holds the keys."""

    def fill(self, blocks: Sequence[BlockSpec], tokens: Tensor) -> list[BlockSpec]:
        """The blocks of an arch with the weights of their convolutions.

        Args:
            blocks: of the arch.
            tokens: its encoding (A, V).
        """
        layers = sum(_key(block, layer) in self.shapes for block in blocks for layer in block.layers)
        with torch.autocast(tokens.device.type, enabled=False):
            code = self.code(tokens).moved_by_mean(layers)
            return [self._filled(block, code) for block in blocks]

    def _filled(self, block: BlockSpec, code: Code) -> BlockSpec:
        if not any(_key(block, layer) in self.shapes for layer in block.layers):
            return block
        return replace(block, layers=tuple(self._given(block, layer, code) for layer in block.layers))

    def _given(self, block: BlockSpec, layer: LayerSpec, code: Code) -> LayerSpec:
        key = _key(block, layer)
        return GivenLayer(**vars(layer), weight=self.weight(key, code)) if key in self.shapes else layer

    def softmax(self, logits: Tensor) -> Tensor:
        """Coefficients (N,) from logits (N,)."""
        return (logits * self.sharpness).softmax(0)


def he_deviation(shape: tuple[int, ...]) -> float:
    """He's deviation over the fan-out for weights (O, I, K, K), as ``layers.init.initialise`` has it."""
    filters = 1 if shape[1] == 1 else shape[0]
    return float((2 / (filters * shape[2] * shape[3])) ** 0.5)


def drawn(rng: np.random.Generator, *shape: int) -> nn.Parameter:
    """A parameter of that shape from a standard normal distribution."""
    return nn.Parameter(torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)))


def linear(rng: np.random.Generator, ins: int, outs: int) -> nn.Linear:
    """A linear layer with weights from ``rng``, its bias zero."""
    layer = nn.utils.skip_init(nn.Linear, ins, outs)
    with torch.no_grad():
        layer.weight.copy_(drawn(rng, outs, ins) / ins**0.5)
        layer.bias.zero_()
    return layer


def _slowed(values: Tensor, part: float) -> Tensor:
    """The same values, with a part of their gradient."""
    return values.detach() + part * (values - values.detach())


def _convolutions(blocks: Iterable[BlockSpec]) -> Iterator[tuple[BlockSpec, LayerSpec]]:
    for block in blocks:
        for layer in block.layers:
            if layer.kind == "conv" and block.stage > 0:
                yield block, layer


def _key(block: BlockSpec, layer: LayerSpec) -> str:
    return f"{block.name}:{layer.name}"
