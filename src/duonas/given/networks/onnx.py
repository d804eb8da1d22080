"""An ONNX file; what duonas stored in its own of size, mean and class names is read."""

from __future__ import annotations

from duonas.core.files import expand
from duonas.given.network import GivenNetwork, Read
from duonas.given.onnx_file import read_file
from duonas.pair.options import NetworkOptions


class Onnx(GivenNetwork):
    """Reads an ONNX file, with its weights where they are in files beside it."""

    key = "file"

    def read(self, options: NetworkOptions, opset: int) -> Read:
        """Read the file; the size is that of the input, where it is fixed and not stored.

        Raises:
            DuonasError: there is no such file, it is not an ONNX file, or a file of its weights is missing.
        """
        path = expand(str(options.file), "[pair.given] file")
        return read_file(path, options)
