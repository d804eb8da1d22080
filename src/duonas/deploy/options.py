"""The keys of ``[export]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le


@dataclass(frozen=True)
class ExportOptions:
    """``[export]``: the ONNX files."""

    opset: Annotated[int, Ge(18), Le(25)] = 18
    """ONNX opset version; the newer, the newer the ONNX Runtime that the device needs."""
