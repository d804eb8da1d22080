"""The supernet: one set of weights for every arch of a search space."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.options import Norm, SpaceOptions
from duonas.core.space import SearchSpace
from duonas.layers.blocks import ElasticInput
from duonas.layers.elastic import ElasticConv
from duonas.layers.generated import Generator
from duonas.layers.init import initialise
from duonas.layers.norm import RECALIBRATED, recalibrate

Mixture = Mapping[str, Tensor]  # by axis, a probability (V,) for each of its values


@runtime_checkable
class Mixes(Protocol):
    """A block that can sum over the values of an axis."""

    def mixed(self, x: Tensor, spec: BlockSpec, mixture: Mixture) -> Tensor:
        """(B, C, H, W) to (B, C', H', W'): what each value gives, weighted by its probability (paper T, eq. 5)."""
        ...


class Supernet(nn.Module):
    """A chain of elastic blocks. The arch is an argument: there is no active subnet to set and forget.

    A family of networks subclasses this with ``build``.

    Args:
        space: the search space.
        mean: of the training images, per channel, in [0, 1].
        std: likewise.
        rng: where the first weights come from.
        options: the ``[space]`` table, for ``build`` to read.
    """

    def __init__(
        self,
        space: SearchSpace,
        mean: Sequence[float],
        std: Sequence[float],
        rng: np.random.Generator,
        options: SpaceOptions,
    ) -> None:
        super().__init__()
        self.space = space
        self.options = options
        self.generator: Generator | None = None
        self.blocks = nn.ModuleDict()
        for spec in space.whole():
            self.blocks[spec.name] = ElasticInput(mean, std) if spec.kind == "input" else self.build(spec)
        initialise(self, rng)

    def build(self, largest: BlockSpec) -> nn.Module:
        """The elastic block that serves every arch, from what ``space.whole()`` says of it; a subclass says how.

        It is called with (x, spec), and its ``extract(spec)`` gives the same in plain PyTorch with weights of its own.
        """
        raise TypeError(f"{type(self).__name__} does not say how to build its blocks: override build(largest).")

    @property
    def norm(self) -> Norm:
        """Where an extracted network's norm statistics come from: ``"switchable"`` norms keep what they trained."""
        return self.options.norm

    def forward(self, x: Tensor, arch: Arch, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of one subnet for images (B, 3, H, W) in [0, 1]; a mask (B, F) is for the features."""
        *body, head = self.specs(arch, self.space.blocks(arch))
        for spec in body:
            x = self.blocks[spec.name](x, spec)
        return self.blocks[head.name](x, head, feature_mask)

    def take_weights_from(self, generator: Generator) -> None:
        """Have the weights of every convolution behind the stem made for each arch, and hold none of one's own."""
        self.generator = generator
        for spec in self.space.whole():
            for module in self.blocks[spec.name].modules() if spec.stage > 0 else ():
                if isinstance(module, ElasticConv):
                    module.forgo()

    def specs(self, arch: Arch, blocks: Sequence[BlockSpec], mixture: Mixture | None = None) -> Sequence[BlockSpec]:
        """The blocks of an arch as this supernet's blocks take them: with the weights made for it, where they are made.

        Args:
            arch: the arch.
            blocks: of it, or those of a pair's little that are made of others.
            mixture: takes the place of the arch's choices on its axes.
        """
        if self.generator is None:
            return blocks
        tokens = torch.from_numpy(self.space.tokens(arch)).to(next(self.generator.parameters()).device)
        rows = dict(zip(self.space.axes, tokens, strict=True))
        for axis, chances in (mixture or {}).items():
            rows[axis] = F.pad(chances.float(), (0, tokens.shape[1] - len(chances)))
        return self.generator.fill(blocks, torch.stack(list(rows.values())))

    def extract(self, arch: Arch) -> nn.Sequential:
        """The subnet in plain PyTorch, one child a block, with its own weights and norm statistics, in eval mode."""
        network = nn.Sequential()
        for spec in self.specs(arch, self.space.blocks(self.space.validate(arch))):
            block: Any = self.blocks[spec.name]
            network.add_module(spec.name, block.extract(spec))
        return network.eval()

    def settle(self, network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
        """Give what ``extract`` made the norm statistics that it is used with, by ``norm``; changed in place.

        Args:
            network: extracted.
            batches: training images, each (B, 3, H, W) in [0, 1], to measure them on.
        """
        return recalibrate(network, batches) if self.norm in RECALIBRATED else network.eval()


@dataclass(frozen=True)
class Family:
    """A kind of network: how its search space is made, and the supernet over it.

    Args:
        space: from the ``[space]`` table, image size in pixels and number of classes to a search space.
        supernet: from (space, mean, std, rng, options) to a supernet.
    """

    space: Callable[[SpaceOptions, int, int], SearchSpace]
    supernet: Callable[[SearchSpace, Sequence[float], Sequence[float], np.random.Generator, SpaceOptions], Supernet]


def narrowed(options: Mapping[str, tuple[Any, ...]], keep: Mapping[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    """The values of each kind of axis, in their order, of which ``[space.axes]`` keeps some.

    Raises:
        DuonasError: it has a kind or a value that is not there.
    """
    for name, values in keep.items():
        if name not in options:
            raise DuonasError(f"[space.axes] has no axis {name!r}: {nearest(name, options)}.")
        outside = [value for value in values if value not in options[name]]
        if outside:
            there = list(dict.fromkeys(options[name]))  # stages repeat each other's
            raise DuonasError(f"[space.axes] {name} has no value {outside[0]!r}: choose from {there}.")
    return {n: tuple(v for v in values if v in keep.get(n, values)) for n, values in options.items()}


def refuse_keys(space: str, options: SpaceOptions, *keys: str) -> None:
    """Refuse keys of ``[space]`` that this search space could only ignore.

    Raises:
        DuonasError: one of them is not at its default.
    """
    for key in keys:
        if getattr(options, key) != getattr(SpaceOptions(), key):
            raise DuonasError(f"search space {space!r} knows no {key}: it is a choice of other search spaces.")
