"""The key of ``[space]`` that all shipped search spaces have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import MinLen

from duonas.supernet.options import SpaceOptions


@dataclass(frozen=True)
class NarrowedOptions(SpaceOptions):
    """``[space]`` of a search space with axes that can be restricted."""

    axes: dict[str, Annotated[list[Any], MinLen(1)]] = field(default_factory=dict)
    """The values to keep on an axis, such as kernel = [3, 5]."""


def preset_advice(preset: str, usual: str, sizes: Mapping[str, int], image_size: int) -> str:
    """Advise the usual preset where the images have half or twice the size that the chosen one is for; else empty.

    Args:
        preset: the chosen preset.
        usual: the preset that images of this size get by default.
        sizes: side in pixels of the images that each preset is for.
        image_size: side of the images in pixels.
    """

    def apart(name: str) -> float:
        return max(image_size / sizes[name], sizes[name] / image_size)

    if apart(preset) < 2 or apart(usual) >= apart(preset):
        return ""
    side = sizes[preset]
    return (
        f"[space] preset {preset!r} is for images of {side} x {side} pixels, but these have {image_size} x "
        f"{image_size}: the preset for that size is {usual!r} (--set space.preset={usual})."
    )
