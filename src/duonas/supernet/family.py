"""The interface of families of networks: a search space and its supernet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from duonas.core.registry import Part, adapted, find
from duonas.core.space import SearchSpace
from duonas.supernet.options import SpaceOptions
from duonas.supernet.supernet import Supernet


class Family(Part, ABC):
    """Builds a search space from the ``[space]`` table; ``supernet`` is the class of its supernet."""

    Options = SpaceOptions
    supernet: ClassVar[type[Supernet]]

    @classmethod
    @abstractmethod
    def space(cls, options: Any, image_size: int, classes: int) -> SearchSpace:
        """Build the search space.

        Args:
            options: the ``[space]`` table, an ``Options`` of this class.
            image_size: side of the images in pixels.
            classes: number of classes K.

        Raises:
            DuonasError: the options cannot be used for these images.
        """

    @classmethod
    def advice(cls, options: Any, image_size: int) -> str:
        """Advice of one sentence on options that can be used for images of this size, but hardly suit them; or empty.

        Args:
            options: the ``[space]`` table, an ``Options`` of this class.
            image_size: side of the images in pixels.
        """
        return ""

    @classmethod
    def objection(cls) -> str:
        """A family must name a supernet class."""
        named = getattr(cls, "supernet", None)
        return "" if isinstance(named, type) and issubclass(named, Supernet) else "supernet must be a Supernet class"


def build_space(family: type[Family], options: SpaceOptions, image_size: int, classes: int) -> SearchSpace:
    """Build the search space of a ``[space]`` table for square images (side in pixels) and K classes.

    Raises:
        DuonasError: the options cannot be used for these images.
    """
    space = family.space(adapted(options, family.Options), image_size, classes)
    space.generated = find("weights", options.weights.name).generates
    return space


def build_supernet(
    family: type[Family],
    space: SearchSpace,
    mean: Sequence[float],
    std: Sequence[float],
    rng: np.random.Generator,
    options: SpaceOptions,
) -> Supernet:
    """Build the supernet of a space by the ``[space]`` table; mean and std are those of images in [0, 1]."""
    supernet = family.supernet(space, mean, std, rng, adapted(options, family.Options))
    weights = find("weights", options.weights.name)
    generator = weights(adapted(options.weights, weights.Options)).generator(space, rng)
    if generator is not None:
        supernet.take_weights_from(generator)
    return supernet
