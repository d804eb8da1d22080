"""The key of ``[space]`` that all shipped search spaces have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import MinLen

from duonas.supernet.options import SpaceOptions


@dataclass(frozen=True)
class NarrowedOptions(SpaceOptions):
    """``[space]`` of a search space with axes that can be restricted."""

    axes: dict[str, Annotated[list[Any], MinLen(1)]] = field(default_factory=dict)
    """The values to keep on an axis, such as kernel = [3, 5]."""
