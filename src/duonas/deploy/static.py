"""The networks of the split form as PyTorch modules of static shapes, for converters that start from these."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.deploy.split_form import split_files
from duonas.deploy.target import Job
from duonas.pair.onnx_network import OnnxNetwork

Convert = Callable[[nn.Module, Tensor], bytes]  # a network in eval mode and an input of its shape to a file


class _WithFeatures(nn.Module):
    """Stem and little: images (B, 3, H, W) to logits (B, K) and the features that big goes on from."""

    def __init__(self, stem: nn.Module, little: nn.Module) -> None:
        super().__init__()
        self.stem, self.little = stem, little

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.stem(images)
        return self.little(features), features


def converted(job: Job, ending: str, convert: Convert) -> dict[str, bytes]:
    """Return the split form and each of its networks converted for each bucket, as files by name.

    Args:
        job: the pair.
        ending: of the names of converted files.
        convert: makes a file of a network; called for every network and bucket.

    Raises:
        DuonasError: a network is given as an ONNX graph, of which such converters know nothing, or cannot be converted.
    """
    files = split_files(job.parts, job.options.buckets)
    side = job.pair.facts.preprocessing.image_size
    images = torch.rand(job.options.buckets[-1], 3, side, side, generator=torch.Generator().manual_seed(0))
    networks = _networks(job, ending)
    with torch.no_grad():
        features = images if job.pair.stem is None else deepcopy(job.pair.stem).cpu().float().eval()(images)
    for name, network in networks.items():
        sees_images = name == "stem" or isinstance(network, _WithFeatures)
        for rows in job.options.buckets:
            sample = (images if sees_images else features)[:rows].contiguous()
            try:
                files[f"split-{name}-{rows}.{ending}"] = convert(network, sample)
            except Exception as error:  # of many types
                said = " ".join(str(error).split())[:200].rstrip(".")
                raise DuonasError(f"{name} cannot be converted to .{ending}: {type(error).__name__} {said}.") from error
    return files


def _networks(job: Job, ending: str) -> dict[str, nn.Module]:
    pair = deepcopy(job.pair).cpu().float().eval()
    graphs = [name for name in ("stem", "little", "big") if isinstance(getattr(pair, name), OnnxNetwork)]
    if graphs:
        raise DuonasError(
            f"[export] targets: .{ending} files are made of PyTorch modules, but {' and '.join(graphs)} of this pair "
            "are ONNX graphs."
        )
    if pair.stem is None:
        return {"little": pair.little, "big": pair.big}
    if job.parts.before:
        return {"stem": pair.stem, "little": pair.little, "big": pair.big}
    return {"little": _WithFeatures(pair.stem, pair.little).eval(), "big": pair.big}
