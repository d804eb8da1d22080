"""ONNX Runtime on a graphics card of NVIDIA: ``dynamic.onnx`` by the CUDA provider, in float32 proper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..engine import Settings
from .onnxruntime import OnnxRuntime


class Cuda(OnnxRuntime):
    """The routed graph on the card; the decision and the branch stay on the processor."""

    provider: ClassVar[str] = "CUDAExecutionProvider"

    @classmethod
    def options(cls, settings: Settings) -> Mapping[str, str]:
        """Return options by which scores are those of float32, and new numbers of hard rows cost no search.

        TF32, the provider's default, has 10 bits of mantissa. By default cuDNN also tries all its algorithms for each
        new shape, and big sees another number of rows in nearly every call.
        """
        return {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
