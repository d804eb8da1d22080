"""OpenVINO on processors of Intel and Arm: ``dynamic.onnx`` as it is, told to compute in float32.

Where a processor has bf16 OpenVINO computes in it unless it is told otherwise, and then decides otherwise near tau.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..engine import Answer, Engine, Network, Settings
from ..errors import BundleError, one_line
from ..files import check_model
from ..graph import Described, check_described
from ..policy import DevicePolicy

INSTALL = "pip install openvino"
TYPES = {"f32": "tensor(float)", "boolean": "tensor(bool)"}


class OpenVino(Engine):
    """The routed graph, compiled by OpenVINO for the processor.

    Args:
        compiled: ``dynamic.onnx``.
        num_classes: number of classes K by the policy.

    Raises:
        BundleError: the graph is not one of a routed pair.
    """

    def __init__(self, compiled: Any, num_classes: int) -> None:
        self._request, self._lock = compiled.create_infer_request(), Lock()
        inputs, outputs = _described(compiled.inputs), _described(compiled.outputs)
        self.image_shape = check_described(inputs, outputs, num_classes)

    @classmethod
    def missing(cls) -> str:
        """Whether the package is installed."""
        return "" if find_spec("openvino") else f"openvino is not installed ({INSTALL})"

    @classmethod
    def version(cls) -> str:
        """The version of OpenVINO."""
        return f"openvino {import_module('openvino').__version__.partition('-')[0]}"

    @classmethod
    def open(cls, folder: Path, policy: DevicePolicy, settings: Settings) -> OpenVino:
        """Compile ``dynamic.onnx``."""
        return cls(_compiled(check_model(folder, policy.onnx), settings), policy.num_classes)

    @classmethod
    def network(cls, path: Path, settings: Settings) -> Network:
        """Compile a single network."""
        request = _compiled(path, settings).create_infer_request()
        return lambda images: request.infer([images], share_inputs=True)[0].copy()

    def run(self, images: np.ndarray, tau: np.ndarray) -> Answer:
        """Classify images; what is returned is a copy, since OpenVINO writes the next answer where this one was."""
        with self._lock:  # a request answers one call at a time
            found = self._request.infer({"images": images, "tau": tau}, share_inputs=True)
            return Answer(*(np.array(found[name]) for name in Answer._fields))


def _compiled(model: Path, settings: Settings) -> Any:
    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if settings.threads:
        config["INFERENCE_NUM_THREADS"] = str(settings.threads)
    try:
        core = import_module("openvino").Core()
        return core.compile_model(core.read_model(str(model)), "CPU", config)
    except Exception as error:  # OpenVINO's exceptions are plain RuntimeErrors
        raise BundleError(f"OpenVINO cannot open {model}: {one_line(error)}.") from error


def _described(values: Iterable[Any]) -> Described:
    found = {}
    for each in values:
        sides = tuple(side.get_length() if side.is_static else "N" for side in each.partial_shape)
        kind = each.element_type.get_type_name()
        found[each.any_name] = TYPES.get(kind, kind), sides
    return found
