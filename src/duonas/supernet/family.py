"""The interface of families of networks: a search space and its supernet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.linear import LinearSpace
from duonas.core.registry import Part, adapted, find
from duonas.core.restricted import RestrictedSpace
from duonas.core.space import SearchSpace
from duonas.core.tied import SIZE, TiedSpace
from duonas.supernet.arch_weights import ArchWeights
from duonas.supernet.generator import Generator
from duonas.supernet.options import SpaceOptions
from duonas.supernet.supernet import Supernet


class Family(Part, ABC):
    """Builds a search space from the ``[space]`` table; ``supernet`` is the class of its supernet.

    ``published`` are the names in timm of the networks that the largest archs of its presets are, by preset, for
    ``[space] pretrained``.
    """

    Options = SpaceOptions
    supernet: ClassVar[type[Supernet]]
    published: ClassVar[Mapping[str, str]] = {}

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
    options, sizes = without_sizes(options)
    space = family.space(adapted(options, family.Options), image_size, classes)
    _check(space, family.name, image_size, classes)
    if options.tied and options.widths == "linear":
        raise DuonasError("[space] tied = true has sizes in place of widths, and widths = 'linear' a line: choose one.")
    if options.tied:
        space = TiedSpace(space, sizes)
    elif options.widths == "linear":
        space = LinearSpace(space)
    space.generated = find("weights", options.weights.name).generates
    space.relaxes = family.supernet.relaxes and space.relaxed_by_stages
    return space


def without_sizes(options: Any) -> tuple[Any, dict[str, Any]]:
    """Return a ``[space]`` table as its family reads it, and the sizes of tied stages that its ``axes`` keep."""
    axes = getattr(options, "axes", None)
    if not options.tied or not isinstance(axes, Mapping):
        return options, {}
    sizes = {name: values for name, values in axes.items() if name.rpartition(".")[2] == SIZE}
    rest = {name: values for name, values in axes.items() if name not in sizes}
    return (replace(options, axes=rest) if sizes else options), sizes


def _check(space: SearchSpace, name: str, image_size: int, classes: int) -> None:
    if not isinstance(space, SearchSpace):
        raise DuonasError(f"[space] name = {name!r}: space() must return a SearchSpace, got {type(space).__name__}.")
    for what, found, wanted in (("image_size", space.image_size, image_size), ("classes", space.classes, classes)):
        if found != wanted:
            raise DuonasError(f"[space] name = {name!r}: space() was given {what} = {wanted}, its space has {found}.")
    blocks = space.blocks(space.largest())
    if not isinstance(blocks, tuple) or not all(isinstance(each, BlockSpec) for each in blocks):
        raise DuonasError(f"[space] name = {name!r}: blocks() must return a tuple of BlockSpec.")


def build_supernet(
    family: type[Family],
    space: SearchSpace,
    mean: Sequence[float],
    std: Sequence[float],
    rng: np.random.Generator,
    options: SpaceOptions,
    start: Mapping[str, Tensor] | None = None,
) -> Supernet:
    """Build the supernet of a space by the ``[space]`` table; mean and std are those of images in [0, 1].

    ``start`` are the weights of the same supernet with shared weights, by name, which norms, classifier, mean and std
    are taken from, and which the generator of the convolutions starts from. Missing ones stay as they are drawn.
    """
    free = space.free if isinstance(space, RestrictedSpace) else space
    supernet = family.supernet(free, mean, std, rng, adapted(options, family.Options))
    supernet.space = space  # from now on it is asked for archs, no longer how to build its blocks
    if start is not None:
        supernet.load_state_dict(start, strict=False)
    generator = weights_of(options).generator(space, rng)
    if generator is not None:
        if not isinstance(generator, Generator):
            raise DuonasError(
                f"[space.weights] name = {options.weights.name!r}: generator() must return a Generator or None, got "
                f"{type(generator).__name__}."
            )
        if start is not None:
            generator.start_from(supernet.kernels())
        supernet.take_weights_from(generator)
    return supernet


def weights_of(options: SpaceOptions) -> ArchWeights:
    """Return the source of weights that a ``[space]`` table names."""
    found: type[ArchWeights] = find("weights", options.weights.name)
    return found(adapted(options.weights, found.Options))
