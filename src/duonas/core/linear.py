"""A search space whose widths lie on a line from the first stage to the last."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.errors import DuonasError
from duonas.core.restricted import RestrictedSpace
from duonas.core.space import SearchSpace

LEAST = 3  # stages with widths: two are a line in any case


class LinearSpace(RestrictedSpace):
    """The archs of a space whose numbers of channels follow one quantised line over the stages (RegNet).

    Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, section 3.3: good networks have about
    w_0 + w_a i channels in stage i, so one initial width and one slope take the place of a width for every stage. Here
    the line is given by the widths of the first and the last stage, which stay choices, and each stage between them has
    the width nearest to it, the smaller of two. A line is below another one everywhere if it is at both ends, so that
    these two axes have the order that one arch's weights are a part of another's, as all other axes do.

    Both choices are of the whole network: the towers of a partial pair have the same line, and a supernet cannot sum
    over them, so that strategies with gradients refuse the space.

    Args:
        free: the space with a width for each stage; both have the same largest arch, and the same blocks.

    Raises:
        DuonasError: fewer than three stages have widths, or the largest line misses the widest of a stage.
    """

    relaxed_by_stages = False

    def __init__(self, free: SearchSpace) -> None:
        widths = {axis.name: axis for axis in free.axes.values() if axis.kind == "width" and axis.stage > 0}
        if len(widths) < LEAST:
            raise DuonasError(
                f"[space] widths = 'linear' needs a search space with widths in at least {LEAST} stages, and "
                f"{free.name!r} has {len(widths)}: leave it out."
            )
        self._first, *self._between, self._last = widths.values()
        ends = self._first.name, self._last.name
        axes = [axis for axis in free.axes.values() if axis not in self._between]
        super().__init__(free, "linear", [replace(axis, stage=0) if axis.name in ends else axis for axis in axes])
        largest, most = self.freed(self.largest()), free.largest()
        for axis in self._between:
            if largest[axis.name] != most[axis.name]:
                raise DuonasError(
                    f"[space] widths = 'linear': no line from {ends[0]} to {ends[1]} comes near the widest of "
                    f"{axis.name}, {axis.values[-1]:g}: leave it out by [space.axes], so that {axis.name} is at most "
                    f"{axis.values[largest[axis.name]]:g}."
                )

    def freed(self, arch: Arch) -> Arch:
        """The same network as an arch of the free space."""
        indices = dict(arch.choices)
        start, end = (self._channels(axis, indices[axis.name]) for axis in (self._first, self._last))
        for axis in self._between:
            done = (axis.stage - self._first.stage) / (self._last.stage - self._first.stage)
            line = start + done * (end - start)
            apart = [abs(self._channels(axis, index) - line) for index in range(len(axis.values))]
            indices[axis.name] = apart.index(min(apart))
        return self.free.build(indices)

    def _channels(self, axis: Axis, index: int) -> float:
        return self.free.channels(axis.stage, axis.values[index])
