"""The keys of ``[export]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen

from duonas.core.errors import DuonasError
from duonas.core.fields import Count, CountOrZero, NotNegative
from duonas.runtime.files import MOST_ROWS

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True)
class ExportOptions:
    """``[export]``: the ONNX files."""

    opset: Annotated[int, Ge(18), Le(25)] = 18
    """ONNX opset version; the newer, the newer the ONNX Runtime that the device needs."""
    stored_images: CountOrZero = 32
    """Images of the calib split that the bundle holds for its self-test, with the answers that a device must give on
    them; 0: none, and no self-test."""
    precision: Precision = "fp32"
    """Of the networks in the ONNX files: float, half the bytes of it, or 8-bit integers with a quarter of the bytes.
    The threshold is fitted on the answers of the networks as they are exported."""
    calibration_images: Count = 256
    """For "int8": training images from which the scales of the integers are taken."""
    layer_images: CountOrZero = 256
    """For "int8": val images on which each layer is looked at, quantised alone; 0: none is."""
    most_points_lost: NotNegative | None = None
    """For "int8": the most points of accuracy on val that a network may lose; the layers that lose most stay in float
    until that is kept. Default: all layers are quantised."""
    targets: tuple[str, ...] = ("onnxruntime",)
    """What the bundle is deployed on: names that `duonas targets` lists, or your own as file.py:CLASS. Each adds the
    files that it needs beside dynamic.onnx."""
    buckets: Annotated[tuple[Count, ...], MinLen(1)] = (1, 2, 4, 8, 16, 32, 64)
    """Numbers of rows, ascending, for which engines with static shapes hold a network; rows are padded to the next."""

    def __post_init__(self) -> None:
        if list(self.buckets) != sorted(set(self.buckets)) or self.buckets[-1] > MOST_ROWS:
            raise DuonasError(
                f"[export] buckets must be ascending numbers of rows, {MOST_ROWS:,} at most, got {list(self.buckets)}."
            )

    @property
    def converts(self) -> bool:
        """Whether the networks are exported in another precision than that of their training."""
        return self.precision != "fp32"
