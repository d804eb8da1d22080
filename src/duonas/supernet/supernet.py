"""The supernet: one set of weights for every arch of a search space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.space import SearchSpace
from duonas.layers.blocks import ElasticInput
from duonas.layers.elastic import ElasticConv
from duonas.layers.init import initialise
from duonas.layers.norm import RECALIBRATED, recalibrate
from duonas.pair.build import build
from duonas.supernet.generator import Generator, key_of
from duonas.supernet.options import Norm, SpaceOptions

Mixture = Mapping[str, Tensor]  # probabilities (V,) of the values of an axis, by axis
Use = tuple[Arch, Sequence[BlockSpec], Mixture | None]  # see Supernet.specs


@runtime_checkable
class Mixes(Protocol):
    """A block that can sum over the values of an axis."""

    def mixed(self, x: Tensor, spec: BlockSpec, mixture: Mixture) -> Tensor:
        """The probability-weighted sum over the values (paper T, eq. 5), (B, C, H, W) to (B, C', H', W')."""
        ...


class Supernet(nn.Module):
    """A chain of elastic blocks. The arch is an argument of ``forward``: there is no active subnet as state.

    A family of networks subclasses this with ``build``. ``relaxes`` says that all its blocks run on soft layers
    (``layers.elastic.SoftLayer``) or mix (``Mixes``), so that strategies with gradients can search it; the contract
    suite checks it.

    Args:
        space: the search space.
        mean: of the training images, per channel, in [0, 1].
        std: standard deviation of the training images, per channel.
        rng: for initialisation.
        options: the ``[space]`` table.
    """

    relaxes: ClassVar[bool] = False

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
        """Build an elastic block for every arch from a block of ``space.whole()``; subclasses override this."""
        raise TypeError(f"{type(self).__name__} does not say how to build its blocks: override build(largest).")

    @property
    def norm(self) -> Norm:
        """The kind of norm: ``"recalibrated"``, ``"switchable"`` or ``"both"``, see ``SpaceOptions``."""
        return self.options.norm

    def forward(self, x: Tensor, arch: Arch, feature_mask: Tensor | None = None) -> Tensor:
        """Logits (B, K) of one subnet for images (B, 3, H, W) in [0, 1]; a mask (B, F) multiplies the features."""
        *body, head = self.specs(arch, self.space.blocks(arch))
        for spec in body:
            x = self.blocks[spec.name](x, spec)
        return self.blocks[head.name](x, head, feature_mask)

    def take_weights_from(self, generator: Generator) -> None:
        """Replace the weights of all convolutions after the stem by generated ones."""
        self.generator = generator
        for spec in self.space.whole():
            for module in self.blocks[spec.name].modules() if spec.stage > 0 else ():
                if isinstance(module, ElasticConv):
                    module.forgo()

    def kernels(self) -> dict[str, Tensor]:
        """The weights (O, I, K, K) of all convolutions after the stem, by the keys of ``Generator.shapes``."""
        found = {}
        for spec in self.space.whole():
            block: Any = self.blocks[spec.name]
            for layer in spec.layers if spec.stage > 0 else ():
                if layer.kind == "conv":
                    module = block.layer(layer.name)
                    found[key_of(spec, layer)] = getattr(module, "conv", module).own.detach()
        return found

    def specs(self, arch: Arch, blocks: Sequence[BlockSpec], mixture: Mixture | None = None) -> Sequence[BlockSpec]:
        """The blocks of an arch as arguments of the elastic blocks: with their weights if these are generated.

        Args:
            arch: the arch.
            blocks: its blocks; those of a little may be of another kind.
            mixture: replaces the choices of the arch on its axes.
        """
        return self.all_specs([(arch, blocks, mixture)])[0]

    def all_specs(self, uses: Sequence[Use]) -> list[Sequence[BlockSpec]]:
        """What ``specs`` gives for several archs, whose weights are made in one pass if they are generated."""
        if self.generator is None:
            return [blocks for _, blocks, _ in uses]
        tokens = torch.stack([self._tokens(arch, mixture) for arch, _, mixture in uses])
        return [*self.generator.fill([blocks for _, blocks, _ in uses], tokens)]

    def _tokens(self, arch: Arch, mixture: Mixture | None) -> Tensor:
        """The encoding (A, V) of an arch, of which a mixture replaces some rows."""
        assert self.generator is not None
        tokens = torch.from_numpy(self.space.tokens(arch)).to(next(self.generator.parameters()).device)
        if not mixture:
            return tokens
        rows = dict(zip(self.space.axes, tokens, strict=True))
        for axis, chances in mixture.items():
            rows[axis] = F.pad(chances.float(), (0, tokens.shape[1] - len(chances)))
        return torch.stack(list(rows.values()))

    def extract(self, arch: Arch) -> nn.Sequential:
        """The subnet in plain PyTorch, with one child for each block and copies of its weights, in eval mode."""
        specs = self.specs(arch, self.space.blocks(self.space.validate(arch)))
        return plain_network(specs, [self.blocks[spec.name] for spec in specs])

    def settle(self, network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
        """Set the norm statistics of an extracted network in place: recalibrate them unless norms are switchable.

        Args:
            network: from ``extract``.
            batches: training images, each (B, 3, H, W) in [0, 1].
        """
        return recalibrate(network, batches) if self.norm in RECALIBRATED else network.eval()


@torch.no_grad()
def plain_network(specs: Sequence[BlockSpec], blocks: Sequence[Any]) -> nn.Sequential:
    """The plain network of an arch with copies of the weights of elastic blocks, in eval mode.

    Args:
        specs: the blocks of the arch.
        blocks: an ``ElasticBlock`` for each.
    """
    weights = [values for spec, block in zip(specs, blocks, strict=True) for values in block.weights(spec)]
    network = build(specs).to(weights[0].device)
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    return network


def narrowed(options: Mapping[str, tuple[Any, ...]], keep: Mapping[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    """The values of each kind of axis that ``[space.axes]`` keeps, in order.

    Raises:
        DuonasError: the table has an unknown kind or value.
    """
    for name, values in keep.items():
        if name not in options:
            raise DuonasError(f"[space.axes] has no axis {name!r}: {nearest(name, options)}.")
        outside = [value for value in values if value not in options[name]]
        if outside:
            there = list(dict.fromkeys(options[name]))  # stages may have the same values
            raise DuonasError(f"[space.axes] {name} has no value {outside[0]!r}: choose from {there}.")
    return {n: tuple(v for v in values if v in keep.get(n, values)) for n, values in options.items()}
