"""What the rooms of duonas ask of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost
from duonas.core.pair import PairArch, Subnet

if TYPE_CHECKING:
    from torch import Tensor, nn

    from duonas.core.trial import Candidate, Trial


class Progress(Protocol):
    """Told of long work, before it how much was done in an earlier time, and after each unit.

    The command line draws a bar from it, and says where work goes on.
    """

    def __call__(self, done: int, total: int, **figures: float) -> None: ...


def silent(done: int, total: int, **figures: float) -> None:
    """The progress that nobody watches."""


class CostModel(Protocol):
    """Prices a run of blocks: a whole arch (``space.blocks(arch)``) or a part of one."""

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost: ...


class PairLogits(Protocol):
    """Logits (B, K) of both towers, what the shared blocks gave, and what each head read (B, C, H, W)."""

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
    """The weights of all pairs as a rule sees them; ``feature_mask`` (B, F) is the rule's dropout, for big."""

    def __call__(self, images: Tensor, subnet: Subnet, feature_mask: Tensor | None = None) -> Tensor:
        """Images (B, 3, H, W) to one subnet's logits (B, K)."""
        ...

    def pair(self, images: Tensor, pair: PairArch, feature_mask: Tensor | None = None) -> PairLogits:
        """Images (B, 3, H, W) to a pair's logits; shared blocks run once."""
        ...

    def mixed(
        self, images: Tensor, subnet: Subnet, mixture: Mapping[str, Tensor], feature_mask: Tensor | None = None
    ) -> Tensor:
        """Images (B, 3, H, W) to the logits (B, K) of all operations together; see ``PairSupernet.mixed``."""
        ...


@dataclass(frozen=True)
class Step:
    """What a training step is given.

    Args:
        images: (B, 3, H, W) in [0, 1].
        targets: classes (B,) or probabilities (B, K).
        rng: what its subnets are drawn from.
        backward: adds a loss' gradients to those of the step.
    """

    images: Tensor
    targets: Tensor
    rng: np.random.Generator
    backward: Callable[[Tensor], None]


class TrainRule(Protocol):
    """What one training step does with a supernet: which subnets, which losses.

    ``step`` runs forward and backward for every subnet it draws, so that only one subnet's activations are alive at a
    time; gradients add up in the parameters and the loop makes the one optimiser step. It returns detached losses by
    name, ``"loss"`` among them.

    ``weights`` are what the rule itself learns (weights of its losses, say), empty for most: they are trained and
    checkpointed with the network. ``prepare`` is called before each step; where it rewrites the network's weights it
    says so by returning true, and the loop forgets the momentum and the average of the old ones. ``findings`` is what a
    reader of the run may want to know of what it learned, as JSON; nothing for most.
    """

    weights: nn.Module

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool: ...

    def findings(self) -> dict[str, object]: ...

    def step(self, network: Network, given: Step) -> dict[str, Tensor]: ...


class Strategy(Protocol):
    """Proposes pairs and learns from their trials; seeded, so a search resumes by replay.

    ``ask`` gives at most ``n`` pairs never asked before, none when it knows no more; ``tell`` takes their trials, in
    the order asked, before the next ``ask``.
    """

    def ask(self, n: int) -> list[Candidate]: ...

    def tell(self, trials: Sequence[Trial]) -> None: ...
