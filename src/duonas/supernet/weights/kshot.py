"""K-shot weights: each convolution is a mix of K kernels, by coefficients made from the arch (Su et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec
from duonas.layers.generated import Code, Generator, drawn, he_deviation, linear

HIDDEN = 64  # units of the small network that makes the coefficients


class Kshot(Generator):
    """A dictionary of kernels for each convolution, mixed by one simplex code for the whole arch (section 3).

    Args:
        blocks: with every layer that some arch has.
        tokens: the shape (A, V) of an arch's encoding.
        size: K, kernels in the dictionary.
        rng: where the first weights come from.
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
        """Coefficients (K,) alone."""
        return Code(self.softmax(self.simplex(F.relu(self.hidden(tokens.flatten())))))

    def weight(self, key: str, code: Code) -> Tensor:
        """The mix (O, I, K, K) of a convolution's kernels."""
        return (code.coefficients @ self.kernels[key]).view(self.shapes[key])
