"""Pairs of subnets: in the supernet, and extracted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.pair import NestedPairs, PairArch, PairSpace, Subnet
from duonas.spaces.supernet import Supernet


class PairOutput(NamedTuple):
    """Logits (B, K) of both towers and what the shared blocks gave."""

    little: Tensor
    big: Tensor
    stem: Tensor


class PairSupernet(nn.Module):
    """The weights of all pairs of a coupling (paper D, section 3.2).

    Nested pairs have one tower. Siblings and partial pairs have two: little's own, and big's, which little borrows for
    the stem and for the stages up to its split.

    Args:
        pairs: the pairs that are allowed.
        big: the supernet of the big tower.
        little: of the little tower, over the same space; ``None`` for nested pairs.
    """

    def __init__(self, pairs: PairSpace, big: Supernet, little: Supernet | None = None) -> None:
        super().__init__()
        if (little is None) != isinstance(pairs, NestedPairs):
            raise TypeError(f"{pairs.coupling} pairs have {len(pairs.roles)} tower(s).")
        self.pairs = pairs
        self.big = big
        self.little = little
        if little is not None:
            for spec in pairs.space.blocks(pairs.space.largest()):
                if spec.stage == 0:
                    del little.blocks[spec.name]

    def forward(self, x: Tensor, subnet: Subnet, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of one subnet for images (B, 3, H, W) in [0, 1]; a mask (B, F) is for the features."""
        return self._classified(x, subnet, self.pairs.blocks(subnet), feature_mask)

    def pair(self, x: Tensor, pair: PairArch, feature_mask: Tensor | None = None) -> PairOutput:
        """Both towers' logits for images (B, 3, H, W) in [0, 1]; shared blocks run once. The mask is for big."""
        little, big = self.pairs.subnets(pair)
        shared = self.pairs.shared(pair)
        blocks = self.pairs.blocks(big)
        stem = self._run(x, big, blocks[:shared])
        return PairOutput(
            self._classified(stem, little, self.pairs.blocks(little)[shared:]),
            self._classified(stem, big, blocks[shared:], feature_mask),
            stem,
        )

    def extract(self, subnet: Subnet) -> nn.Sequential:
        """The subnet in plain PyTorch, one child a block, with its own weights and norm statistics, in eval mode.

        Raises:
            DuonasError: its arch is not one of the space.
        """
        self.pairs.space.validate(subnet.arch)
        network = nn.Sequential()
        for spec in self.pairs.blocks(subnet):
            network.add_module(spec.name, self._block(subnet, spec).extract(spec))  # type: ignore[operator]
        return network.eval()

    def extract_pair(self, pair: PairArch) -> PairNet:
        """The pair in plain PyTorch."""
        little, big = (self.extract(subnet) for subnet in self.pairs.subnets(pair))
        return PairNet.join(little, big, self.pairs.shared(pair))

    def _block(self, subnet: Subnet, spec: BlockSpec) -> nn.Module:
        own = self.little is not None and subnet.role == "little" and spec.stage > subnet.split
        return (self.little if own and self.little else self.big).blocks[spec.name]

    def _run(self, x: Tensor, subnet: Subnet, specs: Sequence[BlockSpec]) -> Tensor:
        for spec in specs:
            x = self._block(subnet, spec)(x, spec)
        return x

    def _classified(
        self, x: Tensor, subnet: Subnet, specs: Sequence[BlockSpec], feature_mask: Tensor | None = None
    ) -> Tensor:
        *body, head = specs
        logits: Tensor = self._block(subnet, head)(self._run(x, subnet, body), head, feature_mask)
        return logits


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

    def towers(self) -> dict[str, nn.Sequential]:
        """Little and big as whole networks, block by block under their names, sharing modules with this one."""
        stem = list(self.stem.named_children())
        rest = {role: list(getattr(self, role).named_children()) for role in ("little", "big")}
        return {role: nn.Sequential(OrderedDict([*stem, *blocks])) for role, blocks in rest.items()}
