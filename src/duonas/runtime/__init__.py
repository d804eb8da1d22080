"""The runtime for devices, which needs only numpy and ONNX Runtime: no torch and no other module of duonas.

The folder can be copied to a device; therefore its imports are relative. Its names are looked up at first use, so that
the parts that the rest of duonas builds on, such as units, do not load ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bundle import Bundle, Prediction
    from .controller import Controller
    from .drift import Change, DriftWatch
    from .errors import BundleError
    from .frame import FramePrediction
    from .policy import Row
    from .stats import Stats

_HOMES = {
    "Bundle": "bundle",
    "BundleError": "errors",
    "Change": "drift",
    "Controller": "controller",
    "DriftWatch": "drift",
    "FramePrediction": "frame",
    "Prediction": "bundle",
    "Row": "policy",
    "Stats": "stats",
}

__all__ = [
    "Bundle",
    "BundleError",
    "Change",
    "Controller",
    "DriftWatch",
    "FramePrediction",
    "Prediction",
    "Row",
    "Stats",
]


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
