"""LiteRT (TensorFlow Lite), for phones and boards: the parts of the split form, converted, and a router in numpy."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from ..errors import BundleError, one_line
from ..split import Call, Part, SplitEngine

INSTALL = "pip install ai-edge-litert"
ENDING = "tflite"


class LiteRt(SplitEngine):
    """Each part as a file for each bucket, run by the interpreter with XNNPACK's kernels."""

    @classmethod
    def missing(cls) -> str:
        """Whether the interpreter is installed."""
        return "" if find_spec("ai_edge_litert") else f"ai_edge_litert is not installed ({INSTALL})"

    @classmethod
    def version(cls) -> str:
        """The version of the interpreter."""
        return f"ai-edge-litert {version('ai-edge-litert')}"

    def part(self, part: Part, rows: int) -> Call:
        """Open the file of a part and a bucket."""
        path = self.file(f"{Path(part.file).stem}-{rows}.{ENDING}")
        threads = self.settings.threads or os.cpu_count() or 1
        try:
            interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=threads)
            run = interpreter.get_signature_runner()
            ((entry, _),) = run.get_input_details().items()
            leaving = sorted(run.get_output_details(), key=lambda name: int(name.rpartition("_")[2]))
        except Exception as error:  # of many types
            raise BundleError(f"LiteRT cannot open {path}: {one_line(error)}.") from error

        lock = Lock()  # an interpreter answers one call at a time

        def call(values: np.ndarray) -> list[np.ndarray]:
            with lock:
                found = run(**{entry: values})
            return [found[name] for name in leaving]

        return call
