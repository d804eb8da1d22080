"""A search space whose stages grow as a whole: their depths, widths, kernels and expansions are tied."""

from __future__ import annotations

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.space import SearchSpace, once_per_arch


class TiedSpace(SearchSpace):
    """The archs of a space whose stages have a few sizes, each with choices that grow together (CompOFA).

    Good networks are deep where they are wide, so the archs in between can be left out: a stage gets one axis
    ``stageN.size`` in place of all its choices that have an order, with as many values as the largest of these; the
    others take the value that is as far on its way from small to large. Choices without an order (operations, kinds of
    block), those that a supernet can mix, and those of the whole network (the resolution) stay as they are.

    Sahni et al., "CompOFA: Compound Once-For-All Networks for Faster Multi-Platform Deployment", ICLR 2021, section 3.
    There kernels have one value; here they are tied too.

    Args:
        free: the space with all combinations; both have the same smallest and largest arch, and the same blocks.

    Raises:
        DuonasError: no stage has choices to tie.
    """

    def __init__(self, free: SearchSpace) -> None:
        self.free, self.mixed = free, free.mixed
        self._fixed = {name: len(axis.values) - 1 for name, axis in free.axes.items()}
        tied: dict[int, list[Axis]] = {}
        for axis in free.axes.values():
            if self._is_tied(axis):
                tied.setdefault(axis.stage, []).append(axis)
        self._levels = {stage: self._distinct(axes) for stage, axes in tied.items()}
        super().__init__(f"{free.name}-tied", self._made(), image_size=free.image_size, classes=free.classes)
        if not any(axis.kind == "size" and axis.name not in free.axes for axis in self.axes.values()):
            raise DuonasError(
                f"[space] tied = true needs stages with several depths, widths, kernels or expansions, and search "
                f"space {free.name!r} has none: leave it out."
            )

    def freed(self, arch: Arch) -> Arch:
        """The same network as an arch of the free space."""
        indices = dict(self._fixed)
        for name, index in arch.choices:
            indices.update({name: index} if name in self.free.axes else self._levels[self.axes[name].stage][index])
        return self.free.build(indices)

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

    def text(self, arch: Arch) -> str | None:
        """The name of the free space's arch in published tables."""
        return self.free.text(self.freed(arch))

    @property
    def stages(self) -> int:
        """The number of stages of the free space, whose last ones may have no choices here."""
        return self.free.stages

    def _is_tied(self, axis: Axis) -> bool:
        return axis.stage > 0 and axis.weightless is None and axis.name not in self.free.mixed

    def _distinct(self, axes: list[Axis]) -> list[dict[str, int]]:
        """The indices of a stage's axes at each of its sizes, without sizes of equal networks."""
        most = max(len(axis.values) for axis in axes)
        found: dict[Arch, dict[str, int]] = {}
        for level in range(most):
            done = level / max(1, most - 1)
            indices = {axis.name: int(done * (len(axis.values) - 1) + 0.5) for axis in axes}
            found[self.free.build(self._fixed | indices)] = indices
        return list(found.values())

    def _made(self) -> list[Axis]:
        made: dict[str, Axis] = {}
        for axis in self.free.axes.values():
            if self._is_tied(axis):
                name, count = f"stage{axis.stage}.size", len(self._levels[axis.stage])
                if count > 1 and name not in made:
                    values = tuple(round(level / (count - 1), 2) for level in range(count))
                    made[name] = Axis(name, values, stage=axis.stage)
            else:
                made[axis.name] = self._kept(axis)
        return list(made.values())

    def _kept(self, axis: Axis) -> Axis:
        """An axis that is not tied; where its parent is, it is active from the first size on that has it."""
        parent = self.free.axes[axis.parent] if axis.parent else None
        if parent is None or not self._is_tied(parent):
            return axis
        sizes = [indices[parent.name] >= axis.minimum for indices in self._levels[parent.stage]]
        tied = f"stage{parent.stage}.size" if len(sizes) > 1 else None
        return Axis(axis.name, axis.values, tied, sizes.index(True) if tied else 0, axis.stage, axis.weightless)
