"""ONNX Runtime sessions over a bundle and over its parts, all with the same settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime

from duonas.deploy.unstitch import unstitch

ERRORS_ONLY = 3


class Sessions(NamedTuple):
    """What is timed side by side; ``light``, ``stem`` and ``tower`` are cut out of ``routed``."""

    routed: Any
    little: Any
    big: Any
    light: Any
    stem: Any | None
    tower: Any

    def features(self, images: np.ndarray) -> np.ndarray:
        """What big's tower gets of images (N, 3, H, W)."""
        return images if self.stem is None else run(self.stem, images)[0]


def open_sessions(bundle: Path, threads: int) -> Sessions:
    """All sessions over an export folder.

    Args:
        bundle: the folder.
        threads: of ONNX Runtime; 0: its default.
    """
    pieces = unstitch(onnx.load(bundle / "dynamic.onnx"))
    return Sessions(
        routed=_open(str(bundle / "dynamic.onnx"), threads),
        little=_open(str(bundle / "little.onnx"), threads),
        big=_open(str(bundle / "big.onnx"), threads),
        light=_open(pieces.light.SerializeToString(), threads),
        stem=_open(pieces.stem.SerializeToString(), threads) if pieces.stem else None,
        tower=_open(pieces.tower.SerializeToString(), threads),
    )


def run(session: Any, images: np.ndarray, **more: np.ndarray) -> list[np.ndarray]:
    """All outputs of a session for its one array input and what else it takes by name."""
    return bound(session, images, **more)()


def bound(session: Any, images: np.ndarray, **more: np.ndarray) -> Callable[[], list[np.ndarray]]:
    """The same as something to call, so that nothing but the session is timed."""
    return partial(session.run, None, {session.get_inputs()[0].name: images, **more})


def _open(model: str | bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    # The threads of one session must not go on spinning while the next one is timed.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
