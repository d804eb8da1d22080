"""Single paths through a search space, sampled so that each step trains all choices equally, or some of them first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from duonas.core.arch import Arch
from duonas.core.space import SearchSpace


def fair_paths(space: SearchSpace, rng: np.random.Generator) -> Iterator[Arch]:
    """As many archs as the largest axis has values, so that every value of every axis is used (FairNAS, section 3).

    Each axis draws its values without replacement; one with fewer values draws them all again when they are used up.

    Args:
        space: the search space.
        rng: random generator for sampling.
    """
    for choices in _fair({name: np.zeros(len(axis.values)) for name, axis in space.axes.items()}, rng):
        yield space.build(choices)


def focused_paths(space: SearchSpace, rng: np.random.Generator, logits: Mapping[str, np.ndarray]) -> Iterator[Arch]:
    """Fair on some axes, where values with high logits come early, and so together (Focus-Fair, paper T, section 3.3).

    Sizes, the axes without logits, are a sandwich's around that (appendix A.1): one path has the smallest, the others
    have random ones. Which one is drawn: good values meet in the first, and would else never meet at another size.

    Args:
        space: the search space.
        rng: random generator for sampling.
        logits: (V,) by axis.
    """
    paths, sized = list(_fair(logits, rng)), len(logits) < len(space.axes)
    least = int(rng.integers(len(paths))) if sized else 0
    for path, choices in enumerate(paths):
        sizes = space.smallest() if path == least or not sized else space.sample(rng)
        yield space.build({name: sizes.get(name, 0) for name in space.axes} | choices)


def _fair(logits: Mapping[str, np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, int]]:
    """Values by axis, each axis' drawn without replacement by a softmax over its logits (V,), again when used up."""
    count = max(map(len, logits.values()))
    # The order of logits with Gumbel noise is that of draws without replacement.
    orders = {
        name: np.concatenate([np.argsort(-(row + rng.gumbel(size=len(row)))) for _ in range(-(-count // len(row)))])
        for name, row in logits.items()
    }
    for path in range(count):
        yield {name: int(order[path]) for name, order in orders.items()}
