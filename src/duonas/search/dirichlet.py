"""Dirichlet distributions over the choices of a pair (DrNAS: Chen et al. 2021, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional as F

from duonas.core.pair import PairArch, PairSpace
from duonas.core.space import SearchSpace
from duonas.supernet.supernet import Mixture

DEVIATION = 1e-3  # of the initial parameters, as in the paper's code
LEAST = 1e-3  # of a concentration


@dataclass(frozen=True)
class PairMixture:
    """Probabilities of the choices of a pair.

    Args:
        little: (V,) by little's axes.
        big: (V,) by big's axes.
        splits: (S,) of the pair space's split points.
    """

    little: Mixture
    big: Mixture
    splits: Tensor

    def at(self, space: SearchSpace, split: int) -> Mixture:
        """Little's probabilities for a split: those of big up to it, since these choices are the same."""
        if split == 0:
            return self.little
        return {n: (self.big if space.axes[n].stage <= split else self.little)[n] for n in self.little}


class PairDirichlets(nn.Module):
    """Dirichlet distributions over the values of every axis of little and of big, and over the split points.

    A concentration is elu(theta) + 1. Values can be left out, which gives the distribution of the others.

    Args:
        pairs: the pair space.
        rng: for the initial parameters.
    """

    def __init__(self, pairs: PairSpace, rng: np.random.Generator) -> None:
        super().__init__()
        self._pairs = pairs
        little, big = [("little", pairs.spaces["little"]), ("big", pairs.space)]
        sizes = {(role, name): len(axis.values) for role, space in (little, big) for name, axis in space.axes.items()}
        sizes["", "split"] = len(pairs.splits)
        self._rows: dict[int, list[tuple[str, str]]] = {}  # the axes with so many values, which are drawn together
        for key, size in sizes.items():
            self._rows.setdefault(size, []).append(key)
        self.thetas = nn.ParameterList(
            nn.Parameter(torch.from_numpy(rng.normal(0, DEVIATION, (len(keys), size))).float())
            for size, keys in self._rows.items()
        )
        self._alive = [torch.ones(len(keys), size) for size, keys in self._rows.items()]

    def sample(self) -> PairMixture:
        """A draw, through which gradients flow, from torch's global generator."""
        return self._mixture([Dirichlet(each).rsample() for each in self._concentrations])

    @torch.no_grad()
    def mean(self) -> PairMixture:
        """The expected probabilities, without gradients."""
        return self._mixture([each / each.sum(1, keepdim=True) for each in self._concentrations])

    def divergence(self) -> Tensor:
        """The Kullback-Leibler divergence from uniform distributions, summed over all axes (section 3.2)."""
        return torch.stack([
            kl_divergence(Dirichlet(each), Dirichlet(torch.ones_like(each))).sum() for each in self._concentrations
        ]).sum()  # fmt: skip

    @torch.no_grad()
    def keep(self, part: float) -> None:
        """Leave out all but the most probable values of each axis: the part that is kept, at least 2 values."""
        for concentration, alive in zip(self._concentrations, self._alive, strict=True):
            kept = min(alive.shape[1], max(2, round(part * alive.shape[1])))
            order = (concentration * alive).argsort(dim=1, descending=True, stable=True)
            alive.scatter_(1, order[:, kept:], 0.0)

    def most_likely(self) -> PairArch:
        """The pair of the most probable values, which the coupling may not allow."""
        return self._pair({key: int(row.argmax()) for key, row in self._by_axis(self.mean())})

    def draw(self, rng: np.random.Generator) -> PairArch:
        """A pair whose choices are drawn by the expected probabilities, which the coupling may not allow."""
        chosen = {}
        for key, row in self._by_axis(self.mean()):
            edges = row.double().cumsum(0).numpy()
            chosen[key] = int(min(np.searchsorted(edges, rng.random() * edges[-1], side="right"), len(edges) - 1))
        return self._pair(chosen)

    def likelihood(self, pair: PairArch) -> float:
        """The logarithm of the probability of a pair's choices by the expected probabilities; more is likelier."""
        chosen = {("little", name): index for name, index in pair.little.choices}
        chosen |= {("big", name): index for name, index in pair.big.choices}
        rows = dict(self._by_axis(self.mean()))
        return sum(float(rows[key][index].clamp_min(1e-12).log()) for key, index in chosen.items())

    @torch.no_grad()
    def entropy(self, role: str) -> float:
        """The mean entropy of the axes of a network by the expected probabilities, as a part of the largest one."""
        mixture = self.mean()
        rows = [row for row in getattr(mixture, role).values() if len(row) > 1]
        parts = [float(-(row * row.clamp_min(1e-12).log()).sum() / np.log(len(row))) for row in rows]
        return float(np.mean(parts)) if parts else 0.0

    @property
    def _concentrations(self) -> list[Tensor]:
        return [F.elu(theta) + 1 + LEAST for theta in self.thetas]

    def _mixture(self, rows: list[Tensor]) -> PairMixture:
        found: dict[str, dict[str, Tensor]] = {"little": {}, "big": {}, "": {}}
        for keys, values, alive in zip(self._rows.values(), rows, self._alive, strict=True):
            left = values * alive
            for (role, name), row in zip(keys, left / left.sum(1, keepdim=True).clamp_min(1e-12), strict=True):
                found[role][name] = row
        return PairMixture(found["little"], found["big"], found[""]["split"])

    def _by_axis(self, mixture: PairMixture) -> Iterator[tuple[tuple[str, str], Tensor]]:
        parts: tuple[tuple[str, Mapping[str, Tensor]], ...] = (
            ("little", mixture.little), ("big", mixture.big), ("", {"split": mixture.splits}),
        )  # fmt: skip
        for role, rows in parts:
            for name, row in rows.items():
                yield (role, name), row.detach()

    def _pair(self, chosen: Mapping[tuple[str, str], int]) -> PairArch:
        spaces = {"little": self._pairs.spaces["little"], "big": self._pairs.space}
        little, big = (
            spaces[role].build({n: chosen[role, n] for n in spaces[role].axes}) for role in ("little", "big")
        )
        return PairArch(little, big, self._pairs.splits[chosen["", "split"]])
