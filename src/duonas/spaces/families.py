"""Which families of networks there are, by name; a user's own is named by its file."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import SpaceOptions
from duonas.core.plugin import is_own, load_own

if TYPE_CHECKING:
    from duonas.core.space import SearchSpace
    from duonas.supernet.supernet import Family, Supernet

USED_BY = {  # keys of [space] to the weights that they are about
    "dictionary": ("kshot", "kshot-hypernet"),
    "rank": ("kshot-hypernet",),
    "mixers": ("kshot-hypernet",),
}
SHIPPED = {
    "mobilenet": "duonas.spaces.mobilenet",
    "nasbench201": "duonas.spaces.nasbench201",
    "uib": "duonas.spaces.uib",
}


def family(name: str) -> Family:
    """The family of that name, or the one that ``path/to/file.py:NAME`` holds.

    Raises:
        DuonasError: there is none.
    """
    if is_own(name):
        own: Family = load_own(name, "[space] name")
        return own
    if name not in SHIPPED:
        raise DuonasError(f"no search space {name!r}: {nearest(name, SHIPPED)}, or name your own as file.py:NAME.")
    found: Family = importlib.import_module(SHIPPED[name]).FAMILY
    return found


def build_space(family: Family, options: SpaceOptions, image_size: int, classes: int) -> SearchSpace:
    """The search space of a ``[space]`` table for images of that side in pixels and K classes.

    Raises:
        DuonasError: the table cannot be used.
    """
    for key, kinds in USED_BY.items():
        value = getattr(options, key)
        if options.weights not in kinds and value != getattr(SpaceOptions(), key):
            raise DuonasError(
                f"[space] {key} = {value} is for weights that are made for each arch: give weights = "
                f"{' or '.join(map(repr, kinds))} with it, or leave it out."
            )
    space = family.space(options, image_size, classes)
    space.generated = options.weights != "shared"
    return space


def build_supernet(
    family: Family,
    space: SearchSpace,
    mean: Sequence[float],
    std: Sequence[float],
    rng: np.random.Generator,
    options: SpaceOptions,
) -> Supernet:
    """The supernet over a space, with weights as the ``[space]`` table asks; mean and std of images in [0, 1]."""
    from duonas.supernet.weights.generators import make_generator  # torch comes with it

    supernet = family.supernet(space, mean, std, rng, options)
    generator = make_generator(space, options, rng)
    if generator is not None:
        supernet.take_weights_from(generator)
    return supernet
