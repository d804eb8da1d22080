"""The keys of ``[export]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from duonas.core.fields import CountOrZero


@dataclass(frozen=True)
class ExportOptions:
    """``[export]``: the ONNX files."""

    opset: Annotated[int, Ge(18), Le(25)] = 18
    """ONNX opset version; the newer, the newer the ONNX Runtime that the device needs."""
    stored_images: CountOrZero = 32
    """Images of the calib split that the bundle holds for its self-test, with the answers that a device must give on
    them; 0: none, and no self-test."""
