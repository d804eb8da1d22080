"""An exported network of several exits beside the one in PyTorch: do the images leave at the same exits?"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from duonas.data.batches import EVALUATION_BATCH, evaluation_batches
from duonas.data.ondisk import Pixels
from duonas.deploy.builder import THRESHOLDS
from duonas.exits.network import ExitNet
from duonas.routing.score import find_score
from duonas.runtime.session import open_session


@torch.inference_mode()
def agreement(file: Path, network: ExitNet, pixels: Pixels, thresholds: Sequence[float]) -> dict[str, Any]:
    """Compare an ONNX file with the network that it was exported from.

    Args:
        file: see ``deploy.exits.nested``.
        network: on any device; it is left as it is.
        pixels: (M, 3, H, W) uint8.
        thresholds: (N - 1,).

    Returns:
        ``differing_decisions``, the number of images that leave at another exit, and ``max_logit_difference`` of the
        others (``None`` if there are none).
    """
    session, score = open_session(file), find_score(network.confidence)
    network = deepcopy(network).cpu().eval()
    tau, differing, apart = np.asarray(thresholds, np.float32), 0, list[float]()
    for batch in evaluation_batches(pixels, EVALUATION_BATCH):
        logits = [each.numpy() for each in network(batch)]
        sure = np.stack([score(torch.from_numpy(each)).numpy() for each in logits[:-1]], 1)
        leaves = np.append((sure >= tau) & (tau < np.inf), np.ones((len(batch), 1), bool), axis=1).argmax(1)
        found, exits = session.run(["logits", "exit"], {"images": np.ascontiguousarray(batch), THRESHOLDS: tau})
        same = exits == leaves + 1
        differing += int((~same).sum())
        gaps = np.abs(found - np.stack(logits, 1)[np.arange(len(batch)), leaves])[same]
        apart += [float(gaps.max())] if same.any() else []
    return {"differing_decisions": differing, "max_logit_difference": max(apart, default=None)}
