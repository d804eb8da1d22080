"""TensorRT on a graphics card of NVIDIA: the parts of the split form, by the provider of ONNX Runtime.

TensorRT builds an engine for each part and bucket on the device itself, which takes seconds to minutes. They are kept
in the folder ``tensorrt`` of the bundle; ``build_tensorrt.py`` beside it builds them all beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from ..engine import Settings, open_engine
from ..files import POLICY
from ..policy import load_policy
from .split import Split

KEPT = "tensorrt"  # folder of the engines


class TensorRt(Split):
    """Each part as an engine of TensorRT for each bucket, in float32."""

    provider: ClassVar[str] = "TensorrtExecutionProvider"

    def options(self) -> Mapping[str, str]:
        """Return options by which engines are kept, and computed with in float32."""
        kept = str(self.folder / KEPT)
        return {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": kept,
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": kept,
            "trt_fp16_enable": "0",
        }


def build(folder: Path, say: Callable[[str], object] = print) -> None:
    """Build the engines of all parts and buckets of a bundle, on the device that will run them.

    Args:
        folder: of the bundle, to which they are written.
        say: shows a line.

    Raises:
        BundleError: the bundle cannot be used, or TensorRT is not here.
    """
    engine = open_engine(TensorRt, folder, load_policy(folder / POLICY), Settings())
    assert isinstance(engine, TensorRt)
    say("TensorRT builds its engines for this device; that takes minutes.")
    engine.warm_up()
    say(f"built: {folder / KEPT}")
