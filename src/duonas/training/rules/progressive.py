"""Progressive shrinking (Once-for-All: Cai et al. 2020, section 3; paper D, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from torch import Tensor, nn

from duonas.core.axis import Axis
from duonas.core.errors import DuonasError
from duonas.core.fields import CountOrZero
from duonas.core.pair import PairSpace, Subnet
from duonas.core.protocols import Step
from duonas.core.space import SearchSpace
from duonas.training.inplace import InPlaceDistillation
from duonas.training.losses import label_loss
from duonas.training.options import PhaseOptions, TrainOptions

CHANNELS = ("expansion", "width", "size")  # kinds of axes that select leading channels
STEPWISE = ("depth", *CHANNELS)  # their larger half of values becomes elastic first
FIRST_STEP = 1 / 6  # fraction of the phase with the larger half only; in OFA 25 of 145 epochs


class Phases:
    """The schedule of elastic choices, as a function of the fraction of the run that is done, from 0 to 1.

    Args:
        space: the search space; kinds of axes are keys of the options. Other kinds become elastic with the first one.
        options: the ``[train.phases]`` table.
    """

    def __init__(self, space: SearchSpace, options: PhaseOptions) -> None:
        starts: dict[str, float] = asdict(options)
        self._axes = space.axes
        kinds = dict.fromkeys(axis.kind for axis in space.axes.values() if len(axis.values) > 1)
        self._starts = {kind: starts.get(kind, min(starts.values())) for kind in kinds}

    def elastic(self, done: float) -> bool:
        """Whether any axis is elastic."""
        return any(start <= done for start in self._starts.values())

    def least(self, done: float) -> dict[str, int]:
        """Return the smallest allowed index of each axis; the last index if it is not elastic yet."""
        return {name: self._least(axis, done) for name, axis in self._axes.items()}

    def widens(self, done: float) -> bool:
        """Whether subnets may have fewer channels than the largest."""
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
    """Trains first the largest network only, then subnets with more and more choices: kernels, depths, widths.

    Each step trains big's largest network on labels, and ``random_archs`` subnets of each tower on labels and on the
    largest's soft predictions; axes that are not elastic yet have their largest value. A little with a separate tower
    trains its largest network like a subnet from the first step on; splits are random throughout. Channels are sorted
    by importance once, before widths become elastic.

    Args:
        pairs: the pair space to sample from.
        options: the ``[train]`` table.

    Raises:
        DuonasError: ``random_archs`` is 0, or weights are generated for each arch.
    """

    samples, on_labels = True, True

    @dataclass(frozen=True)
    class Options(TrainOptions):
        """Keys of ``[train]``."""

        rule: str = "progressive"
        random_archs: CountOrZero = 2
        """Random archs per step, in addition to the largest."""
        phases: PhaseOptions = field(default_factory=PhaseOptions)
        """When each kind of axis becomes elastic."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__(pairs, options)
        if not options.random_archs:
            raise DuonasError(
                "[train] random_archs = 0 would train only the largest network: progressive shrinking needs at least 1."
            )
        if pairs.generated:
            raise DuonasError(
                "progressive shrinking sorts channels, so it needs weights that all archs share: use [space] weights = "
                "'shared', or another training rule."
            )
        self.random_archs = options.random_archs
        self._phases = {role: Phases(space, options.phases) for role, space in pairs.spaces.items()}
        self._done = 0.0

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Enter the phase of this step, and sort the channels before the first step with elastic widths."""
        super().prepare(network, step, steps)
        self._done = step / steps
        if not self._widens(self._done) or self._widens((step - 1) / steps):
            return False
        network.sort_channels()  # type: ignore[operator]
        return True

    def students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        """Yield random subnets of each tower, and little's largest."""
        for role in self.pairs.roles:
            space, phases = self.pairs.spaces[role], self._phases[role]
            least = phases.least(self._done)
            if role == "little":
                yield "little_largest", replace(self.pairs.sample_subnet(role, rng), arch=space.largest())
            name = "random" if role == "big" else "little_random"
            for _ in range(self.random_archs if phases.elastic(self._done) else 0):
                yield name, self.sampler.subnet(role, rng, least)

    def student_loss(self, logits: Tensor, soft: Tensor, given: Step) -> Tensor:
        """Return the sum of the losses on labels and on soft predictions, as in OFA."""
        labelled = label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
        return labelled + super().student_loss(logits, soft, given)

    def _widens(self, done: float) -> bool:
        """Whether subnets of any tower may have fewer channels than its largest."""
        return any(phases.widens(done) for phases in self._phases.values())
