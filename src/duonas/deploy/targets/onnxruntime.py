"""ONNX Runtime on the processor: dynamic.onnx as it is, the default"""

from __future__ import annotations

from duonas.deploy.target import Target
from duonas.runtime.engines.onnxruntime import OnnxRuntime


class OnnxRuntimeTarget(Target):
    """Needs nothing beside ``dynamic.onnx``."""

    engine = OnnxRuntime
