"""ONNX Runtime on the processor: ``dynamic.onnx`` as it is. The default, which all others are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from ..engine import Answer, Engine, Settings
from ..files import check_model
from ..graph import check_graph
from ..policy import DevicePolicy
from ..session import open_session

OUTPUTS = list(Answer._fields)


class OnnxRuntime(Engine):
    """The routed graph in a session of ONNX Runtime.

    Args:
        session: of ``dynamic.onnx``.
        num_classes: number of classes K by the policy.

    Raises:
        BundleError: the graph is not one of a routed pair.
    """

    def __init__(self, session: onnxruntime.InferenceSession, num_classes: int) -> None:
        self._session = session
        self.image_shape = check_graph(session, num_classes)

    @classmethod
    def open(cls, folder: Path, policy: DevicePolicy, settings: Settings) -> OnnxRuntime:
        """Open ``dynamic.onnx``."""
        model = check_model(folder, policy.onnx)
        session = open_session(model, settings.threads, spinning=settings.spinning)
        return cls(session, policy.num_classes)

    def run(self, images: np.ndarray, tau: np.ndarray) -> Answer:
        """Classify images by one call of the session."""
        return Answer(*self._session.run(OUTPUTS, {"images": images, "tau": tau}))
