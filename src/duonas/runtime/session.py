"""ONNX Runtime sessions, opened by the runtime and by what measures it with the same settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import onnxruntime

from .arguments import thread_count
from .errors import BundleError, one_line

RUNTIME = f"onnxruntime {onnxruntime.__version__}"
ERRORS_ONLY = 3  # log severity
LONGEST_SPIN = "20"  # us: as fast as without limit on idle cores, and much faster on busy ones
CPU = "CPUExecutionProvider"
ENDING = "ExecutionProvider"  # of the name of each provider, which may be left out
ROWS = "N"  # name of the batch's dimension in exported files


def open_session(
    model: Path | bytes,
    threads: int = 0,
    *,
    spinning: bool = False,
    provider: str = CPU,
    provider_options: Mapping[str, str] | None = None,
    rows: int | None = None,
) -> onnxruntime.InferenceSession:
    """Open a session.

    Args:
        model: an ONNX file, or the content of one.
        threads: CPU threads; 0: ONNX Runtime's default, one for each core.
        spinning: whether threads that wait for work within a call keep their cores busy, for 20 microseconds at most
            (without limit where ONNX Runtime does not know one yet); else they sleep. Between calls they always sleep:
            to spin there, too, is ONNX Runtime's default, takes a whole core at 30 images a second, and was 3 % faster.
        provider: an execution provider of this installation of ONNX Runtime, see ``known_provider``.
        provider_options: of the provider.
        rows: batch size that every call will have, so that all shapes are static; ``None``: any.

    Raises:
        BundleError: an argument is not what it must be, ONNX Runtime cannot open the model, or the provider does not
            start, in whose place ONNX Runtime would take the processor without a word.
    """
    if not isinstance(spinning, bool):
        raise BundleError(f"spinning must be True or False, got {spinning!r}.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = thread_count(threads)
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")  # at the end of every call
    options.add_session_config_entry("session.intra_op.spin_duration_us", LONGEST_SPIN)
    if rows is not None:
        options.add_free_dimension_override_by_name(ROWS, rows)
    source = model if isinstance(model, bytes) else str(model)
    asked = [(provider, dict(provider_options or {}))]
    try:
        # Without the fallback, which would print that it tries a damaged model again in the same way.
        session = onnxruntime.InferenceSession(source, options, providers=asked, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        name = "the model" if isinstance(model, bytes) else model
        raise BundleError(f"ONNX Runtime cannot open {name}: {one_line(error)}.") from error
    if provider not in session.get_providers():
        raise BundleError(
            f"ONNX Runtime's {provider} does not start here, though this build has it: a library that it needs is "
            "missing, or there is no such device."
        )
    return session


def provider_of_any(name: str) -> str:
    """Return the execution provider of that name, which some build of ONNX Runtime has, though maybe not this one.

    Raises:
        BundleError: none has it; the message names the nearest.
    """
    every = onnxruntime.get_all_providers()
    if found := _named(name, every):
        return found
    short = {each.removesuffix(ENDING).lower(): each.removesuffix(ENDING) for each in every}
    near = get_close_matches(name.lower(), short, n=1, cutoff=0.5)
    hint = f"did you mean {short[near[0]]}?" if near else f"expected one of {', '.join(short.values())}."
    raise BundleError(f"ONNX Runtime has no execution provider {name!r}: {hint}")


def known_provider(name: str) -> str:
    """Return the execution provider of that name, which may lack its ending: ``cuda`` for ``CUDAExecutionProvider``.

    Raises:
        BundleError: this installation of ONNX Runtime does not have it; the message names those that it has.
    """
    available = onnxruntime.get_available_providers()
    if found := _named(name, available):
        return found
    known = ", ".join(each.removesuffix(ENDING) for each in available)
    raise BundleError(f"ONNX Runtime has no execution provider {name!r} here: expected one of {known}.")


def _named(name: str, providers: Iterable[str]) -> str:
    """The provider of that name, with or without its ending; empty if there is none."""
    same = (each for each in providers if name.lower() in (each.lower(), each.removesuffix(ENDING).lower()))
    return str(next(same, ""))
