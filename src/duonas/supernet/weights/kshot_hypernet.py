"""Kshot-Hypernet: weights generated from an arch by a decomposition with K-shot (paper T, sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.block import BlockSpec
from duonas.core.fields import Count, Location, Positive
from duonas.core.space import SearchSpace
from duonas.supernet.arch_weights import ArchWeights
from duonas.supernet.generator import (
    LARGE,
    Code,
    Generator,
    Wanted,
    alike,
    drawn,
    fan_in_deviation,
    he_deviation,
    linear,
    stacked,
)
from duonas.supernet.options import WeightsOptions

SQUEEZED = 4  # the coefficient attention's hidden units are a quarter of the coefficients
SPREAD = 0.1  # initial differences between archs and entries are small, as if all archs shared weights
WORDS = ("plain", "shared")  # values of ``start`` that are no run
WIDENED = 2  # the mixers' hidden units are twice their inputs


class KshotHypernet(ArchWeights):
    """Weights generated for each arch from its encoding and a dictionary (paper T, section 3)."""

    @dataclass(frozen=True)
    class Options(WeightsOptions):
        """Keys of ``[space.weights]``."""

        name: str = "kshot-hypernet"
        dictionary: Count = 64
        """N, the entries of the weight dictionary."""
        rank: Annotated[int, Ge(2)] = 32
        """h, the rank of the decomposition."""
        mixers: Count = 2
        """MLP-Mixer layers over the arch's encoding."""
        start: Annotated[str, Location(words=WORDS)] = "plain"
        """What the weights are at first: "plain": the hypernetwork's output, as in the paper; "shared": ordinary
        weights that all archs share, to which its output is added, which is zero at first; or the folder of a run with
        weights = "shared": the same, from that run's trained supernet."""
        inputs: Literal["plain", "circle"] = "plain"
        """How the encoding enters: "plain": as probabilities of choices; "circle": each as a point on a quarter of a
        circle, so that all archs have inputs of the same norm (Ortiz et al. 2023)."""
        scale: Literal["first", "fan-in"] = "first"
        """Where the weights have their layer's scale from: "first": from the first values of the hypernetwork;
        "fan-in": what it makes, of deviation 1, is multiplied by He's deviation over the layer's inputs, so that its
        own weights are alike in all layers (Chang et al. 2020)."""
        lr: Positive = 1.0
        """The learning rate of the hypernetwork, in multiples of that of all other weights."""

    @property
    def origin(self) -> str | None:
        """The run of ``start``."""
        return self.options.start if self.options.start not in WORDS else None

    def generator(self, space: SearchSpace, rng: np.random.Generator) -> HypernetGenerator:
        """The hypernetwork."""
        return HypernetGenerator(space.whole(), space.tokens_shape, self.options, rng)


