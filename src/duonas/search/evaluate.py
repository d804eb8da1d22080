"""What a subnet answers on a split: computed once where answers are kept, cached in the run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from duonas.core.cost import Cost
from duonas.core.files import write_bytes
from duonas.core.options import SearchOptions
from duonas.core.pair import Subnet
from duonas.core.protocols import CostModel
from duonas.costs.counting import analytic
from duonas.data.batches import evaluation_batches
from duonas.data.images import Images
from duonas.layers.norm import folded
from duonas.routing.router import Router
from duonas.spaces.pair import PairSupernet


@dataclass(frozen=True)
class SubnetResult:
    """A subnet's answers.

    Args:
        subnet: the subnet.
        logits: (N, K) float32 on the split.
        accuracy: in [0, 1].
        cost: of one image.
    """

    subnet: Subnet
    logits: np.ndarray
    accuracy: float
    cost: Cost


class Evaluator:
    """Extracts a subnet, measures its batch norms on train images where they want it, and asks it about a split.

    Nothing stays behind in the supernet. An answer is cached as ``folder/<subnet.id>.safetensors`` with a fingerprint
    of all it depends on; a stale or broken file is computed again. ``fingerprint`` is that one.

    Args:
        supernet: trained; left as it is.
        recalibration_pixels: uint8 (M, 3, H, W) of the train split, of which the first
            ``options.recalibration_images`` are used.
        images: the split, on the device to compute on; a search asks about val.
        folder: of the cache; ``None``: answers are not kept.
        options: the ``[search]`` table.
        fingerprint: names the supernet's weights.
        cost: prices blocks.
    """

    def __init__(
        self,
        supernet: PairSupernet,
        recalibration_pixels: Tensor,
        images: Images,
        folder: Path | None,
        options: SearchOptions,
        fingerprint: str,
        cost: CostModel = analytic,
    ) -> None:
        self.supernet, self.images, self.folder = supernet, images, folder
        self._pixels = recalibration_pixels[: options.recalibration_images]
        self._batch_size, self._cost = options.batch_size, cost
        self.labels: np.ndarray = images.labels.cpu().numpy()
        name = f"{fingerprint}/{supernet.norm}"
        self.fingerprint = _fingerprint(name, options.batch_size, self._pixels, images.pixels, images.labels)

    def evaluate(self, subnet: Subnet) -> SubnetResult:
        """The subnet's answers, from the cache where they are there."""
        logits = self._cached(subnet)
        if logits is None:
            logits = self.logits(self.network(subnet))
            if self.folder is not None:
                write_bytes(self._path(self.folder, subnet), save({"logits": logits}, self._label(subnet)))
        accuracy = float((logits.argmax(1) == self.labels).mean())
        return SubnetResult(subnet, logits, accuracy, self._cost(self.supernet.pairs.blocks(subnet)))

    def network(self, subnet: Subnet) -> nn.Sequential:
        """The subnet in plain PyTorch with the batch-norm statistics that it is used with, in eval mode."""
        network = self.supernet.extract(subnet).to(memory_format=torch.channels_last)
        self.supernet.settle(network, evaluation_batches(self._pixels, self._batch_size))
        return network

    @torch.inference_mode()
    def logits(self, network: nn.Module) -> np.ndarray:
        """A network's logits (N, K) float32 on the split."""
        fast = folded(network)
        answers = [fast(batch).float().cpu() for batch in evaluation_batches(self.images.pixels, self._batch_size)]
        return torch.cat(answers).numpy()

    @torch.inference_mode()
    def describe(self, router: Router, subnet: Subnet, shared: int) -> Tensor:
        """What a router makes, (N, D) float32, of what the subnet's first ``shared`` blocks give on the split.

        It is the same for all subnets that begin with these blocks, as batch norms depend on nothing that comes later.
        """
        stem = self.supernet.extract(subnet)[:shared].to(memory_format=torch.channels_last)
        if shared:
            self.supernet.settle(stem, evaluation_batches(self._pixels, self._batch_size))
        fast = folded(stem)
        batches = evaluation_batches(self.images.pixels, self._batch_size)
        return torch.cat([router.describe(fast(batch)).float().cpu() for batch in batches])

    def _label(self, subnet: Subnet) -> dict[str, str]:
        # Eight hex digits name a file: the subnet itself says whether it is the right one. One entry, since safetensors
        # writes several in an order of its own, and a file must be the same bit for bit.
        return {"header": json.dumps({"fingerprint": self.fingerprint, "subnet": subnet.to_json()})}

    @staticmethod
    def _path(folder: Path, subnet: Subnet) -> Path:
        return folder / f"{subnet.id}.safetensors"

    def _cached(self, subnet: Subnet) -> np.ndarray | None:
        if self.folder is None:
            return None
        try:
            with safe_open(self._path(self.folder, subnet), framework="numpy") as file:
                if file.metadata() != self._label(subnet):
                    return None
                logits: np.ndarray = file.get_tensor("logits")
        except (OSError, SafetensorError):
            return None
        return logits if logits.shape[:1] == self.labels.shape else None


def _fingerprint(name: str, batch_size: int, *tensors: Tensor) -> str:
    digest = hashlib.sha256(f"{name}/{batch_size}".encode())
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    return digest.hexdigest()
