"""A bundle at work: images in, labels out, and a threshold that can be turned while it runs."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from .policy import BundleError, DevicePolicy, Row, check_files, load_policy

ROUNDING = 1e-3  # by which resized images may leave [0, 1]
ERRORS_ONLY = 3  # ONNX Runtime would warn that tau, being an input, is no constant


class Prediction(NamedTuple):
    """What a bundle answers to N images.

    Args:
        labels: (N,) int64 class numbers.
        logits: (N, K) float32, little's where it was kept, else big's.
        score: (N,) float32, higher = keep little.
        is_little: (N,) bool.
    """

    labels: np.ndarray
    logits: np.ndarray
    score: np.ndarray
    is_little: np.ndarray


class Bundle:
    """A routed pair on a device. ``Bundle.load(folder)`` makes one.

    Args:
        session: of ``dynamic.onnx``.
        policy: how it routes.
    """

    def __init__(self, session: onnxruntime.InferenceSession, policy: DevicePolicy) -> None:
        self._session = session
        self._policy = policy
        self._shape = tuple(session.get_inputs()[0].shape[1:])
        self.tau = policy.tau

    @classmethod
    def load(cls, folder: str | PathLike[str], threads: int = 0) -> Bundle:
        """Open an export folder.

        Args:
            folder: with ``dynamic.onnx`` and ``policy.json``.
            threads: of ONNX Runtime; 0: its default.

        Raises:
            BundleError: a file is missing or damaged, or the policy belongs to other files.
        """
        folder = Path(folder)
        policy = load_policy(folder / "policy.json")
        check_files(folder, policy, "dynamic.onnx")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(
                str(folder / "dynamic.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            raise BundleError(f"ONNX Runtime cannot open {folder / 'dynamic.onnx'}: {error}") from error
        return cls(session, policy)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label, (K,), or empty where the data set has none."""
        return self._policy.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(3, H, W) of every image."""
        return self._shape

    @property
    def table(self) -> tuple[Row, ...]:
        """The thresholds that ``set_budget``, ``set_latency``, ``set_share`` and ``set_floor`` choose from."""
        return self._policy.table

    @property
    def tau(self) -> float:
        """The threshold: an image stays little where ``score >= tau``; -inf: all do, +inf: none."""
        return float(self._tau)

    @tau.setter
    def tau(self, value: float) -> None:
        if math.isnan(value):
            raise BundleError("tau must be a number or infinite, not NaN.")
        self._tau = np.array(value, np.float32)

    def set_budget(self, expected_macs: float) -> Row:
        """From now on route as accurately as ``expected_macs`` an image, on average, allow.

        Returns:
            What that gave on the calib split.

        Raises:
            BundleError: it is less than this pair can cost; the message says how much that is.
        """
        return self._use(self._policy.at_budget(expected_macs))

    def set_latency(self, expected_ms: float) -> Row:
        """From now on route as accurately as ``expected_ms`` an image, on average, allow.

        The times are those of the machine that the pair was timed on, one image at a time.

        Returns:
            What that gave on the calib split.

        Raises:
            BundleError: the pair was not timed, or it is less than the pair can take.
        """
        return self._use(self._policy.at_latency(expected_ms))

    def set_share(self, little_share: float) -> Row:
        """From now on keep about this fraction of the images little."""
        return self._use(self._policy.at_share(little_share))

    def set_floor(self, accuracy: float) -> Row:
        """From now on route as cheaply as an accuracy of at least ``accuracy`` allows, with the policy's confidence.

        Raises:
            BundleError: no threshold holds it; the message says what can be held.
        """
        return self._use(self._policy.at_floor(accuracy))

    def predict(self, images: Any) -> Prediction:
        """Classify images (N, 3, H, W), float32 in [0, 1] or uint8.

        Raises:
            BundleError: another shape or type; the message says what is expected.
        """
        logits, score, is_little = self._session.run(
            ["logits", "score", "is_little"], {"images": self._checked(images), "tau": self._tau}
        )
        return Prediction(logits.argmax(1), logits, score, is_little)

    def _use(self, row: Row) -> Row:
        self.tau = row.tau
        return row

    def _checked(self, images: Any) -> np.ndarray:
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[1:] != self._shape or len(images) == 0:
            expected = ", ".join(map(str, self._shape))
            raise BundleError(f"images must have the shape (N, {expected}) with N of at least 1, not {images.shape}.")
        if images.dtype == np.uint8:
            return images.astype(np.float32) / np.float32(255)
        if images.dtype != np.float32:
            raise BundleError(f"images must be float32 in [0, 1] or uint8, not {images.dtype}.")
        least, most = float(images.min()), float(images.max())
        if not (least >= -ROUNDING and most <= 1 + ROUNDING):  # NaN is refused, too
            raise BundleError(f"images must lie in [0, 1], and these go from {least:g} to {most:g}; 0 to 255 as uint8.")
        return np.ascontiguousarray(images)
