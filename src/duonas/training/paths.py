"""Single paths through a search space, drawn so that each step treats all choices alike, or favours some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from duonas.core.arch import Arch
from duonas.core.space import SearchSpace


def fair_paths(
    space: SearchSpace, rng: np.random.Generator, logits: Mapping[str, np.ndarray] | None = None
) -> Iterator[Arch]:
    """As many archs as the largest axis has values; together they have every value of every axis (FairNAS, section 3).

    Each axis draws its values without replacement, by a softmax over ``logits`` where it has some, evenly otherwise;
    one with fewer values draws them all again when they are used up.

    Args:
        space: whose axes.
        rng: of the draws.
        logits: (V,) by axis: values with high ones come early, and so together (Focus-Fair: paper T, section 3.3).
    """
    count = max(len(axis.values) for axis in space.axes.values())
    orders = {}
    for name, axis in space.axes.items():
        values = len(axis.values)
        weights = np.zeros(values) if logits is None or name not in logits else logits[name]
        rounds = -(-count // values)
        # The order of logits with Gumbel noise is that of draws without replacement.
        orders[name] = np.concatenate([np.argsort(-(weights + rng.gumbel(size=values))) for _ in range(rounds)])
    for path in range(count):
        yield space.build({name: int(order[path]) for name, order in orders.items()})
