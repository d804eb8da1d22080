"""The runtime for devices, which needs only numpy and ONNX Runtime: no torch and no other module of duonas.

The folder can be copied to a device; therefore its imports are relative.
"""

from .bundle import Bundle, Prediction
from .errors import BundleError
from .policy import Row

__all__ = ["Bundle", "BundleError", "Prediction", "Row"]
