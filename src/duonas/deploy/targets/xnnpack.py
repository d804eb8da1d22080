"""ONNX Runtime with XNNPACK's kernels: dynamic.onnx by the XNNPACK provider"""

from __future__ import annotations

from duonas.deploy.target import Target
from duonas.runtime.engines.xnnpack import Xnnpack


class XnnpackTarget(Target):
    """Needs nothing beside ``dynamic.onnx``."""

    engine = Xnnpack
    untested = "no package of ONNX Runtime for Python has this provider; its code ran with the usual one"
