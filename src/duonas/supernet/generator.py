"""Convolution weights that are generated for each arch from its encoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec, LayerSpec
from duonas.layers.elastic import LayerWithWeight


@dataclass(frozen=True)
class Code:
    """The code of an arch: coefficients lambda (N,), and features z (h, h) or ``None``."""

    coefficients: Tensor
    features: Tensor | None = None

    def with_averaged_gradients(self, layers: int) -> Code:
        """This code with gradients that are divided by the number of layers that read it.

        The sum of all layers' gradients would change the code too much in a step.
        """
        factor = 1 / max(1, layers)
        features = None if self.features is None else _with_scaled_gradient(self.features, factor)
        return Code(_with_scaled_gradient(self.coefficients, factor), features)


class Generator(nn.Module, ABC):
    """Generates the weights of an arch's convolutions at each use of the arch.

    The stem, which both networks of a pair share, and linear layers have ordinary weights.

    Args:
        blocks: see ``SearchSpace.whole``.

    The buffer ``sharpness`` multiplies the logits of the coefficients: 0 makes all coefficients equal, as in the
    warm-up of K-shot NAS. Training sets it before every step; it is 1 after the warm-up, and is not saved.
    """

    sharpness: Tensor
    lr_factor: float = 1.0  # the learning rate of the weights that ``scaled`` returns, in multiples of all others'

    def __init__(self, blocks: Iterable[BlockSpec]) -> None:
        super().__init__()
        self.register_buffer("sharpness", torch.ones(()), persistent=False)
        self.shapes = {
            key_of(block, layer): (layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel)
            for block, layer in _convolutions(blocks)
        }

    @abstractmethod
    def code(self, tokens: Tensor) -> Code:
        """The code of an arch from its encoding (A, V): a row of V probabilities for each of A axes."""

    @abstractmethod
    def weight(self, key: str, code: Code) -> Tensor:
        """The weights (O, I, K, K) of one convolution at its largest size; ``key`` is a key of ``shapes``."""

    def start_from(self, kernels: Mapping[str, Tensor]) -> None:
        """Start from the weights (O, I, K, K) of convolutions that all archs share, by the keys of ``shapes``.

        Only called where ``ArchWeights.origin`` names a run; a generator with such an option overrides this.
        """
        raise TypeError(f"{type(self).__name__} does not say how to start from shared weights: override start_from.")

    def scaled(self) -> list[nn.Parameter]:
        """The weights that are trained with ``lr_factor`` times the learning rate."""
        return list(self.parameters())

    def fill(self, blocks: Sequence[BlockSpec], tokens: Tensor) -> list[BlockSpec]:
        """Add the generated weights to the convolutions of an arch.

        Args:
            blocks: of the arch.
            tokens: its encoding (A, V).
        """
        layers = sum(key_of(block, layer) in self.shapes for block in blocks for layer in block.layers)
        with torch.autocast(tokens.device.type, enabled=False):
            code = self.code(tokens).with_averaged_gradients(layers)
            return [self._filled(block, code) for block in blocks]

    def _filled(self, block: BlockSpec, code: Code) -> BlockSpec:
        if not any(key_of(block, layer) in self.shapes for layer in block.layers):
            return block
        return replace(block, layers=tuple(self._with_weight(block, layer, code) for layer in block.layers))

    def _with_weight(self, block: BlockSpec, layer: LayerSpec, code: Code) -> LayerSpec:
        key = key_of(block, layer)
        return LayerWithWeight(**vars(layer), weight=self.weight(key, code)) if key in self.shapes else layer

    def softmax(self, logits: Tensor) -> Tensor:
        """The coefficients (N,) of logits (N,)."""
        return (logits * self.sharpness).softmax(0)


def he_deviation(shape: tuple[int, ...]) -> float:
    """He's standard deviation over the fan-out for weights (O, I, K, K), as in ``layers.init.initialise``."""
    filters = 1 if shape[1] == 1 else shape[0]
    return float((2 / (filters * shape[2] * shape[3])) ** 0.5)


def fan_in_deviation(shape: tuple[int, ...]) -> float:
    """He's standard deviation over the fan-in for weights (O, I, K, K)."""
    return float((2 / (shape[1] * shape[2] * shape[3])) ** 0.5)


def drawn(rng: np.random.Generator, *shape: int) -> nn.Parameter:
    """A parameter drawn from a standard normal distribution."""
    return nn.Parameter(torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)))


def linear(rng: np.random.Generator, ins: int, outs: int) -> nn.Linear:
    """A linear layer with random weights and zero bias."""
    layer = nn.utils.skip_init(nn.Linear, ins, outs)
    with torch.no_grad():
        layer.weight.copy_(drawn(rng, outs, ins) / ins**0.5)
        layer.bias.zero_()
    return layer


def _with_scaled_gradient(values: Tensor, factor: float) -> Tensor:
    return values.detach() + factor * (values - values.detach())


def _convolutions(blocks: Iterable[BlockSpec]) -> Iterator[tuple[BlockSpec, LayerSpec]]:
    for block in blocks:
        for layer in block.layers:
            if layer.kind == "conv" and block.stage > 0:
                yield block, layer


def key_of(block: BlockSpec, layer: LayerSpec) -> str:
    """The key of a convolution in ``Generator.shapes``."""
    return f"{block.name}:{layer.name}"
