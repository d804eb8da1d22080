"""What the rooms of duonas ask of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.cost import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from duonas.core.trial import Candidate, Trial


class Progress(Protocol):
    """Told after each unit of long work; the command line draws a bar from it."""

    def __call__(self, done: int, total: int, **figures: float) -> None: ...


def silent(done: int, total: int, **figures: float) -> None:
    """The progress that nobody watches."""


class CostModel(Protocol):
    """Prices a run of blocks: a whole arch (``space.blocks(arch)``) or a part of one."""

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost: ...


class Forward(Protocol):
    """Runs one subnet: images (B, 3, H, W) to logits (B, K); ``feature_mask`` (B, F) is the rule's dropout."""

    def __call__(self, images: Tensor, arch: Arch, feature_mask: Tensor | None = None) -> Tensor: ...


class TrainRule(Protocol):
    """What one training step does with a supernet: which archs, which losses.

    ``step`` runs forward and backward for every arch it draws, so that only one subnet's activations are alive at a
    time; gradients add up in the parameters and the loop makes the one optimiser step. It returns detached losses by
    name, ``"loss"`` among them.
    """

    def step(
        self,
        forward: Forward,
        images: Tensor,
        targets: Tensor,
        rng: np.random.Generator,
        backward: Callable[[Tensor], None],
    ) -> dict[str, Tensor]: ...


class Strategy(Protocol):
    """Proposes pairs and learns from their trials; seeded, so a search resumes by replay.

    ``ask`` gives at most ``n`` pairs never asked before, none when it knows no more; ``tell`` takes their trials, in
    the order asked, before the next ``ask``.
    """

    def ask(self, n: int) -> list[Candidate]: ...

    def tell(self, trials: Sequence[Trial]) -> None: ...


class Router(Protocol):
    """A score per input, higher = keep little. The threshold is chosen afterwards, for a floor or a budget."""

    @property
    def name(self) -> str: ...

    @property
    def position(self) -> str: ...

    @property
    def macs(self) -> int: ...

    def score(self, logits: Tensor) -> Tensor:
        """(N, K) logits of little to (N,) scores."""
        ...
