"""Compare the largest arch of a preset that starts from real ImageNet weights with timm's network, by their logits.

Run: pip install 'duonas[full,weights]' && python benchmarks/2026-11-30-pretrained/check.py
"""

from __future__ import annotations

import timm
import torch

from duonas.core.rng import stream
from duonas.pretrained.load import start
from duonas.pretrained.read import Weights, read
from duonas.pretrained.sources import PACKAGES, at_hand
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.family import build_space, build_supernet

SIDES = (96, 128, 224, 225)  # of images in pixels, one of them odd
IMAGES = 8


def theirs(weights: Weights) -> torch.nn.Module:
    """Return timm's network with the weights, in eval mode."""
    network = timm.create_model(weights.like.network).eval()
    network.load_state_dict(dict(zip(weights.like.shapes, weights.tensors, strict=True)), strict=False)
    return network


def difference(preset: str, weights: Weights, side: int) -> tuple[float, float, int]:
    """Return the largest difference of two logits, the largest logit, and how many images have the same class."""
    options = MobileNet.Options(preset=preset, pretrained="auto")
    space = build_space(MobileNet, options, side, weights.classes)
    supernet = build_supernet(MobileNet, space, weights.like.mean, weights.like.std, stream(0, "init"), options).eval()
    start(supernet, MobileNet, weights)
    images = torch.from_numpy(stream(0, "images", side).random((IMAGES, 3, side, side), dtype="float32"))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (weights.like.mean, weights.like.std))
    with torch.inference_mode():
        mine, other = supernet(images, space.largest()), theirs(weights)((images - mean) / std)
    return float((mine - other).abs().max()), float(other.abs().max()), int((mine.argmax(1) == other.argmax(1)).sum())


def main() -> int:
    """Print a row for each preset with a package and each side; 1 if logits differ or a package is missing."""
    failed = False
    for preset, network in MobileNet.published.items():
        if network not in PACKAGES:
            continue
        source = at_hand(network)
        if source is None:
            print(f"{preset}: {PACKAGES[network].name} is not installed")
            failed = True
            continue
        weights = read(source, network)
        print(f"{preset}: {len(weights.tensors)} tensors of {source.words}, SHA-256 {weights.sha256[:12]}")
        for side in SIDES:
            apart, largest, same = difference(preset, weights, side)
            failed |= apart > 1e-4 * largest
            print(
                f"  {side} px: largest difference {apart:.1e} of logits up to {largest:.1f}, {same} of {IMAGES} alike"
            )
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