class HypernetGenerator(Generator):
    """Computes features z (h, h) and coefficients lambda (N,) of an arch, and from these the weights of convolutions.

    A convolution has two linear maps, h to I N and h to O K K, without a hidden activation as in Ha et al. 2016. Entry
    w_n of the dictionary is linear in the first map, so the sum of lambda_n w_n is taken there: the N full kernels are
    never computed, and a layer costs h I N + h h I + h I O K K multiplications.

    With ``start = "shared"`` a convolution's weights are theta + Delta(z): theta is drawn as the weights of a plain
    supernet are, or those of a trained one (``start_from``), and Delta is zero at first, since the second map is:
    training starts as that of shared weights, or goes on with it.

    Args:
        blocks: see ``SearchSpace.whole``.
        tokens: the shape (A, V) of an arch's encoding.
        options: the ``[space.weights]`` table.
        rng: for initialisation.
    """

    def __init__(
        self,
        blocks: Iterable[BlockSpec],
        tokens: tuple[int, int],
        options: KshotHypernet.Options,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(blocks)
        size, rank = options.dictionary, options.rank
        choices, values = tokens
        self.lr_factor, self.circle = options.lr, options.inputs == "circle"
        values *= 2 if self.circle else 1
        self.embed, self.spread = linear(rng, values, rank), linear(rng, choices, rank)
        with torch.no_grad():
            self.embed.weight.mul_(SPREAD)
        # Spread before the mixers: after them, z and the weights would only have rank A, the number of axes.
        self.place = drawn(rng, rank, rank)  # a positional embedding of rows, equal for all archs
        self.mixers = nn.Sequential(*(Mixer(rank, rank, rng) for _ in range(options.mixers)))
        self.norm = nn.LayerNorm(rank)
        self.to_coefficients = linear(rng, rank, size)
        self.attention = CoefficientAttention(size, rank, rng)
        self.by_fan_in = options.scale == "fan-in"
        self.first, self.second = nn.ParameterDict(), nn.ParameterDict()
        for key, shape in self.shapes.items():
            outs, ins, side, _ = shape
            self.first[key], self.second[key] = drawn(rng, size, rank * ins), drawn(rng, rank, outs * side * side)
            deviation = 1.0 if self.by_fan_in else he_deviation(shape)
            with torch.no_grad():  # entries are similar at first; the weights have He's deviation
                self.first[key].mul_(SPREAD).add_(drawn(rng, rank * ins)).mul_(deviation * rank**-0.5)
                self.second[key].mul_(rank**-0.5 if options.start == "plain" else 0.0)
        self.theta = nn.ParameterDict()
        for key, shape in self.shapes.items() if options.start != "plain" else ():
            self.theta[key] = drawn(rng, *shape)
            with torch.no_grad():
                self.theta[key].mul_(he_deviation(shape))

    def code(self, tokens: Tensor) -> Code:
        """The coefficients (..., N) and features (..., h, h) of archs (..., A, V)."""
        if self.circle:
            tokens = torch.cat([torch.cos(tokens * (pi / 2)), torch.sin(tokens * (pi / 2))], -1)
        mixed = self.mixers(self.spread(self.embed(tokens).mT).mT + self.place)  # (..., h, h)
        return Code(self.softmax(self.attention(self.to_coefficients(mixed.mT).mT)), self.norm(mixed))

    def codes(self, tokens: Tensor) -> Code:
        """The coefficients (B, N) and features (B, h, h)."""
        return self.code(tokens)

    def weight(self, key: str, code: Code) -> Tensor:
        """The weights (O, I, K, K) of one convolution."""
        return self.weights([(key, 0)], Code.stack([code]))[0]

    def weights(self, wanted: Sequence[Wanted], codes: Code) -> list[Tensor]:
        """The weights of each group of convolutions by three products."""
        found: list[Tensor] = [torch.empty(0)] * len(wanted)
        large = [key for key, entries in self.first.items() if entries.numel() >= LARGE]
        for group in alike(wanted, self.shapes, large):
            made = self._made(group.keys, codes.of(group.archs))
            for place, weight in zip(group.places, made.flatten(0, 1).unbind(), strict=True):
                found[place] = weight
        return found

    def _made(self, keys: Sequence[str], codes: Code) -> Tensor:
        """The weights (L, B, O, I, K, K) of L convolutions of one shape, each for B archs with codes (L, B, ...)."""
        outs, ins, side, _ = self.shapes[keys[0]]
        count, archs, _ = codes.coefficients.shape
        assert codes.features is not None
        first = codes.coefficients @ stacked([self.first[key] for key in keys])  # (L, B, h I)
        inner = codes.features @ first.view(count, archs, -1, ins)  # (L, B, h, I)
        rows = inner.mT.reshape(count, archs * ins, -1)
        kernels = rows @ stacked([self.second[key] for key in keys])  # (L, B I, O K K)
        made = kernels.view(count, archs, ins, outs, side, side).transpose(2, 3)
        if self.by_fan_in:
            made = made * fan_in_deviation(self.shapes[keys[0]])
        return stacked([self.theta[key] for key in keys])[:, None] + made if self.theta else made

    @torch.no_grad()
    def start_from(self, kernels: Mapping[str, Tensor]) -> None:
        """Start from trained weights that all archs share."""
        for key, theta in self.theta.items():
            theta.copy_(kernels[key])

    def scaled(self) -> list[nn.Parameter]:
        """All but the weights that archs share."""
        shared = set(map(id, self.theta.values()))
        return [weight for weight in self.parameters() if id(weight) not in shared]


class Mixer(nn.Module):
    """An MLP-Mixer layer: residual MLPs across rows and then across features (Tolstikhin et al. 2021)."""

    def __init__(self, rows: int, features: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.across_rows, self.across_features = _mlp(rows, rng), _mlp(features, rng)
        self.norms = nn.ModuleList([nn.LayerNorm(features), nn.LayerNorm(features)])

    def forward(self, x: Tensor) -> Tensor:
        """(..., rows, features) to the same shape."""
        x = x + self.across_rows(self.norms[0](x).mT).mT
        out: Tensor = x + self.across_features(self.norms[1](x))
        return out


class CoefficientAttention(nn.Module):
    """The Coefficient Attention Block: CBAM's channel attention on the N coefficients (section 3.2, figure 4).

    The mean and the maximum over a coefficient's features pass a shared MLP; the sigmoid of their sum scales the
    coefficient's logit.
    """

    def __init__(self, size: int, features: int, rng: np.random.Generator) -> None:
        super().__init__()
        squeezed = max(1, size // SQUEEZED)
        self.squeeze, self.excite = linear(rng, size, squeezed), linear(rng, squeezed, size)
        self.sum_up = linear(rng, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(..., N, h) to logits (..., N)."""
        pooled = torch.stack([x.mean(-1), x.amax(-1)])
        passes = torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))).sum(0))
        out: Tensor = self.sum_up(x)[..., 0] * passes
        return out


def _mlp(size: int, rng: np.random.Generator) -> nn.Sequential:
    return nn.Sequential(linear(rng, size, WIDENED * size), nn.GELU(), linear(rng, WIDENED * size, size))
