"""ONNX Runtime on a graphics card of NVIDIA: dynamic.onnx by the CUDA provider"""

from __future__ import annotations

from duonas.deploy.target import Target
from duonas.runtime.engines.cuda import Cuda


class CudaTarget(Target):
    """Needs nothing beside ``dynamic.onnx``."""

    engine = Cuda
    untested = "no graphics card where duonas is made; its code ran with the processor in the place of the card"
