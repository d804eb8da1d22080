"""The supernet of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.costs.analytic import analytic
from duonas.pair.facts import PairFacts
from duonas.pair.pair import Pair
from duonas.supernet.leaves import Leaves
from duonas.supernet.sorting import sort_channels
from duonas.supernet.supernet import Mixes, Mixture, Supernet, Use, plain_network


class SupernetOutput(NamedTuple):
    """Logits (B, K) of both networks, the output of the shared blocks, and the input of each head (B, C, H, W)."""

    little: Tensor
    big: Tensor
    stem: Tensor
    little_features: Tensor
    big_features: Tensor


class PairSupernet(nn.Module):
    """The weights of all pairs of a coupling (paper D, section 3.2).

    Nested pairs have one tower. Sibling and partial pairs have two; little uses big's tower for the stem and for the
    stages up to its split. Independent pairs have two that share nothing.

    Args:
        pairs: the pair space.
        big: the supernet of the big tower.
        little: the supernet of the little tower, over ``pairs.spaces["little"]``; ``None`` for nested pairs.
    """

    def __init__(self, pairs: PairSpace, big: Supernet, little: Supernet | None = None) -> None:
        super().__init__()
        if (little is None) != (len(pairs.towers) == 1):
            raise TypeError(f"{pairs.coupling} pairs have {len(pairs.towers)} tower(s).")
        self.pairs = pairs
        self.big = big
        self.little = little
        self._ready: list[tuple[Subnet, Mixture | None, Sequence[BlockSpec]]] = []  # see ``together``
        if little is not None and pairs.shares:
            for spec in pairs.spaces["little"].whole():
                if spec.stage == 0:
                    del little.blocks[spec.name]

    def forward(self, x: Tensor, subnet: Subnet, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of one subnet for images (B, 3, H, W) in [0, 1]; a mask (B, F) multiplies the features."""
        return self._classified(x, subnet, self._specs(subnet), feature_mask)[0]

    def mixed(self, x: Tensor, subnet: Subnet, mixture: Mixture, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of the sum of all operations, weighted by their probabilities (paper T, eq. 5).

        Args:
            x: images (B, 3, H, W) in [0, 1].
            subnet: its arch has the choices on the axes that are not mixed.
            mixture: probabilities (V,) for each of the space's ``mixed`` axes.
            feature_mask: (B, F), multiplies the features.
        """
        *body, head = self._specs(subnet, mixture)
        for spec in body:
            block = self.block(subnet, spec)
            x = block.mixed(x, spec, mixture) if isinstance(block, Mixes) else block(x, spec)
        logits: Tensor = self.block(subnet, head)(x, head, feature_mask)
        return logits

    def pair(self, x: Tensor, pair: PairArch, feature_mask: Tensor | None = None) -> SupernetOutput:
        """Logits of both networks for images (B, 3, H, W) in [0, 1]; shared blocks run once. The mask is for big."""
        little, big = self.pairs.subnets(pair)
        shared = self.pairs.shared(pair)
        blocks = self._specs(big)
        stem = self._run(x, big, blocks[:shared])
        little_logits, little_features = self._classified(stem, little, self._specs(little)[shared:])
        big_logits, big_features = self._classified(stem, big, blocks[shared:], feature_mask)
        return SupernetOutput(little_logits, big_logits, stem, little_features, big_features)

    def extract(self, subnet: Subnet) -> nn.Sequential:
        """The subnet in plain PyTorch, with one child for each block and copies of its weights, in eval mode.

        Raises:
            DuonasError: its arch is not one of the space.
        """
        self.pairs.spaces[subnet.role].validate(subnet.arch)
        specs = self._specs(subnet)
        return plain_network(specs, [self.block(subnet, spec) for spec in specs])

    def extract_pair(self, pair: PairArch) -> Pair:
        """The pair in plain PyTorch.

        Raises:
            DuonasError: the pair is not allowed; the message says why.
        """
        little, big = (self.extract(subnet) for subnet in self.pairs.subnets(self.pairs.validate(pair)))
        return Pair.join(little, big, PairFacts.of(self.pairs, pair, analytic))

    def sort_channels(self) -> None:
        """Sort the channels of both towers by importance; the function of the largest networks stays the same.

        Blocks without the methods of ``supernet.sorting`` and generated weights are not sorted.
        """
        spaces = self.pairs.spaces
        nets = [
            replace(net, arch=arch)
            for net in self.pairs.largest_subnets()
            if not spaces[net.role].generated
            for arch in spaces[net.role].maximal()
        ]
        sort_channels([[(spec, self.block(net, spec)) for spec in self.pairs.blocks(net)] for net in nets])

    @property
    def norms(self) -> str:
        """The kinds of norm of the towers, see ``Supernet.norm``; one word where they are the same."""
        towers = [self.big, *([] if self.little is None else [self.little])]
        return "/".join(dict.fromkeys(tower.norm for tower in towers))

    def settle(self, subnet: Subnet, network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
        """Set the norm statistics of an extracted subnet, or of its leading blocks; see ``Supernet.settle``."""
        return self.tower(subnet).settle(network, batches)

    def tower(self, subnet: Subnet) -> Supernet:
        """The supernet over the space of a subnet's role."""
        return self.little if self.little is not None and subnet.role == "little" else self.big

    @contextmanager
    def together(self, subnets: Sequence[Subnet], mixed: Sequence[tuple[Subnet, Mixture]] = ()) -> Iterator[None]:
        """Make the weights of several networks in one pass, where they are generated, for use in this block.

        The networks are run in the block as ever, each with its own backward pass. Their weights gather the gradients,
        and at the end of the block one more backward pass hands these on to the generators, so that gradients are those
        of networks whose weights are made one by one, but for rounding.

        Args:
            subnets: those of ``forward`` and ``pair``.
            mixed: those of ``mixed``, with the very mixture that it gets.
        """
        runs = [*((subnet, None) for subnet in dict.fromkeys(subnets)), *mixed]
        if len(runs) < 2 or not self.pairs.generated:
            yield
            return
        leaves = Leaves()
        for tower in filter(None, (self.big, self.little)):
            own = [run for run in runs if self.tower(run[0]) is tower]
            made = tower.all_specs([self._use(*run) for run in own]) if own else []
            self._ready += [(*run, leaves.cut(specs)) for run, specs in zip(own, made, strict=True)]
        try:
            yield
        finally:
            self._ready = []
        leaves.pass_on()

    def _specs(self, subnet: Subnet, mixture: Mixture | None = None) -> Sequence[BlockSpec]:
        for known, mixed, specs in self._ready:
            if known == subnet and mixed is mixture:
                return specs
        return self.tower(subnet).specs(*self._use(subnet, mixture))

    def _use(self, subnet: Subnet, mixture: Mixture | None) -> Use:
        if mixture is None:
            return subnet.arch, self.pairs.blocks(subnet), None
        return subnet.arch, self.pairs.spaces[subnet.role].mixed_blocks(subnet.arch), mixture

    def block(self, subnet: Subnet, spec: BlockSpec) -> nn.Module:
        """The elastic block that a subnet runs for one of its blocks."""
        role = self.pairs.tower(subnet, spec.stage)
        tower = self.little if self.little is not None and role == "little" else self.big
        return tower.blocks[spec.name]

    def _run(self, x: Tensor, subnet: Subnet, specs: Sequence[BlockSpec]) -> Tensor:
        for spec in specs:
            x = self.block(subnet, spec)(x, spec)
        return x

    def _classified(
        self, x: Tensor, subnet: Subnet, specs: Sequence[BlockSpec], feature_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        *body, head = specs
        features = self._run(x, subnet, body)
        return self.block(subnet, head)(features, head, feature_mask), features
