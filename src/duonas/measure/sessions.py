"""ONNX Runtime sessions of a bundle and of its parts, all with the same settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from duonas.core.cost import PairCost
from duonas.core.files import read_json
from duonas.deploy.device_kit import reference
from duonas.deploy.split import split
from duonas.measure.options import MeasureOptions
from duonas.runtime.files import FILE_OF, MODEL, POLICY
from duonas.runtime.policy import usual_threads
from duonas.runtime.session import open_session
from duonas.runtime.timing import Clock, clock_for


class Sessions(NamedTuple):
    """The networks to time; all but ``little``, ``big``, ``plain`` and ``idle`` are cut out of ``routed``.

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
        plain: the plain network; ``None`` if the export has none.
        reference: a fixed network, by whose time a busy machine is noticed.
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
    plain: Any | None = None
    reference: Any | None = None

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


def threads_of(bundle: Path, options: MeasureOptions) -> int:
    """Return the CPU threads of a bundle's sessions by the ``[measure]`` table; 0: ONNX Runtime's default."""
    # Not by a whole policy: its threshold may not be chosen yet, and its router may be the user's own.
    return usual_threads(options.threads, PairCost(**read_json(bundle / POLICY)["costs"]).peak)


def clock_of(bundle: Path, options: MeasureOptions) -> Clock:
    """Return the clock that times them."""
    return clock_for(threads_of(bundle, options))


def open_sessions(bundle: Path, options: MeasureOptions) -> Sessions:
    """Open all sessions of an export folder by the ``[measure]`` table."""
    pieces = split(onnx.load(bundle / MODEL))
    threads = threads_of(bundle, options)

    def opened(model: onnx.ModelProto | str) -> Any:
        source = bundle / model if isinstance(model, str) else model.SerializeToString()
        return open_session(source, threads, spinning=options.spinning)

    return Sessions(
        routed=opened(MODEL),
        little=opened(FILE_OF["little"]),
        big=opened(FILE_OF["big"]),
        light=opened(pieces.light),
        stem=opened(pieces.stem) if pieces.stem else None,
        score=opened(pieces.score),
        idle=opened(_idle(pieces.score)),
        little_tower=opened(pieces.little) if pieces.little else None,
        big_tower=opened(pieces.big),
        plain=opened(FILE_OF["plain"]) if (bundle / FILE_OF["plain"]).is_file() else None,
        reference=opened(reference()),
    )


def open_networks(folder: Path, bundle: Path, options: MeasureOptions) -> dict[str, Any]:
    """Open the sessions of whole networks of another folder by role, those that are there, as the bundle's are."""
    threads = threads_of(bundle, options)
    return {
        role: open_session(folder / name, threads, spinning=options.spinning)
        for role, name in FILE_OF.items()
        if (folder / name).is_file()
    }


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
