"""Kshot-Hypernet: weights made from an arch by decomposition, K-shot within it (paper T, sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec
from duonas.layers.generated import Code, Generator, drawn, he_deviation, linear

SQUEEZED = 4  # the coefficient attention's hidden units are a quarter of the coefficients
TOLD_APART = 0.1  # of archs and of the dictionary's entries at first: training begins as with weights that all share
WIDENED = 2  # the mixers' hidden units are twice what comes in


class KshotHypernet(Generator):
    """Features z (h, h) and coefficients lambda (N,) from the arch; each convolution makes its own weights of them.

    A convolution has two linear maps, h to I N and h to O K K, without a hidden activation as in Ha et al. 2016. What
    they give for the n-th entry of the dictionary, w_n, is linear in the first, so the sum over lambda_n w_n is taken
    there: N full kernels are never made, and the cost of a layer is h I N + h h I + h I O K K multiplications.

    Args:
        blocks: with every layer that some arch has.
        tokens: the shape (A, V) of an arch's encoding.
        size: N, entries of the weight dictionary.
        rank: h.
        mixers: MLP-Mixer layers over the encoding.
        rng: where the first weights come from.
    """

    def __init__(
        self,
        blocks: Iterable[BlockSpec],
        tokens: tuple[int, int],
        size: int,
        rank: int,
        mixers: int,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(blocks)
        choices, values = tokens
        self.embed, self.spread = linear(rng, values, rank), linear(rng, choices, rank)
        with torch.no_grad():
            self.embed.weight.mul_(TOLD_APART)
        # Spread before the mixers: behind them z would have rank A, as few as the choices, and so would its weights.
        self.place = drawn(rng, rank, rank)  # which row it is, for all archs alike: they are hardly told apart at first
        self.mixers = nn.Sequential(*(Mixer(rank, rank, rng) for _ in range(mixers)))
        self.norm = nn.LayerNorm(rank)
        self.to_coefficients = linear(rng, rank, size)
        self.attention = CoefficientAttention(size, rank, rng)
        self.first, self.second = nn.ParameterDict(), nn.ParameterDict()
        for key, shape in self.shapes.items():
            outs, ins, side, _ = shape
            self.first[key], self.second[key] = drawn(rng, size, rank * ins), drawn(rng, rank, outs * side * side)
            with torch.no_grad():  # alike at first, whatever the coefficients; what they make has He's deviation
                self.first[key].mul_(TOLD_APART).add_(drawn(rng, rank * ins)).mul_(he_deviation(shape) * rank**-0.5)
                self.second[key].mul_(rank**-0.5)

    def code(self, tokens: Tensor) -> Code:
        """Coefficients (N,) and features (h, h)."""
        mixed = self.mixers(self.spread(self.embed(tokens).T).T + self.place)  # (h, h)
        return Code(self.softmax(self.attention(self.to_coefficients(mixed.T).T)), self.norm(mixed))

    def weight(self, key: str, code: Code) -> Tensor:
        """The weights (O, I, K, K) of one convolution."""
        outs, ins, side, _ = self.shapes[key]
        first = (code.coefficients @ self.first[key]).view(-1, ins)  # (h, I)
        assert code.features is not None
        made = (code.features @ first).T @ self.second[key]  # (I, O K K)
        return made.view(ins, outs, side, side).transpose(0, 1)


class Mixer(nn.Module):
    """An MLP-Mixer layer: across rows, then across their features, each as a residual (Tolstikhin et al. 2021)."""

    def __init__(self, rows: int, features: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.across_rows, self.across_features = _mlp(rows, rng), _mlp(features, rng)
        self.norms = nn.ModuleList([nn.LayerNorm(features), nn.LayerNorm(features)])

    def forward(self, x: Tensor) -> Tensor:
        """(rows, features) to the same shape."""
        x = x + self.across_rows(self.norms[0](x).T).T
        out: Tensor = x + self.across_features(self.norms[1](x))
        return out


class CoefficientAttention(nn.Module):
    """The Coefficient Attention Block: CBAM's channel attention on the N coefficients (section 3.2, figure 4).

    Mean and maximum over a coefficient's features go through one small network; their sum says how much of the
    coefficient passes.
    """

    def __init__(self, size: int, features: int, rng: np.random.Generator) -> None:
        super().__init__()
        squeezed = max(1, size // SQUEEZED)
        self.squeeze, self.excite = linear(rng, size, squeezed), linear(rng, squeezed, size)
        self.sum_up = linear(rng, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, h) to logits (N,)."""
        pooled = torch.stack([x.mean(1), x.amax(1)])
        passes = torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))).sum(0))
        out: Tensor = self.sum_up(x)[:, 0] * passes
        return out


def _mlp(size: int, rng: np.random.Generator) -> nn.Sequential:
    return nn.Sequential(linear(rng, size, WIDENED * size), nn.GELU(), linear(rng, WIDENED * size, size))
