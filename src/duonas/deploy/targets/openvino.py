"""OpenVINO on processors of Intel, AMD and Arm: dynamic.onnx as it is, in float32"""

from __future__ import annotations

from duonas.deploy.target import Target
from duonas.runtime.engines.openvino import OpenVino


class OpenVinoTarget(Target):
    """Needs nothing beside ``dynamic.onnx``."""

    engine = OpenVino
