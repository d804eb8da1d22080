"""The interfaces between the packages of duonas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, RouterCost
from duonas.core.pair import PairArch, Subnet

if TYPE_CHECKING:
    from torch import Tensor, nn


class Progress(Protocol):
    """A callback for long work, called after each unit, and first with the number of units done in an earlier run.

    The command line shows a progress bar and the number of resumed units.
    """

    def __call__(self, done: int, total: int, **figures: float) -> None: ...


def silent(done: int, total: int, **figures: float) -> None:
    """Show nothing."""


class CostModel(Protocol):
    """Computes the cost of consecutive blocks: a whole arch (``space.blocks(arch)``) or a part of one.

    The cost must be the sum over the blocks (memory: the maximum) and depend only on each block's ``key``. A table of
    whole networks has the figures of archs in ``networks`` instead; there, parts of networks have no latency or energy.

    Subclass this protocol to write a cost model.
    """

    quantities: tuple[str, ...] = ("macs",)  # those of duonas.core.cost.QUANTITIES that the model knows
    networks: Mapping[Arch, Mapping[str, float]] | None = None

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost: ...

    def routing(self, router: str) -> Mapping[str, RouterCost]:
        """What routing itself takes, by quantity; a quantity that is not in it takes nothing.

        Args:
            router: as ``Router.priced_as`` names it, such as ``margin@after_little``.
        """
        return {}

    def origin(self) -> Mapping[str, Any] | None:
        """The source of measured figures, as JSON; ``None`` if nothing was measured."""
        return None


class PairLogits(Protocol):
    """Logits (B, K) of both networks, the output of the shared blocks, and the input of each head (B, C, H, W)."""

    @property
    def little(self) -> Tensor: ...

    @property
    def big(self) -> Tensor: ...

    @property
    def stem(self) -> Tensor: ...

    @property
    def little_features(self) -> Tensor: ...

    @property
    def big_features(self) -> Tensor: ...


class Network(Protocol):
    """The supernet as training rules use it; ``feature_mask`` (B, F) multiplies big's features (dropout)."""

    def __call__(self, images: Tensor, subnet: Subnet, feature_mask: Tensor | None = None) -> Tensor:
        """The logits (B, K) of one subnet for images (B, 3, H, W)."""
        ...

    def pair(self, images: Tensor, pair: PairArch, feature_mask: Tensor | None = None) -> PairLogits:
        """The logits of a pair for images (B, 3, H, W); shared blocks run once."""
        ...

    def mixed(
        self, images: Tensor, subnet: Subnet, mixture: Mapping[str, Tensor], feature_mask: Tensor | None = None
    ) -> Tensor:
        """The logits (B, K) of a mixture of operations for images (B, 3, H, W); see ``PairSupernet.mixed``."""
        ...

    def together(
        self, subnets: Sequence[Subnet], mixed: Sequence[tuple[Subnet, Mapping[str, Tensor]]] = ()
    ) -> AbstractContextManager[None]:
        """A context in which the weights of these networks are made in one pass; see ``PairSupernet.together``."""
        ...


@dataclass(frozen=True)
class Step:
    """The input of a training step.

    Args:
        images: (B, 3, H, W) in [0, 1].
        targets: classes (B,) or probabilities (B, K).
        rng: for drawing subnets.
        backward: adds the gradients of a loss to those of the step.
        rank: the number of this process, from 0; each process has a part of the batch.
        world: the number of processes.
        weights: (B,) of the images in all losses but those of costs; ``None``: 1 each.
    """

    images: Tensor
    targets: Tensor
    rng: np.random.Generator
    backward: Callable[[Tensor], None]
    rank: int = 0
    world: int = 1
    weights: Tensor | None = None


class TrainRule(Protocol):
    """Decides which subnets a training step trains, and with which losses.

    ``step`` runs forward and backward for each subnet in turn, so that only one subnet's activations are in memory.
    Gradients add up in the parameters, and the training loop makes one optimiser step. ``step`` returns detached losses
    by name, including ``"loss"``.

    ``weights`` are trainable parameters of the rule, such as weights of its losses; they are trained and saved with the
    network. ``prepare`` is called before each step and returns true if it changed the network's weights; the loop then
    resets momentum and weight average. ``findings`` is what the rule learned, as JSON for the report.
    """

    weights: nn.Module

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool: ...

    def findings(self) -> dict[str, object]: ...

    def step(self, network: Network, given: Step) -> dict[str, Tensor]: ...
