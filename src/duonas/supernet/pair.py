"""Pairs of subnets: in the supernet, and extracted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.options import Norm
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.layers.sorting import sort_channels
from duonas.supernet.supernet import Mixes, Mixture, Supernet


class PairOutput(NamedTuple):
    """Logits (B, K) of both towers, what the shared blocks gave, and what each head read (B, C, H, W)."""

    little: Tensor
    big: Tensor
    stem: Tensor
    little_features: Tensor
    big_features: Tensor


class PairSupernet(nn.Module):
    """The weights of all pairs of a coupling (paper D, section 3.2).

    Nested pairs have one tower. Siblings and partial pairs have two: little's own, and big's, which little borrows for
    the stem and for the stages up to its split.

    Args:
        pairs: the pairs that are allowed.
        big: the supernet of the big tower.
        little: of the little tower, over ``pairs.spaces["little"]``; ``None`` for nested pairs.
    """

    def __init__(self, pairs: PairSpace, big: Supernet, little: Supernet | None = None) -> None:
        super().__init__()
        if (little is None) != (len(pairs.towers) == 1):
            raise TypeError(f"{pairs.coupling} pairs have {len(pairs.towers)} tower(s).")
        self.pairs = pairs
        self.big = big
        self.little = little
        if little is not None:
            for spec in pairs.space.whole():
                if spec.stage == 0:
                    del little.blocks[spec.name]

    def forward(self, x: Tensor, subnet: Subnet, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of one subnet for images (B, 3, H, W) in [0, 1]; a mask (B, F) is for the features."""
        return self._classified(x, subnet, self._specs(subnet), feature_mask)[0]

    def mixed(self, x: Tensor, subnet: Subnet, mixture: Mixture, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of all operations together, each weighted by its probability (paper T, eq. 5).

        Args:
            x: images (B, 3, H, W) in [0, 1].
            subnet: its arch chooses on the axes that are not mixed.
            mixture: probabilities (V,) for each of the space's ``mixed`` axes.
            feature_mask: (B, F), for the features.
        """
        tower = self._tower(subnet)
        *body, head = tower.specs(subnet.arch, self.pairs.spaces[subnet.role].mixed_blocks(subnet.arch), mixture)
        for spec in body:
            block = self._block(subnet, spec)
            x = block.mixed(x, spec, mixture) if isinstance(block, Mixes) else block(x, spec)
        logits: Tensor = self._block(subnet, head)(x, head, feature_mask)
        return logits

    def pair(self, x: Tensor, pair: PairArch, feature_mask: Tensor | None = None) -> PairOutput:
        """Both towers' logits for images (B, 3, H, W) in [0, 1]; shared blocks run once. The mask is for big."""
        little, big = self.pairs.subnets(pair)
        shared = self.pairs.shared(pair)
        blocks = self._specs(big)
        stem = self._run(x, big, blocks[:shared])
        little_logits, little_features = self._classified(stem, little, self._specs(little)[shared:])
        big_logits, big_features = self._classified(stem, big, blocks[shared:], feature_mask)
        return PairOutput(little_logits, big_logits, stem, little_features, big_features)

    def extract(self, subnet: Subnet) -> nn.Sequential:
        """The subnet in plain PyTorch, one child a block, with its own weights and norm statistics, in eval mode.

        Raises:
            DuonasError: its arch is not one of the space.
        """
        self.pairs.space.validate(subnet.arch)
        network = nn.Sequential()
        for spec in self._specs(subnet):
            network.add_module(spec.name, self._block(subnet, spec).extract(spec))  # type: ignore[operator]
        return network.eval()

    def extract_pair(self, pair: PairArch) -> PairNet:
        """The pair in plain PyTorch.

        Raises:
            DuonasError: it is not allowed; the message says why.
        """
        little, big = (self.extract(subnet) for subnet in self.pairs.subnets(self.pairs.validate(pair)))
        return PairNet.join(little, big, self.pairs.shared(pair))

    def sort_channels(self) -> None:
        """Bring the most important channels of both towers to the front; the largest networks compute what they did.

        Blocks without the methods of ``layers.sorting`` keep their channels as they are, as do weights made for each
        arch.
        """
        if self.pairs.space.generated:
            return
        largest = self.pairs.largest_subnets()
        sort_channels([[(spec, self._block(net, spec)) for spec in self.pairs.blocks(net)] for net in largest])

    @property
    def norm(self) -> Norm:
        """Where the norm statistics of an extracted subnet come from."""
        return self.big.norm

    def settle(self, network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
        """Give an extracted subnet the norm statistics that it is used with; see ``Supernet.settle``."""
        return self.big.settle(network, batches)

    def _tower(self, subnet: Subnet) -> Supernet:
        return self.little if self.little is not None and subnet.role == "little" else self.big

    def _specs(self, subnet: Subnet) -> Sequence[BlockSpec]:
        return self._tower(subnet).specs(subnet.arch, self.pairs.blocks(subnet))

    def _block(self, subnet: Subnet, spec: BlockSpec) -> nn.Module:
        tower = self._tower(subnet) if spec.stage > subnet.split else self.big
        return tower.blocks[spec.name]

    def _run(self, x: Tensor, subnet: Subnet, specs: Sequence[BlockSpec]) -> Tensor:
        for spec in specs:
            x = self._block(subnet, spec)(x, spec)
        return x

    def _classified(
        self, x: Tensor, subnet: Subnet, specs: Sequence[BlockSpec], feature_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        *body, head = specs
        features = self._run(x, subnet, body)
        return self._block(subnet, head)(features, head, feature_mask), features


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
        little, big = self.little[:-1](stem), self.big[:-1](stem)
        return PairOutput(self.little[-1](little), self.big[-1](big), stem, little, big)

    def towers(self) -> dict[str, nn.Sequential]:
        """Little and big as whole networks, block by block under their names, sharing modules with this one."""
        stem = list(self.stem.named_children())
        rest = {role: list(getattr(self, role).named_children()) for role in ("little", "big")}
        return {role: nn.Sequential(OrderedDict([*stem, *blocks])) for role, blocks in rest.items()}
