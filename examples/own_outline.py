"""A search space of your own out of the shipped blocks: an outline with few channels.

duonas run digits --set space.name="examples/own_outline.py:Slim" --set space.stages=3 --out runs/slim

``own_space.py`` is one with blocks of its own.
"""

from dataclasses import dataclass
from typing import Literal

from duonas.spaces.mobilenet import MobileNet, MobileNetSpace, Preset, Stage
from duonas.spaces.options import NarrowedOptions


class Slim(MobileNet):
    """Inverted residual blocks in one to three stages, each of which halves the map."""

    @dataclass(frozen=True)
    class Options(NarrowedOptions):
        """Keys of ``[space]``: each is followed by its help; what nothing reads is refused."""

        kernel_transform: bool = False
        """Compute smaller kernels from larger ones by learned matrices, as the shipped supernet can."""
        stages: Literal[1, 2, 3] = 2
        """How many stages there are."""

    @classmethod
    def space(cls, options, image_size, classes):
        """The search space; the supernet over it is the shipped one."""
        stages = tuple(Stage(channels, 2) for channels in (16, 24, 40)[: options.stages])
        outline = Preset(image_size, 8, 1, stages, 2, (image_size,), depths=(1, 2), kernels=(3,), expansions=(1, 2))
        return MobileNetSpace(outline, image_size, classes, options.axes)
