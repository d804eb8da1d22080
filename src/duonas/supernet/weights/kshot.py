"""K-shot weights: each convolution is a weighted sum of K kernels by the arch (Su et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec
from duonas.core.fields import Count
from duonas.core.space import SearchSpace
from duonas.supernet.arch_weights import ArchWeights
from duonas.supernet.generator import (
    LARGE,
    Code,
    Generator,
    Wanted,
    alike,
    drawn,
    he_deviation,
    linear,
    stacked,
)
from duonas.supernet.options import WeightsOptions

HIDDEN = 64  # hidden units of the network that computes the coefficients


class Kshot(ArchWeights):
    """A dictionary of kernels for each convolution, whose coefficients depend on the arch (Su et al. 2021)."""

    @dataclass(frozen=True)
    class Options(WeightsOptions):
        """Keys of ``[space.weights]``."""

        name: str = "kshot"
        dictionary: Count = 12
        """Kernels in the dictionary of each convolution."""

    def generator(self, space: SearchSpace, rng: np.random.Generator) -> KshotGenerator:
        """The dictionaries and the network that computes the coefficients."""
        return KshotGenerator(space.whole(), space.tokens_shape, self.options.dictionary, rng)


class KshotGenerator(Generator):
    """A dictionary of kernels for each convolution, with the same coefficients for the whole arch (section 3).

    Args:
        blocks: see ``SearchSpace.whole``.
        tokens: the shape (A, V) of an arch's encoding.
        size: K, kernels in the dictionary.
        rng: for initialisation.
    """

    def __init__(
        self, blocks: Iterable[BlockSpec], tokens: tuple[int, int], size: int, rng: np.random.Generator
    ) -> None:
        super().__init__(blocks)
        self.hidden, self.simplex = linear(rng, tokens[0] * tokens[1], HIDDEN), linear(rng, HIDDEN, size)
        self.kernels = nn.ParameterDict()
        for key, shape in self.shapes.items():
            self.kernels[key] = drawn(rng, size, prod(shape))
            with torch.no_grad():
                self.kernels[key].mul_(he_deviation(shape))

    def code(self, tokens: Tensor) -> Code:
        """The coefficients (..., K) of archs (..., A, V)."""
        return Code(self.softmax(self.simplex(F.relu(self.hidden(tokens.flatten(-2))))))

    def codes(self, tokens: Tensor) -> Code:
        """The coefficients (B, K)."""
        return self.code(tokens)

    def weight(self, key: str, code: Code) -> Tensor:
        """The weighted sum (O, I, K, K) of a convolution's kernels."""
        return (code.coefficients @ self.kernels[key]).view(self.shapes[key])

    def weights(self, wanted: Sequence[Wanted], codes: Code) -> list[Tensor]:
        """The weighted sums of each group of convolutions by one product."""
        found: list[Tensor] = [torch.empty(0)] * len(wanted)
        large = [key for key, kernels in self.kernels.items() if kernels.numel() >= LARGE]
        for group in alike(wanted, self.shapes, large):
            made = codes.of(group.archs).coefficients @ stacked([self.kernels[key] for key in group.keys])
            for place, weight in zip(group.places, made.flatten(0, 1).unbind(), strict=True):
                found[place] = weight.view(self.shapes[group.keys[0]])
        return found
