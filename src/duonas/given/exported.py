"""A module as an ONNX graph."""

from __future__ import annotations

import onnx
import torch
from torch import nn

from duonas.core.errors import DuonasError
from duonas.deploy.export import export_module


def exported(module: nn.Module, size: int, called: str, opset: int) -> onnx.ModelProto:
    """Export a module in eval mode, images (N, 3, size, size) to scores of classes (N, K).

    Args:
        module: the module.
        size: side of its images, in pixels.
        called: its name in messages.
        opset: ONNX opset version.

    Raises:
        DuonasError: it does not take such images, or PyTorch cannot export it.
    """
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            found = module.cpu().float()(images)
    except Exception as error:  # a user's module can fail in any way
        raise DuonasError(f"{called} does not take images of {size} x {size}: {_said(error)}.") from error
    if not isinstance(found, torch.Tensor):
        raise DuonasError(f"{called} must give one tensor of the scores of classes, got {type(found).__name__}.")
    try:
        return export_module(module, images, "images", "scores", opset)
    except Exception as error:  # the exporter can fail in any way
        raise DuonasError(f"{called} cannot be exported to ONNX by PyTorch: {_said(error)}.") from error


def _said(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
