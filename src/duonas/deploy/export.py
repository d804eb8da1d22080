"""Parts of a pair as ONNX: plain graphs with a free batch size and batch norms folded into their convolutions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn

from duonas.routing.routed import seen
from duonas.routing.router import Position, Router
from duonas.supernet.pair import PairNet


@dataclass(frozen=True)
class Parts:
    """The graphs that a routed pair is stitched from.

    Args:
        stem: images (N, 3, H, W) to features (N, C, H', W'); ``None`` where the towers share nothing.
        little: features (or the images, without a stem) to logits (N, K).
        big: likewise.
        score: what there is to see at ``position``, (N, ...), to scores (N,).
        position: where the router stands: it sees the images, the features or little's logits.
    """

    stem: onnx.ModelProto | None
    little: onnx.ModelProto
    big: onnx.ModelProto
    score: onnx.ModelProto
    position: Position = "after_little"

    @property
    def before(self) -> bool:
        """Whether the router decides before little runs."""
        return self.position != "after_little"


class _Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def export_parts(pair_net: PairNet, router: Router, image_size: int, opset: int) -> Parts:
    """Export every part of a pair, in eval mode; the pair itself is left as it is.

    Args:
        pair_net: the pair, on any device.
        router: fitted.
        image_size: side H of the square images, in pixels.
        opset: of ONNX, 18 or later.
    """
    pair = deepcopy(pair_net).cpu().float().eval()
    # Two images: the exporter takes a batch of one for a constant.
    images = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = pair(images)
    features = output.stem
    return Parts(
        stem=export_module(pair.stem, images, "images", "features", opset) if len(pair.stem) else None,
        little=export_module(pair.little, features, "features", "logits", opset),
        big=export_module(pair.big, features, "features", "logits", opset),
        score=export_score(router, seen(router, images, output), opset),
        position=router.position,
    )


def export_score(router: Router, sample: Tensor, opset: int) -> onnx.ModelProto:
    """A fitted router as ONNX, from what there is to see (N, ...), of which ``sample`` has two rows or more."""
    return export_module(_Function(router.score).eval(), sample, "seen", "score", opset)


def export_module(module: nn.Module, sample: Tensor, entry: str, leaving: str, opset: int) -> onnx.ModelProto:
    """A module with one input and one output as ONNX.

    Args:
        module: in eval mode, on the CPU.
        sample: an input of at least two rows; its first dimension, N, stays free.
        entry: the input's name.
        leaving: the output's name.
        opset: of ONNX.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations: nothing that a user could act on
        program = torch.onnx.export(
            module, (sample.contiguous(),), input_names=[entry], output_names=[leaving], opset_version=opset,
            dynamo=True, dynamic_shapes=({0: torch.export.Dim("N")},), verbose=False,
        )  # fmt: skip
    if program is None:
        raise TypeError("torch.onnx.export gave no program, though dynamo=True promises one.")
    return program.model_proto
