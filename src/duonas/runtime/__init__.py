"""What runs on the device: numpy and ONNX Runtime, nothing else of duonas and no torch.

The folder is whole in itself: it may be copied to a device as it is, which is why its imports are relative.
"""

from .bundle import Bundle, Prediction
from .policy import BundleError, Row

__all__ = ["Bundle", "BundleError", "Prediction", "Row"]
