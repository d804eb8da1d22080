"""The keys of ``[export]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True)
class ExportOptions:
    """``[export]``: the ONNX files."""

    opset: Annotated[int, Ge(18)] = 18
    """ONNX opset version."""
