"""The key of ``[space]`` that all shipped search spaces have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import MinLen

from duonas.core.errors import DuonasError
from duonas.supernet.options import SpaceOptions
from duonas.supernet.supernet import narrowed


@dataclass(frozen=True)
class NarrowedOptions(SpaceOptions):
    """``[space]`` of a search space with axes that can be restricted."""

    axes: dict[str, Annotated[list[Any], MinLen(1)]] = field(default_factory=dict)
    """The values to keep on an axis, such as kernel = [3, 5]."""


def narrowed_stages(
    whole: Mapping[str, tuple[Any, ...]], narrow: Mapping[str, list[Any]]
) -> dict[str, tuple[Any, ...]]:
    """The values of ``whole`` that ``[space.axes]`` keeps, in order.

    Args:
        whole: values by name; those such as ``stage3.width`` are of one stage.
        narrow: the values to keep by the names of ``whole``, or for all stages by their last part: ``width``.

    Raises:
        DuonasError: the table has an unknown name or value, or leaves a stage without any.
    """
    staged = {name: name.rpartition(".")[2] for name in whole if "." in name}
    of_all = {
        kind: sum((whole[name] for name, its in staged.items() if its == kind), ())
        for kind in dict.fromkeys(staged.values())
    }
    narrowed({**of_all, **whole}, narrow)  # raises an error for unknown names and values
    kept = narrowed(whole, {name: values for name, values in narrow.items() if name in whole})
    for name, kind in staged.items():
        left = tuple(value for value in kept[name] if value in narrow.get(kind, kept[name]))
        if not left:
            raise DuonasError(f"[space.axes] {kind} keeps no value of {name}: keep some of {list(kept[name])}.")
        kept[name] = left
    return kept


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
