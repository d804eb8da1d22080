"""The sandwich rule with in-place distillation (US-Nets, section 3; BigNAS, section 3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace, Subnet
from duonas.training.inplace import InPlaceDistillation


class Sandwich(InPlaceDistillation):
    """Each step trains the largest arch on labels, the smallest and random archs on the largest's soft predictions.

    Where little has a tower of its own, its largest, smallest and random archs learn from big's largest too.

    Args:
        pairs: where archs are drawn.
        options: the ``[train]`` table.

    Raises:
        DuonasError: each process is to draw subnets of its own, and none are to be drawn.
    """

    def __init__(self, pairs: PairSpace, options: TrainOptions) -> None:
        super().__init__(pairs, options)
        if options.processes == "subnets" and not options.random_archs:
            raise DuonasError(
                "[train] processes = 'subnets' has nothing to share out with random_archs = 0: the sandwich draws 1 or "
                "more then."
            )

    def students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        """The smallest and random archs of each tower, and the largest of little's."""
        space, split = self.pairs.space, self.pairs.largest().split
        for role in self.pairs.roles:
            if role == "little":
                yield "little_largest", Subnet(space.largest(), role, split)
            prefix, own = ("", 0) if role == "big" else ("little_", split)
            yield f"{prefix}smallest", Subnet(space.smallest(), role, own)
            for _ in range(self.options.random_archs):
                yield f"{prefix}random", self.pairs.sample_subnet(role, rng)
