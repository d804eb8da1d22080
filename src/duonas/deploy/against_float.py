"""Networks in another precision beside the float ones that they were made of, on the val split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from torch import nn

from duonas.data.batches import outputs
from duonas.data.images import Images, take
from duonas.pair.onnx_network import OnnxNetwork

BATCH = 64  # images at a time
PARTS_OF = {"little": ("stem", "little"), "big": ("stem", "big"), "plain": ("plain",)}  # of each whole network
NAMES = {"stem": "the stem", "little": "little", "big": "big", "plain": "the plain network"}
Models = Mapping[str, onnx.ModelProto]  # by part: stem, little, big, plain


class AgainstFloat:
    """Compares networks with the float ones on the val split.

    Args:
        models: the float ones.
        val: the images.
    """

    def __init__(self, models: Models, val: Images) -> None:
        self.models, self.val = models, val
        self.labels = val.labels.cpu().numpy()
        self.roles = tuple(role for role in PARTS_OF if role in models)
        self.float = {role: self.logits(role, models) for role in self.roles}

    def logits(self, role: str, models: Models, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the logits (N, K) of a whole network, of which each part is the float one if ``models`` lacks it."""
        pixels = self.val.pixels if rows is None else take(self.val.pixels, rows)
        parts = [models.get(part, self.models.get(part)) for part in PARTS_OF[role]]
        network = nn.Sequential(*(OnnxNetwork(part) for part in parts if part is not None))
        return outputs(network, pixels, BATCH).numpy()

    def right(self, logits: np.ndarray) -> np.ndarray:
        """Return which of the images (V,) are answered rightly."""
        return np.asarray(logits.argmax(1) == self.labels)

    def points_lost(self, role: str, logits: np.ndarray) -> float:
        """Return the points of accuracy by which a network is worse than the float one."""
        return 100 * float(self.right(self.float[role]).mean() - self.right(logits).mean())

    def findings(self, models: Models) -> dict[str, Any]:
        """Return accuracy, flips and bytes of networks beside those of the float ones."""
        found = {}
        for role in self.roles:
            logits = self.logits(role, models)
            found[role] = {
                "accuracy": float(self.right(logits).mean()),
                "fp32_accuracy": float(self.right(self.float[role]).mean()),
                "flips": int((logits.argmax(1) != self.float[role].argmax(1)).sum()),
                "bytes": _bytes(role, models),
                "fp32_bytes": _bytes(role, self.models),
            }
        return {"val_images": len(self.val), "networks": found}


def _bytes(role: str, models: Models) -> int:
    return sum(models[part].ByteSize() for part in PARTS_OF[role] if part in models)
