"""The sandwich rule with in-place distillation (US-Nets, section 3; BigNAS, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.fields import CountOrZero
from duonas.core.pair import PairSpace, Subnet
from duonas.training.inplace import InPlaceDistillation
from duonas.training.options import TrainOptions


class Sandwich(InPlaceDistillation):
    """Each step trains the largest arch on labels, the smallest and drawn archs on the largest's soft predictions.

    A little with a separate tower trains its largest, smallest and random archs on big's largest too; its largest also
    on labels, if the towers share nothing.

    Args:
        pairs: the pair space to sample from.
        options: the ``[train]`` table.

    Raises:
        DuonasError: ``processes`` is ``"subnets"`` and ``random_archs`` is 0.
    """

    samples = True

    @dataclass(frozen=True)
    class Options(TrainOptions):
        """Keys of ``[train]``."""

        random_archs: CountOrZero = 2
        """Archs that are drawn per step, in addition to the largest and the smallest."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__(pairs, options)
        self.random_archs = options.random_archs
        self._several = [role for role in pairs.roles if pairs.spaces[role].size() > 1]
        if options.processes == "subnets" and not options.random_archs:
            raise DuonasError(
                "[train] processes = 'subnets' distributes random archs over processes: set random_archs to at least 1."
            )

    def students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        """Yield the smallest and random archs of each tower, and little's largest; a tower may have that one alone."""
        split = self.pairs.largest().split
        for role in self.pairs.roles:
            space = self.pairs.spaces[role]
            if role == "little":
                yield "little_largest", Subnet(space.largest(), role, split)
            if role not in self._several:
                continue
            prefix, own = ("", 0) if role == "big" else ("little_", split)
            yield f"{prefix}smallest", Subnet(space.smallest(), role, own)
            for _ in range(self.random_archs):
                yield f"{prefix}random", self.sampler.subnet(role, rng)
