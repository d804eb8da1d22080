"""ONNX Runtime sessions over a bundle and over its parts, all with the same settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from duonas.deploy.split import unstitch

ERRORS_ONLY = 3


class Sessions(NamedTuple):
    """What is timed side by side; all but ``little``, ``big`` and ``idle`` is cut out of ``routed``.

    Args:
        routed: the whole routed pair.
        little: the whole of little.
        big: the whole of big.
        light: what runs on every image.
        stem: ``None`` where the towers share nothing.
        score: the router's score alone.
        idle: takes what ``score`` takes and does nothing with it: what a call costs in itself.
        little_tower: little without the stem; ``None`` where it is in ``light``.
        big_tower: big without the stem.
    """

    routed: Any
    little: Any
    big: Any
    light: Any
    stem: Any | None
    score: Any
    idle: Any
    little_tower: Any | None
    big_tower: Any

    def features(self, images: np.ndarray) -> np.ndarray:
        """What the towers get of images (N, 3, H, W)."""
        return images if self.stem is None else run(self.stem, images)[0]

    def seen(self, images: np.ndarray) -> np.ndarray:
        """What the router gets of images (N, 3, H, W)."""
        name = self.score.get_inputs()[0].name
        if name == "images":
            return images
        found: np.ndarray = self.light.run([name], {"images": images})[0]
        return found


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
        score=_open(pieces.score.SerializeToString(), threads),
        idle=_open(_idle(pieces.score).SerializeToString(), threads),
        little_tower=_open(pieces.little.SerializeToString(), threads) if pieces.little else None,
        big_tower=_open(pieces.big.SerializeToString(), threads),
    )


def _idle(score: onnx.ModelProto) -> onnx.ModelProto:
    node = helper.make_node("Shape", [score.graph.input[0].name], ["shape"])
    shape = helper.make_tensor_value_info("shape", TensorProto.INT64, [None])
    graph = helper.make_graph([node], "idle", list(score.graph.input), [shape])
    return helper.make_model(graph, opset_imports=score.opset_import, ir_version=score.ir_version)


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
