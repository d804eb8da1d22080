"""The same files with another threshold: no network is needed to turn tau in what was exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from duonas.core.errors import DuonasError
from duonas.deploy.bundle import put_bundle
from duonas.routing.policy import Policy


def retune_bundle(folder: Path, policy: Policy) -> Path:
    """Give a bundle another policy of the same router: its tau becomes the default of ``dynamic.onnx``.

    Args:
        folder: an export folder; replaced as a whole.
        policy: with the new tau.

    Returns:
        ``folder``, with the same bytes as ``export_bundle`` would have written.

    Raises:
        DuonasError: the folder is not an export, or cannot be written; it is then as it was.
    """
    try:
        models = {name: onnx.load(folder / name) for name in ("dynamic.onnx", "little.onnx", "big.onnx")}
    except Exception as error:  # protobuf's own exceptions are no part of onnx's interface
        raise DuonasError(f"{folder} cannot be read as an export: {error}; export it again.") from error
    tau = next(value for value in models["dynamic.onnx"].graph.initializer if value.name == "tau")
    tau.CopyFrom(numpy_helper.from_array(np.array(policy.tau, np.float32), "tau"))
    return put_bundle(models, policy, folder)
