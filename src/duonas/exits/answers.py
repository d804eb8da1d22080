"""What the N exits of a network answer to images, and where the images leave at given thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from duonas.data.batches import evaluation_batches
from duonas.data.images import Images
from duonas.exits.network import ExitNet
from duonas.routing.score import find_score


@dataclass(frozen=True)
class Exits:
    """The answers of N exits to M images.

    Args:
        confidence: (M, N) float32, how sure each exit is of each image.
        right: (M, N) bool, whether each exit is right.
        macs: (N,) multiply-accumulates of an image that leaves at each exit, rising.
    """

    confidence: np.ndarray
    right: np.ndarray
    macs: np.ndarray

    def leave_at(self, thresholds: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the exit (M,), from 0, by which each image leaves: the first that is sure enough, or the last.

        Args:
            thresholds: (N - 1,) least confidence of all exits but the last; +inf lets no image leave.
        """
        tau = np.asarray(thresholds, np.float64)
        sure = (self.confidence[:, :-1] >= tau) & (tau < np.inf)
        return np.append(sure, np.ones((len(sure), 1), bool), axis=1).argmax(1)

    def right_at(self, leave: np.ndarray) -> np.ndarray:
        """Return whether each image is right (M,) where it leaves."""
        return np.asarray(np.take_along_axis(self.right, leave[:, None], 1)[:, 0])

    def accuracy(self, leave: np.ndarray) -> float:
        """Return the accuracy of the images where they leave, in [0, 1]."""
        return float(self.right_at(leave).mean())

    def mean_macs(self, leave: np.ndarray) -> float:
        """Return the mean multiply-accumulates of an image: the sum of what ran, over the images."""
        return float(self.macs[leave].mean())

    def shares(self, leave: np.ndarray) -> np.ndarray:
        """Return the share of the images that leave at each exit (N,)."""
        return np.bincount(leave, minlength=len(self.macs)) / len(leave)


@torch.inference_mode()
def answers(network: ExitNet, images: Images, macs: Sequence[int], batch_size: int) -> Exits:
    """Run all exits of a network in eval mode on all images, on the device of the images."""
    score, sure, right = find_score(network.confidence), list[Tensor](), list[Tensor]()
    labels, begin = images.labels.cpu(), 0
    for batch in evaluation_batches(images.pixels, batch_size):
        logits = [each.float().cpu() for each in network(batch)]
        truth = labels[begin : begin + len(batch)]
        sure.append(torch.stack([score(each) for each in logits], 1))
        right.append(torch.stack([each.argmax(1) == truth for each in logits], 1))
        begin += len(batch)
    return Exits(torch.cat(sure).numpy(), torch.cat(right).numpy(), np.asarray(macs, np.int64))
