"""ONNX Runtime sessions, opened by the runtime and by what measures it with the same settings."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from .arguments import thread_count
from .errors import BundleError, one_line

RUNTIME = f"onnxruntime {onnxruntime.__version__}"
ERRORS_ONLY = 3  # log severity
CPU = "CPUExecutionProvider"


def open_session(
    model: Path | bytes, threads: int = 0, *, spinning: bool = False, provider: str = CPU
) -> onnxruntime.InferenceSession:
    """Open a session.

    Args:
        model: an ONNX file, or the content of one.
        threads: CPU threads; 0: ONNX Runtime's default, one for each core.
        spinning: whether threads that wait for work within a call keep their cores busy; else they sleep. Between
            calls they always sleep: to spin there, too, is ONNX Runtime's default, takes a whole core at 30 images a
            second, and was 3 % faster.
        provider: an execution provider of this installation of ONNX Runtime, see ``known_provider``.

    Raises:
        BundleError: an argument is not what it must be, or ONNX Runtime cannot open the model.
    """
    if not isinstance(spinning, bool):
        raise BundleError(f"spinning must be True or False, got {spinning!r}.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = thread_count(threads)
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")  # at the end of every call
    source = model if isinstance(model, bytes) else str(model)
    try:
        # Without the fallback, which would print that it tries a damaged model again in the same way.
        return onnxruntime.InferenceSession(source, options, providers=[provider], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        name = "the model" if isinstance(model, bytes) else model
        raise BundleError(f"ONNX Runtime cannot open {name}: {one_line(error)}.") from error


def known_provider(name: str) -> str:
    """Return the execution provider of that name, which may lack its ending: ``cuda`` for ``CUDAExecutionProvider``.

    Raises:
        BundleError: this installation of ONNX Runtime does not have it; the message names those that it has.
    """
    ending = "ExecutionProvider"
    available = onnxruntime.get_available_providers()
    for each in available:
        if name.lower() in (each.lower(), each.removesuffix(ending).lower()):
            return str(each)
    known = ", ".join(each.removesuffix(ending) for each in available)
    raise BundleError(f"ONNX Runtime has no execution provider {name!r} here: expected one of {known}.")
