"""The interface of an arch's weights: shared by all archs, or generated for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from duonas.core.registry import Part
from duonas.core.space import SearchSpace
from duonas.supernet.generator import Generator
from duonas.supernet.options import WeightsOptions


class ArchWeights(Part, ABC):
    """A source of weights.

    Args:
        options: the ``[space.weights]`` table, an ``Options`` of this class.
    """

    Options = WeightsOptions
    generates: ClassVar[bool] = True  # false if all archs share the supernet's weights
    warms_up: ClassVar[bool] = True  # whether there are coefficients that [train] coefficients can hold at first

    def __init__(self, options: Any) -> None:
        self.options = options

    @property
    def origin(self) -> str | None:
        """The folder of the run whose shared weights the generator starts from; ``None`` if there is none."""
        return None

    @abstractmethod
    def generator(self, space: SearchSpace, rng: np.random.Generator) -> Generator | None:
        """The generator of the weights of each arch; ``None`` if all archs share weights.

        Args:
            space: the search space.
            rng: for initialisation.
        """
