"""Where an arch's weights come from, by the names that recipes give: shared by all, or made for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import SpaceOptions
from duonas.core.space import SearchSpace
from duonas.layers.generated import Generator
from duonas.supernet.weights.kshot import Kshot
from duonas.supernet.weights.kshot_hypernet import KshotHypernet

DICTIONARY = {"kshot": 12, "kshot-hypernet": 64}  # paper T's sizes (table 2; appendix A.1)


def make_generator(space: SearchSpace, options: SpaceOptions, rng: np.random.Generator) -> Generator | None:
    """What makes the weights of each arch, or ``None`` where all archs share them.

    Raises:
        DuonasError: no such kind of weights.
    """
    if options.weights == "shared":
        return None
    if options.weights not in _GENERATORS:
        raise DuonasError(f"[space] has no weights {options.weights!r}: {nearest(options.weights, _NAMES)}.")
    return _GENERATORS[options.weights](space, options, options.dictionary or DICTIONARY[options.weights], rng)


def _kshot(space: SearchSpace, options: SpaceOptions, size: int, rng: np.random.Generator) -> Kshot:
    return Kshot(space.whole(), space.tokens_shape, size, rng)


def _hypernet(space: SearchSpace, options: SpaceOptions, size: int, rng: np.random.Generator) -> KshotHypernet:
    return KshotHypernet(space.whole(), space.tokens_shape, size, options.rank, options.mixers, rng)


_GENERATORS: dict[str, Callable[[SearchSpace, SpaceOptions, int, np.random.Generator], Generator]] = {
    "kshot": _kshot,
    "kshot-hypernet": _hypernet,
}
_NAMES = ("shared", *_GENERATORS)
