"""Archs from a space: of any size alike, and none below the choices that are elastic yet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from duonas.core.arch import Arch
from duonas.core.space import SearchSpace

FREE = 0.5  # part of the choices that are not tied to the size of the arch


def spread_arch(space: SearchSpace, rng: np.random.Generator) -> Arch:
    """Draw an arch so that small and large ones are as frequent as those in between.

    Uniform choices nearly always add up to an arch of middling size. Here half of the choices are at one level, which
    is drawn from the smallest to the largest, and the other half are uniform.
    """
    level, free = rng.random(), rng.random(len(space.axes)) < FREE
    drawn = {name: int(rng.integers(len(axis.values))) for name, axis in space.axes.items()}
    for (name, axis), apart in zip(space.axes.items(), free, strict=True):
        if not apart and axis.weightless is None:
            drawn[name] = round(level * (len(axis.values) - 1))
    return space.build(drawn)


def raised(space: SearchSpace, arch: Arch, least: Mapping[str, int] | None) -> Arch:
    """``arch`` with no choice below ``least[axis]``; axes that become active get that one."""
    if least is None:
        return arch
    return space.build({name: max(arch.get(name, 0), least[name]) for name in space.axes})


def macs_of(space: SearchSpace, arch: Arch) -> int:
    """Multiply-accumulates of an arch for one image."""
    return sum(block.macs for block in space.blocks(arch))
