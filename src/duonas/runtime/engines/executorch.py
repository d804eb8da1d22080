"""ExecuTorch, PyTorch's runtime for devices: the parts of the split form, converted, and a router in numpy."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from ..errors import BundleError, one_line
from ..split import Call, Part, SplitEngine

INSTALL = "pip install executorch"
ENDING = "pte"


class ExecuTorch(SplitEngine):
    """Each part as a program for each bucket, with XNNPACK's kernels; its interface for Python needs PyTorch."""

    @classmethod
    def missing(cls) -> str:
        """Whether the package is installed."""
        return "" if find_spec("executorch") else f"executorch is not installed ({INSTALL})"

    @classmethod
    def version(cls) -> str:
        """The version of ExecuTorch."""
        return f"executorch {version('executorch')}"

    def part(self, part: Part, rows: int) -> Call:
        """Open the program of a part and a bucket."""
        path = self.file(f"{Path(part.file).stem}-{rows}.{ENDING}")
        as_tensor = import_module("torch").from_numpy
        try:
            program = import_module("executorch.runtime").Runtime.get().load_program(path)
            method = program.load_method("forward")
        except Exception as error:  # of many types
            raise BundleError(f"ExecuTorch cannot open {path}: {one_line(error)}.") from error

        lock = Lock()  # a method answers one call at a time

        def call(values: np.ndarray) -> list[np.ndarray]:
            assert program is not None  # it must live as long as its method
            with lock:
                return [each.numpy().copy() for each in method.execute([as_tensor(values)])]

        return call
