"""One frame of a camera: what it must be, and what a bundle answers on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .arguments import short
from .errors import BundleError
from .prepare import Preparation

Order = Literal["rgb", "bgr"]
ORDERS = ("rgb", "bgr")


@dataclass(frozen=True, repr=False)
class FramePrediction:
    """The answer on one frame.

    Args:
        label: class index.
        class_name: name of the class; ``"class 3"`` where the data set has no names.
        probabilities: (K,) float32, calibrated: the logits of the network that answered, divided by its temperature.
        by: the network that answered.
        score: of the router, higher = keep little.
        tau: the threshold that the score was compared with.
        milliseconds: from the call to the answer, preparation included.
        prepare_ms: what the preparation took of it.
        class_names: (K,).
    """

    label: int
    class_name: str
    probabilities: np.ndarray
    by: Literal["little", "big"]
    score: float
    tau: float
    milliseconds: float
    prepare_ms: float
    class_names: tuple[str, ...]

    @property
    def probability(self) -> float:
        """Calibrated probability of the class."""
        return float(self.probabilities[self.label])

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return names and probabilities of the most probable classes, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.class_names[index], float(self.probabilities[index])) for index in order]

    def __repr__(self) -> str:
        against = f"{self.by}: score {self.score:.3g} {'>=' if self.by == 'little' else '<'} tau {self.tau:.3g}"
        answer = f"{self.class_name!r} {self.probability:.1%}"
        return f"FramePrediction({answer}, {against}, {self.milliseconds:.2f} ms)"


def prepared_frame(frame: Any, order: str, preparation: Preparation | None) -> np.ndarray:
    """Return a frame as (1, 3, H, W) uint8, as ``Bundle.prepare`` does.

    Args:
        frame: (H, W, 3) uint8 of any size.
        order: of its channels: ``"rgb"`` or ``"bgr"``.
        preparation: by the policy.

    Raises:
        BundleError: it is no frame, the order is unknown, or the policy does not say how images are prepared.
    """
    if preparation is None:
        raise BundleError("this bundle does not say how images are prepared: export it again.")
    if order not in ORDERS:
        raise BundleError(f"order must be 'rgb' or 'bgr', got {short(order)}.")
    if isinstance(frame, np.ma.MaskedArray) or not isinstance(frame, np.ndarray):
        raise BundleError(
            f"a frame must be an array (H, W, 3) of uint8, got {type(frame).__name__}: bundle.prepare takes other "
            "images."
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise BundleError(
            f"a frame must be an array (H, W, 3) of uint8, got {frame.shape} of {frame.dtype}: bundle.prepare takes "
            "grey images, alpha and other types."
        )
    try:
        prepared = preparation(frame)
    except ValueError as error:
        raise BundleError(f"the frame cannot be prepared: {error}.") from error
    return prepared[None] if order == "rgb" else prepared[None, ::-1]  # turned when it is small


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax (K,) float32 of logits (K,) divided by a temperature."""
    scaled = logits.astype(np.float64) / temperature
    grown = np.exp(scaled - scaled.max())
    found: np.ndarray = (grown / grown.sum()).astype(np.float32)
    return found
