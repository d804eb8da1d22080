"""A search space whose stages grow as a whole: their depths, widths, kernels and expansions are tied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.errors import DuonasError, nearest
from duonas.core.restricted import RestrictedSpace
from duonas.core.space import SearchSpace

SIZE = "size"  # the kind of the axes that stand for those of a stage


class TiedSpace(RestrictedSpace):
    """The archs of a space whose stages have a few sizes, each with choices that grow together (CompOFA).

    Good networks are deep where they are wide, so the archs in between can be left out: a stage gets one axis
    ``stageN.size`` in place of all its choices that have an order, with as many values as the largest of these; the
    others take the value that is as far on its way from small to large. Choices without an order (operations, kinds of
    block), those that a supernet can mix, and those of the whole network (the resolution) stay as they are.

    Sahni et al., "CompOFA: Compound Once-For-All Networks for Faster Multi-Platform Deployment", ICLR 2021, section 3.
    There kernels have one value; here they are tied too.

    Args:
        free: the space with all combinations; both have the same largest arch, and the same blocks.
        narrow: the sizes to keep, of all stages as ``size`` or of one as ``stage2.size``; default: all, so that the
            smallest arch is the same, too.

    Raises:
        DuonasError: no stage has choices to tie, or ``narrow`` has an unknown name or value, or leaves out the largest.
    """

    def __init__(self, free: SearchSpace, narrow: Mapping[str, Sequence[Any]] | None = None) -> None:
        self.free = free
        self._fixed = {name: len(axis.values) - 1 for name, axis in free.axes.items()}
        tied: dict[int, list[Axis]] = {}
        for axis in free.axes.values():
            if self._is_tied(axis):
                tied.setdefault(axis.stage, []).append(axis)
        self._levels = {stage: self._distinct(axes) for stage, axes in tied.items()}
        if not any(len(levels) > 1 for levels in self._levels.values()):
            raise DuonasError(
                f"[space] tied = true needs stages with several depths, widths, kernels or expansions, and search "
                f"space {free.name!r} has none: leave it out."
            )
        self._values = {stage: _evenly(len(levels)) for stage, levels in self._levels.items() if len(levels) > 1}
        self._keep(dict(narrow or {}))
        super().__init__(free, "tied", self._made())

    def _keep(self, narrow: Mapping[str, Sequence[Any]]) -> None:
        """Leave out the sizes that are not wanted."""
        known = {_size(stage): stage for stage in self._values}
        for name, wanted in narrow.items():
            if name not in known and name != SIZE:
                raise DuonasError(f"[space.axes] has no axis {name!r}: {nearest(name, [SIZE, *known])}.")
            whole = {value for values in self._values.values() for value in values}
            offered = sorted(whole) if name == SIZE else list(self._values[known[name]])
            if unknown := [value for value in wanted if value not in offered]:
                raise DuonasError(f"[space.axes] {name} has no value {unknown[0]!r}: choose from {offered}.")
            if offered[-1] not in wanted:
                raise DuonasError(
                    f"[space.axes] {name} must keep {offered[-1]:g}, the largest, which the supernet is built for: for "
                    "a smaller one leave out values of width, depth, kernel or expansion."
                )
        for name, stage in known.items():
            wanted = [set(narrow[key]) for key in (SIZE, name) if key in narrow]
            kept = [i for i, value in enumerate(self._values[stage]) if all(value in each for each in wanted)]
            self._values[stage] = tuple(self._values[stage][index] for index in kept)
            self._levels[stage] = [self._levels[stage][index] for index in kept]

    def freed(self, arch: Arch) -> Arch:
        """The same network as an arch of the free space."""
        indices = dict(self._fixed)
        for name, index in arch.choices:
            indices.update({name: index} if name in self.free.axes else self._levels[self.axes[name].stage][index])
        return self.free.build(indices)

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
                name, values = _size(axis.stage), self._values.get(axis.stage, ())
                if len(values) > 1 and name not in made:
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
        tied = _size(parent.stage) if len(sizes) > 1 else None
        return Axis(axis.name, axis.values, tied, sizes.index(True) if tied else 0, axis.stage, axis.weightless)


def _size(stage: int) -> str:
    """The name of the axis of a stage's sizes."""
    return f"stage{stage}.{SIZE}"


def _evenly(count: int) -> tuple[float, ...]:
    """So many values (at least 2) from 0 to 1."""
    return tuple(round(level / (count - 1), 2) for level in range(count))
