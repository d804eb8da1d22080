"""A search space that has some of the archs of another one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import BlockSpec
from duonas.core.space import SearchSpace, once_per_arch


class RestrictedSpace(SearchSpace):
    """Some of the archs of a space, chosen by fewer axes; a subclass defines ``freed``.

    Args:
        free: the space with all archs; both have the same largest arch, and the same blocks.
        kind: of the restriction, which ends the name.
        axes: the choices; those of the free space that stay have the same names.
    """

    def __init__(self, free: SearchSpace, kind: str, axes: list[Axis]) -> None:
        self.free, self.mixed = free, free.mixed
        super().__init__(f"{free.name}-{kind}", axes, image_size=free.image_size, classes=free.classes)

    @abstractmethod
    def freed(self, arch: Arch) -> Arch:
        """The same network as an arch of the free space."""

    @once_per_arch
    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """The blocks of the free space's arch."""
        return self.free.blocks(self.freed(arch))

    def whole(self) -> tuple[BlockSpec, ...]:
        """The blocks of the free space: its largest arch is an arch of this space."""
        return self.free.whole()

    def mixed_blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """The blocks of the free space's arch with the layers of every value on the ``mixed`` axes."""
        return self.free.mixed_blocks(self.freed(arch))

    def maximal(self) -> tuple[Arch, ...]:
        """The free space's maximal archs."""
        last = {name: len(axis.values) - 1 for name, axis in self.axes.items()}
        return tuple(dict.fromkeys(self.build(last | dict(arch.choices)) for arch in self.free.maximal()))

    def channels(self, stage: int, width: Any) -> int:
        """The number of channels of a stage at a value of its width, as in the free space."""
        return self.free.channels(stage, width)

    def text(self, arch: Arch) -> str | None:
        """The name of the free space's arch in published tables."""
        return self.free.text(self.freed(arch))

    @property
    def stages(self) -> int:
        """The number of stages of the free space, whose last ones may have no choices here."""
        return self.free.stages
