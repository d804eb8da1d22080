"""Export the parts of a pair to ONNX, with a dynamic batch size and batch norms folded into convolutions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn

from duonas.deploy.graphs import exported_graph
from duonas.deploy.simplify import simplify
from duonas.deploy.topk import pad_topk
from duonas.pair.facts import ROLES
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from duonas.routing.routed import seen
from duonas.routing.router import Position, Router


@dataclass(frozen=True)
class Parts:
    """The graphs that a routed pair is stitched from.

    Args:
        stem: images (N, 3, H, W) to features (N, C, H', W'); ``None`` if the towers share nothing.
        little: features (or images, without a stem) to logits (N, K).
        big: features (or images, without a stem) to logits (N, K).
        score: the router's input (N, ...) to scores (N,).
        position: what the router reads: images, features or little's logits.
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


def export_parts(pair: Pair, router: Router, opset: int) -> Parts:
    """Export every part of a pair, in eval mode, and leave the pair unchanged.

    Args:
        pair: the pair, on any device.
        router: a fitted router.
        opset: ONNX opset version, 18 or later.
    """
    pair = deepcopy(pair).cpu().float().eval()
    images = _images(pair)
    with torch.no_grad():
        output = pair(images)
    towers = _towers(pair, images, output.stem, opset)
    return Parts(
        stem=towers.get("stem"),
        little=towers["little"],
        big=towers["big"],
        score=export_score(router, seen(router, images, output), opset),
        position=router.position,
    )


def export_towers(pair: Pair, opset: int) -> dict[str, onnx.ModelProto]:
    """Export little, big and, if there is one, the stem, in eval mode, and leave the pair unchanged.

    Returns:
        Graphs by part: ``stem`` from images (N, 3, H, W) to features, ``little`` and ``big`` from features (or images,
        without a stem) to logits (N, K).
    """
    pair = deepcopy(pair).cpu().float().eval()
    images = _images(pair)
    with torch.no_grad():
        features = pair.features(images)
    return _towers(pair, images, features, opset)


def _towers(pair: Pair, images: Tensor, features: Tensor, opset: int) -> dict[str, onnx.ModelProto]:
    stem = {} if pair.stem is None else {"stem": export_module(pair.stem, images, "images", "features", opset)}
    towers = {role: export_module(getattr(pair, role), features, "features", "logits", opset) for role in ROLES}
    return stem | towers


def _images(pair: Pair) -> Tensor:
    # Two images, since the exporter treats a batch size of 1 as a constant.
    image_size = pair.facts.preprocessing.image_size
    return torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))


def export_network(network: nn.Module, image_size: int, opset: int) -> onnx.ModelProto:
    """Export a whole network, images (N, 3, H, W) to logits (N, K), in eval mode, and leave it unchanged."""
    images = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    return export_module(deepcopy(network).cpu().float().eval(), images, "images", "logits", opset)


def export_score(router: Router, sample: Tensor, opset: int) -> onnx.ModelProto:
    """Export a fitted router; ``sample`` is its input (N, ...) for two or more images."""
    return export_module(_Function(router.score).eval(), sample, "seen", "score", opset)


def export_module(module: nn.Module, sample: Tensor, entry: str, leaving: str, opset: int) -> onnx.ModelProto:
    """Export a module with one input and one output; of one that is an ONNX graph already, its graph.

    Args:
        module: the module, in eval mode and on the CPU.
        sample: an input of at least two rows; its first dimension is dynamic in the graph.
        entry: name of the input.
        leaving: name of the output.
        opset: ONNX opset version.
    """
    if isinstance(module, OnnxNetwork):
        return exported_graph(module, entry, leaving, opset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            module, (sample.contiguous(),), input_names=[entry], output_names=[leaving], opset_version=opset,
            dynamo=True, dynamic_shapes=({0: torch.export.Dim("N")},), verbose=False,
        )  # fmt: skip
    if program is None:
        raise TypeError("torch.onnx.export returned no program, although dynamo=True was given.")
    return pad_topk(simplify(program.model_proto))
