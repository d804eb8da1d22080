"""ONNX Runtime with XNNPACK's kernels, for Arm and x86-64: ``dynamic.onnx`` by a build that has this provider."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import onnxruntime

from ..engine import Settings
from .onnxruntime import OnnxRuntime


class Xnnpack(OnnxRuntime):
    """The routed graph with XNNPACK's kernels, which have threads of their own."""

    provider: ClassVar[str] = "XnnpackExecutionProvider"

    @classmethod
    def options(cls, settings: Settings) -> Mapping[str, str]:
        """Return the number of XNNPACK's threads."""
        return {"intra_op_num_threads": str(settings.threads)}

    @classmethod
    def session(cls, model: Path, settings: Settings) -> onnxruntime.InferenceSession:
        """Open a file; all threads but one are XNNPACK's, with which those of ONNX Runtime would compete."""
        own = Settings(settings.threads or os.cpu_count() or 1)
        return cls.opened(model, Settings(threads=1), cls.options(own))
