"""Pairs of subnets: in the supernet, and extracted."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from duonas.core.pair import PairArch, PairSpace
from duonas.spaces.supernet import Supernet


class PairOutput(NamedTuple):
    """Logits (B, K) of both towers and what the shared blocks gave."""

    little: Tensor
    big: Tensor
    stem: Tensor


class PairSupernet(nn.Module):
    """Two towers over one supernet (paper D, section 3.2, option A: nested, all weights shared).

    Args:
        supernet: where both towers' weights are.
        pairs: the pairs that are allowed.
    """

    def __init__(self, supernet: Supernet, pairs: PairSpace) -> None:
        super().__init__()
        self.supernet = supernet
        self.pairs = pairs

    def forward(self, x: Tensor, pair: PairArch) -> PairOutput:
        """Both towers' logits for images (B, 3, H, W) in [0, 1]; shared blocks run once."""
        shared = self.pairs.shared(pair)
        space, blocks = self.supernet.space, self.supernet.blocks
        little, big = space.blocks(pair.little), space.blocks(pair.big)

        def run(out: Tensor, specs: tuple) -> Tensor:
            for spec in specs:
                out = blocks[spec.name](out, spec)
            return out

        stem = run(x, big[:shared])
        return PairOutput(run(stem, little[shared:]), run(stem, big[shared:]), stem)

    def extract(self, pair: PairArch) -> PairNet:
        """The pair in plain PyTorch."""
        little, big = self.supernet.extract(pair.little), self.supernet.extract(pair.big)
        return PairNet.join(little, big, self.pairs.shared(pair))


class PairNet(nn.Module):
    """A pair in plain PyTorch: what both share (empty where their resolutions differ), and what remains of each."""

    def __init__(self, stem: nn.Sequential, little: nn.Sequential, big: nn.Sequential) -> None:
        super().__init__()
        self.stem, self.little, self.big = stem, little, big

    @classmethod
    def join(cls, little: nn.Sequential, big: nn.Sequential, shared: int) -> PairNet:
        """Two whole networks whose first ``shared`` blocks are the same."""
        return cls(big[:shared], little[shared:], big[shared:]).eval()

    def forward(self, x: Tensor) -> PairOutput:
        """Both towers' logits (B, K) for images (B, 3, H, W) in [0, 1]."""
        stem = self.stem(x)
        return PairOutput(self.little(stem), self.big(stem), stem)
