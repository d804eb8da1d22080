"""The answers that a bundle's self-test expects, computed with PyTorch on the processor."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duonas.core.tensors import load_tensors, save_tensors
from duonas.data.images import take, to_float
from duonas.data.ondisk import Pixels, read
from duonas.pair.pair import Pair
from duonas.routing.routed import observe
from duonas.routing.router import Router
from duonas.runtime.golden import Golden


def save_images(path: Path, pixels: Pixels, score: np.ndarray, count: int) -> Path:
    """Keep some images for the self-test: those whose scores lie evenly between all, from hard to easy.

    Args:
        path: of a safetensors file.
        pixels: (N, 3, H, W) uint8.
        score: (N,) of the router.
        count: number of images, at least 1; all, if there are fewer.
    """
    ranks = np.unique(np.linspace(0, len(score) - 1, min(count, len(score))).round().astype(int))
    rows = np.sort(np.argsort(score, kind="stable")[ranks])
    return save_tensors(path, {"pixels": read(take(pixels, rows)).cpu()})


def load_images(path: Path) -> Tensor:
    """Read what ``save_images`` kept, (N, 3, H, W) uint8.

    Raises:
        DuonasError: the file is missing or damaged.
    """
    return load_tensors(path)[0]["pixels"]


def golden(pair: Pair, router: Router, pixels: Tensor) -> Golden:
    """Return what both networks and the router must answer on images (N, 3, H, W) uint8.

    Args:
        pair: the pair, on any device; it is left as it is.
        router: a fitted router.
        pixels: the images.
    """
    pair = deepcopy(pair).cpu().float().eval()
    described, answers = observe(pair, router, [to_float(pixels.cpu())], torch.zeros(len(pixels), dtype=torch.int64))
    with torch.inference_mode():
        score = router.judge(described)
    return Golden(pixels.cpu().numpy(), answers.little, answers.big, score.float().numpy())
