"""LiteRT (TensorFlow Lite) on phones and boards: the split form, converted from PyTorch by litert-torch"""

from __future__ import annotations

import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from duonas.deploy.static import converted
from duonas.deploy.target import Job, Target
from duonas.runtime.engines.litert import ENDING, LiteRt

INSTALL = "pip install --no-deps litert-torch, and what it imports: its metadata ask for torch below 2.15"


class LiteRtTarget(Target):
    """Writes the split form, and each part as a .tflite file for each bucket."""

    engine = LiteRt
    of_modules = True
    tested = "by hand for pairs with a shared stem, 2026-11-30, litert-torch 0.10.0, ai-edge-litert 2.3.0"

    @classmethod
    def cannot_export(cls) -> str:
        """Whether the converter is installed."""
        return "" if find_spec("litert_torch") else f"litert_torch is not installed ({INSTALL})"

    def files(self, job: Job) -> dict[str, bytes]:
        """Return the parts, their manifest and the converted parts."""
        return converted(job, ENDING, _convert)


def _convert(network: nn.Module, sample: Tensor) -> bytes:
    model = import_module("litert_torch").convert(network, (sample,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"part.{ENDING}")
        model.export(str(path))
        return path.read_bytes()
