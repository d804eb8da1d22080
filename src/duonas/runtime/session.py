"""ONNX Runtime sessions on the CPU, opened by the runtime and by what measures it with the same settings."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from .arguments import thread_count
from .errors import BundleError, one_line

ERRORS_ONLY = 3  # log severity


def open_session(model: Path | bytes, threads: int = 0, *, spinning: bool = False) -> onnxruntime.InferenceSession:
    """Open a session.

    Args:
        model: an ONNX file, or the content of one.
        threads: CPU threads; 0: ONNX Runtime's default, one for each core.
        spinning: whether threads that wait for work keep their cores busy, also for some time after each call, as is
            ONNX Runtime's own default; else they sleep.

    Raises:
        BundleError: an argument is not what it must be, or ONNX Runtime cannot open the model.
    """
    if not isinstance(spinning, bool):
        raise BundleError(f"spinning must be True or False, got {spinning!r}.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = thread_count(threads)
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    source = model if isinstance(model, bytes) else str(model)
    try:
        # Without the fallback, which would print that it tries a damaged model again in the same way.
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        name = "the model" if isinstance(model, bytes) else model
        raise BundleError(f"ONNX Runtime cannot open {name}: {one_line(error)}.") from error
