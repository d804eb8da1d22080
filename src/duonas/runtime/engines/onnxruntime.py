"""ONNX Runtime on the processor: ``dynamic.onnx`` as it is. The default, with which all others are compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime

from ..engine import Answer, Engine, Network, Settings
from ..files import check_model
from ..graph import check_graph
from ..policy import DevicePolicy
from ..session import CPU, ENDING, open_session

OUTPUTS = list(Answer._fields)


class OnnxRuntime(Engine):
    """The routed graph in a session of ONNX Runtime, by one of its execution providers.

    Args:
        session: of ``dynamic.onnx``.
        num_classes: number of classes K by the policy.

    Raises:
        BundleError: the graph is not one of a routed pair.
    """

    provider: ClassVar[str] = CPU

    def __init__(self, session: onnxruntime.InferenceSession, num_classes: int) -> None:
        self._session = session
        self.image_shape = check_graph(session, num_classes)

    @classmethod
    def missing(cls) -> str:
        """Whether this build of ONNX Runtime has the provider."""
        return missing_provider(cls.provider)

    @classmethod
    def version(cls) -> str:
        """The version of ONNX Runtime."""
        return f"onnxruntime {onnxruntime.__version__}"

    @classmethod
    def options(cls, settings: Settings) -> Mapping[str, str]:
        """Return the options of the provider."""
        return {}

    @classmethod
    def session(cls, model: Path, settings: Settings) -> onnxruntime.InferenceSession:
        """Open a file by the provider."""
        return cls.opened(model, settings, cls.options(settings))

    @classmethod
    def opened(cls, model: Path, settings: Settings, options: Mapping[str, str]) -> onnxruntime.InferenceSession:
        """Open a file by the provider with these options."""
        return open_session(
            model, settings.threads, spinning=settings.spinning, provider=cls.provider, provider_options=options
        )

    @classmethod
    def open(cls, folder: Path, policy: DevicePolicy, settings: Settings) -> OnnxRuntime:
        """Open ``dynamic.onnx``."""
        return cls(cls.session(check_model(folder, policy.onnx), settings), policy.num_classes)

    @classmethod
    def network(cls, path: Path, settings: Settings) -> Network:
        """Open a single network in a session."""
        session = cls.session(path, settings)
        entry = session.get_inputs()[0].name
        return lambda images: np.asarray(session.run(None, {entry: images})[0])

    def run(self, images: np.ndarray, tau: np.ndarray) -> Answer:
        """Classify images by one call of the session."""
        return Answer(*self._session.run(OUTPUTS, {"images": images, "tau": tau}))


def missing_provider(provider: str) -> str:
    """Why an execution provider cannot be used here, in words; empty if this build of ONNX Runtime has it."""
    available = onnxruntime.get_available_providers()
    if provider in available:
        return ""
    there = ", ".join(each.removesuffix(ENDING) for each in available)
    return f"this build of ONNX Runtime has no {provider} (it has {there})"
