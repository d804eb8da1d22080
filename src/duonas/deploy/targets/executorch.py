"""ExecuTorch, PyTorch's runtime for devices: the split form, converted from PyTorch with XNNPACK's kernels"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from duonas.deploy.static import converted
from duonas.deploy.target import Job, Target
from duonas.runtime.engines.executorch import ENDING, INSTALL, ExecuTorch


class ExecuTorchTarget(Target):
    """Writes the split form, and each part as a .pte file for each bucket."""

    engine = ExecuTorch
    of_modules = True
    tested = "by hand for pairs with a shared stem, 2026-11-30, executorch 1.5.1"

    @classmethod
    def cannot_export(cls) -> str:
        """Whether the converter is installed."""
        return "" if find_spec("executorch") else f"executorch is not installed ({INSTALL})"

    def files(self, job: Job) -> dict[str, bytes]:
        """Return the parts, their manifest and the converted parts."""
        return converted(job, ENDING, _convert)


def _convert(network: nn.Module, sample: Tensor) -> bytes:
    xnnpack = import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner").XnnpackPartitioner()
    lower = import_module("executorch.exir").to_edge_transform_and_lower
    program: bytes = lower(torch.export.export(network, (sample,)), partitioner=[xnnpack]).to_executorch().buffer
    return program
