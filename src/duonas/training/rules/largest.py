"""The largest arch alone, on labels: the warm start of a supernet, or a network to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from duonas.core.pair import Subnet
from duonas.training.inplace import InPlaceDistillation
from duonas.training.options import TrainOptions


class Largest(InPlaceDistillation):
    """Each step trains big's largest arch on labels, and little's, where there are two towers, on its predictions."""

    @dataclass(frozen=True)
    class Options(TrainOptions):
        """Keys of ``[train]``."""

        rule: str = "largest"

    def students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        """Yield little's largest arch."""
        if "little" in self.pairs.roles:
            split = self.pairs.largest().split
            yield "little_largest", Subnet(self.pairs.spaces["little"].largest(), "little", split)
