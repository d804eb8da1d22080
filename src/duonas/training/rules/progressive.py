"""Progressive shrinking (Once-for-All: Cai et al. 2020, section 3; paper D, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.options import PhaseOptions, TrainOptions
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.space import Axis, SearchSpace
from duonas.training.inplace import InPlaceDistillation
from duonas.training.losses import label_loss

CHANNELS = ("expansion", "width")  # kinds of axes by which subnets keep the leading channels only
STEPWISE = ("depth", *CHANNELS)  # of these the larger half of the values becomes elastic a while before the others
FIRST_STEP = 1 / 6  # that while, as a part of the phase; in OFA 25 of 145 epochs


class Phases:
    """Which choices are elastic when: a pure function of the part of the run that is done, from 0 to 1.

    Args:
        space: whose axes; their kinds are the options' names. A kind without one becomes elastic with the first.
        options: the ``[train.phases]`` table.
    """

    def __init__(self, space: SearchSpace, options: PhaseOptions) -> None:
        starts: dict[str, float] = asdict(options)
        self._axes = space.axes
        kinds = dict.fromkeys(axis.kind for axis in space.axes.values() if len(axis.values) > 1)
        self._starts = {kind: starts.get(kind, min(starts.values())) for kind in kinds}

    def elastic(self, done: float) -> bool:
        """Whether there is any choice yet."""
        return any(start <= done for start in self._starts.values())

    def least(self, done: float) -> dict[str, int]:
        """The smallest index allowed on each axis; the last one where an axis is not elastic yet."""
        return {name: self._least(axis, done) for name, axis in self._axes.items()}

    def widens(self, done: float) -> bool:
        """Whether some subnets may be narrow."""
        return any(start <= done for kind, start in self._starts.items() if kind in CHANNELS)

    def _least(self, axis: Axis, done: float) -> int:
        last = len(axis.values) - 1
        start = self._starts.get(axis.kind, 0.0)
        if done < start:
            return last
        end = min((other for other in self._starts.values() if other > start), default=1.0)
        if axis.kind in STEPWISE and done < start + FIRST_STEP * (end - start):
            return last // 2
        return 0


class Progressive(InPlaceDistillation):
    """The largest network alone, then subnets with ever more choices: by default kernels, depths, widths.

    Each step trains big's largest network on labels, and ``random_archs`` subnets of each tower on labels and on the
    largest's soft predictions; what is not elastic yet stays at its largest in them. Where little has a tower of its
    own, its largest network learns like a subnet, from the first step on; splits are drawn throughout. Before widths
    become elastic the channels are sorted by importance, once.

    Args:
        pairs: where subnets are drawn.
        options: the ``[train]`` table.

    Raises:
        DuonasError: no subnets are to be drawn, or weights are made for each arch.
    """

    def __init__(self, pairs: PairSpace, options: TrainOptions) -> None:
        super().__init__(pairs, options)
        if not options.random_archs:
            raise DuonasError(
                "[train] random_archs = 0 would train the largest network alone: progressive shrinking draws 1 or more."
            )
        if pairs.space.generated:
            raise DuonasError(
                "progressive shrinking sorts the channels of weights that all archs share: [space] weights = 'shared', "
                "or another training rule."
            )
        self._phases = Phases(pairs.space, options.phases)
        self._done = 0.0

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Enter the phase of this step; the first one with widths sorts the channels."""
        self._done = step / steps
        if not self._phases.widens(self._done) or self._phases.widens((step - 1) / steps):
            return False
        network.sort_channels()  # type: ignore[operator]
        return True

    def students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        """Subnets of the phase, of each tower, and the largest of little's."""
        space = self.pairs.space
        least = self._phases.least(self._done)
        draws = self.options.random_archs if self._phases.elastic(self._done) else 0
        for role in self.pairs.roles:
            if role == "little":
                yield "little_largest", self._placed(space.largest(), role, rng)
            name = "random" if role == "big" else "little_random"
            for _ in range(draws):
                yield name, self._placed(space.sample_above(least, rng), role, rng)

    def student_loss(self, logits: Tensor, soft: Tensor, targets: Tensor) -> Tensor:
        """Labels and soft predictions in equal parts, as in OFA."""
        return label_loss(logits, targets, self.options.label_smoothing) + super().student_loss(logits, soft, targets)

    def _placed(self, arch: Arch, role: Role, rng: np.random.Generator) -> Subnet:
        return replace(self.pairs.sample_subnet(role, rng), arch=arch)
