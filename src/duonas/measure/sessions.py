"""ONNX Runtime sessions of a bundle and of its parts, all with the same settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from duonas.deploy.split import split

ERRORS_ONLY = 3


class Sessions(NamedTuple):
    """The networks to time; all but ``little``, ``big`` and ``idle`` are cut out of ``routed``.

    Args:
        routed: the routed pair.
        little: all of little.
        big: all of big.
        light: the part that runs on every image.
        stem: the shared stem; ``None`` if the towers share nothing.
        score: the router's score.
        idle: takes the input of ``score`` and computes nothing, to time the overhead of a call.
        little_tower: little without the stem; ``None`` if it is part of ``light``.
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
        """Return the towers' input for images (N, 3, H, W)."""
        return images if self.stem is None else run(self.stem, images)[0]

    def seen(self, images: np.ndarray) -> np.ndarray:
        """Return the router's input for images (N, 3, H, W)."""
        name = self.score.get_inputs()[0].name
        if name == "images":
            return images
        found: np.ndarray = self.light.run([name], {"images": images})[0]
        return found


def open_sessions(bundle: Path, threads: int) -> Sessions:
    """Open all sessions of an export folder, with a number of CPU threads; 0: ONNX Runtime's default."""
    pieces = split(onnx.load(bundle / "dynamic.onnx"))
    return Sessions(
        routed=open_session(str(bundle / "dynamic.onnx"), threads),
        little=open_session(str(bundle / "little.onnx"), threads),
        big=open_session(str(bundle / "big.onnx"), threads),
        light=open_session(pieces.light.SerializeToString(), threads),
        stem=open_session(pieces.stem.SerializeToString(), threads) if pieces.stem else None,
        score=open_session(pieces.score.SerializeToString(), threads),
        idle=open_session(_idle(pieces.score).SerializeToString(), threads),
        little_tower=open_session(pieces.little.SerializeToString(), threads) if pieces.little else None,
        big_tower=open_session(pieces.big.SerializeToString(), threads),
    )


def _idle(score: onnx.ModelProto) -> onnx.ModelProto:
    node = helper.make_node("Shape", [score.graph.input[0].name], ["shape"])
    shape = helper.make_tensor_value_info("shape", TensorProto.INT64, [None])
    graph = helper.make_graph([node], "idle", list(score.graph.input), [shape])
    return helper.make_model(graph, opset_imports=score.opset_import, ir_version=score.ir_version)


def run(session: Any, images: np.ndarray, **more: np.ndarray) -> list[np.ndarray]:
    """Return all outputs of a session for its first input and further ones by name."""
    return bound(session, images, **more)()


def bound(session: Any, images: np.ndarray, **more: np.ndarray) -> Callable[[], list[np.ndarray]]:
    """Return the call of ``run`` without arguments, so that only the session is timed."""
    return partial(session.run, None, {session.get_inputs()[0].name: images, **more})


def open_session(model: str | bytes, threads: int) -> Any:
    """Open an ONNX Runtime session on the CPU.

    Args:
        model: path of a file, or the bytes of a serialised model.
        threads: CPU threads; 0: ONNX Runtime's default.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    # Threads of one session must not spin while the next one is timed.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
