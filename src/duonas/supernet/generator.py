"""Convolution weights that are generated for each arch from its encoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec, LayerSpec
from duonas.layers.elastic import LayerWithWeight

Wanted = tuple[str, int]  # the key of a convolution, and the number of an arch that has it
LARGE = 1 << 16  # numbers of a convolution from which on copying them costs more than several products


@dataclass(frozen=True)
class Code:
    """The code of an arch: coefficients lambda (N,), and features z (h, h) or ``None``; or of B, stacked."""

    coefficients: Tensor
    features: Tensor | None = None

    @classmethod
    def stack(cls, codes: Sequence[Code]) -> Code:
        """The codes of B archs as one."""
        features = [code.features for code in codes if code.features is not None]
        return cls(torch.stack([code.coefficients for code in codes]), torch.stack(features) if features else None)

    def __getitem__(self, place: int) -> Code:
        """The code of one of the archs."""
        return Code(self.coefficients[place], None if self.features is None else self.features[place])

    def of(self, archs: Sequence[Sequence[int]]) -> Code:
        """The codes of some archs by their numbers (L, B), as coefficients (L, B, N) and features (L, B, h, h)."""
        shape = len(archs), len(archs[0])
        chosen = torch.tensor([arch for row in archs for arch in row], device=self.coefficients.device)

        def taken(values: Tensor) -> Tensor:
            inner = values.shape[1:]
            if len(values) == 1:  # whose gradient is a sum
                return values.expand(*shape, *inner)
            return values.index_select(0, chosen).view(*shape, *inner)

        return Code(taken(self.coefficients), None if self.features is None else taken(self.features))

    def with_averaged_gradients(self, layers: Sequence[int]) -> Code:
        """These codes with gradients that are divided by the number of layers that read each.

        The sum of all layers' gradients would change the code too much in a step.
        """
        factors = torch.tensor([1 / max(1, count) for count in layers], device=self.coefficients.device)
        features = None if self.features is None else _with_scaled_gradient(self.features, factors[:, None, None])
        return Code(_with_scaled_gradient(self.coefficients, factors[:, None]), features)


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

    def codes(self, tokens: Tensor) -> Code:
        """The codes of B archs from their encodings (B, A, V); a generator may override this to make them at once."""
        return Code.stack([self.code(each) for each in tokens])

    def weights(self, wanted: Sequence[Wanted], codes: Code) -> list[Tensor]:
        """The weights of some convolutions of some archs; a generator may override this to make them at once.

        Args:
            wanted: the key of each convolution, and the number of its arch.
            codes: of the archs.
        """
        each = [codes[arch] for arch in range(len(codes.coefficients))]
        return [self.weight(key, each[arch]) for key, arch in wanted]

    def fill(self, archs: Sequence[Sequence[BlockSpec]], tokens: Tensor) -> list[list[BlockSpec]]:
        """Add the generated weights to the convolutions of archs, all in one pass.

        Args:
            archs: the blocks of each of B archs.
            tokens: their encodings (B, A, V).
        """
        layers = [[key for block in blocks for key in self._keys(block)] for blocks in archs]
        wanted = [(key, number) for number, keys in enumerate(layers) for key in keys]
        with torch.autocast(tokens.device.type, enabled=False):
            codes = self.codes(tokens).with_averaged_gradients([len(keys) for keys in layers])
            made = iter(self.weights(wanted, codes))
        return [[self._filled(block, made) for block in blocks] for blocks in archs]

    def _keys(self, block: BlockSpec) -> list[str]:
        return [key for layer in block.layers if (key := key_of(block, layer)) in self.shapes]

    def _filled(self, block: BlockSpec, made: Iterator[Tensor]) -> BlockSpec:
        keys = self._keys(block)
        if not keys:
            return block
        layers = (
            LayerWithWeight(**vars(layer), weight=next(made)) if key_of(block, layer) in keys else layer
            for layer in block.layers
        )
        return replace(block, layers=tuple(layers))

    def softmax(self, logits: Tensor) -> Tensor:
        """The coefficients (..., N) of logits (..., N)."""
        return (logits * self.sharpness).softmax(-1)


@dataclass(frozen=True)
class Alike:
    """Convolutions of one shape, each of equally many archs, whose weights are made by the same few products.

    Args:
        keys: of L convolutions.
        archs: (L, B) the numbers of the archs that have them.
        places: (L B,) of their weights among all that are wanted.
    """

    keys: list[str]
    archs: list[list[int]]
    places: list[int]


def alike(wanted: Sequence[Wanted], sizes: Mapping[str, Hashable], apart: Collection[str] = ()) -> list[Alike]:
    """Group convolutions of some archs.

    Args:
        wanted: the key of each convolution, and the number of its arch.
        sizes: what convolutions of a group have in common, by key.
        apart: the keys of those that are large enough to be made each by itself.
    """
    uses: dict[str, list[tuple[int, int]]] = {}
    for place, (key, arch) in enumerate(wanted):
        uses.setdefault(key, []).append((place, arch))
    groups: dict[Hashable, list[str]] = {}
    for key, used in uses.items():
        groups.setdefault((key,) if key in apart else (sizes[key], len(used)), []).append(key)
    return [
        Alike(
            keys,
            [[arch for _, arch in uses[key]] for key in keys],
            [place for key in keys for place, _ in uses[key]],
        )
        for keys in groups.values()
    ]  # fmt: skip


def stacked(values: Sequence[Tensor]) -> Tensor:
    """The tensors as one, without a copy where there is only one."""
    return values[0][None] if len(values) == 1 else torch.stack(list(values))


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


def _with_scaled_gradient(values: Tensor, factor: Tensor) -> Tensor:
    return values.detach() + factor * (values - values.detach())


def _convolutions(blocks: Iterable[BlockSpec]) -> Iterator[tuple[BlockSpec, LayerSpec]]:
    for block in blocks:
        for layer in block.layers:
            if layer.kind == "conv" and block.stage > 0:
                yield block, layer


def key_of(block: BlockSpec, layer: LayerSpec) -> str:
    """The key of a convolution in ``Generator.shapes``."""
    return f"{block.name}:{layer.name}"
