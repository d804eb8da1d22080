"""What presets whose largest arch is a published network of timm have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from duonas.core.block import EPS, BlockSpec, Padding, conformed

WIDTHS = (0.5, 0.75, 1.0)  # of a stage's channels
SHARES = (0.5, 0.75, 1.0)  # of a block's hidden channels
IMAGE_SIZE = 224  # side of the images that they were published for
STEP = 32  # resolutions are multiples of it, since five strides of 2 divide them evenly


@dataclass(frozen=True)
class Origin:
    """The published network that is the largest arch of a preset.

    Args:
        network: its name in timm.
        features: channels of the convolution in its head.
        hidden: units of the hidden layer in its head; 0 where there is none.
        padding: of its convolutions.
        eps: of its norms.
    """

    network: str
    features: int
    hidden: int = 0
    padding: Padding = "symmetric"
    eps: float = EPS

    def conformed(self, block: BlockSpec) -> BlockSpec:
        """The block with this network's padding and eps."""
        return conformed(block, self.padding, self.eps)


def divisible(channels: float, by: int = 8) -> int:
    """Round to a multiple of ``by``, at least one and never more than a tenth down, as MobileNets do."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def expansion(hidden: int, entering: int) -> float:
    """Hidden channels as a multiple of those that enter, to two places."""
    ratio = round(hidden / entering, 2)
    return int(ratio) if ratio.is_integer() else ratio


def resolutions(image_size: int) -> tuple[int, ...]:
    """The sides to which images of any size may be resized: multiples of 32 from half their side up, and their side."""
    smaller = range(-(-image_size // (2 * STEP)) * STEP, image_size, STEP)
    return (*(side for side in smaller if side <= 0.9 * image_size), image_size)


def networks(presets: Mapping[str, Origin | None]) -> dict[str, str]:
    """The names in timm of the presets' published networks, by preset."""
    return {name: origin.network for name, origin in presets.items() if origin is not None}
