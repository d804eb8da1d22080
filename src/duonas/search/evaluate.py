"""What a subnet answers on a split: computed once where answers are kept, cached in the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from duonas.costs.analytic import analytic
from duonas.data.batches import evaluation_batches
from duonas.data.images import Images, parts
from duonas.data.ondisk import Pixels
from duonas.layers.norm import folded
from duonas.routing.router import Router
from duonas.supernet.pair import PairSupernet


@dataclass(frozen=True)
class SubnetResult:
    """A subnet's answers.

    Args:
        subnet: the subnet.
        logits: (N, K) float32 on the split.
        accuracy: in [0, 1].
        cost: of one image.
        known: whether it was answered in an earlier time.
    """

    subnet: Subnet
    logits: np.ndarray
    accuracy: float
    cost: Cost
    known: bool = False


class Evaluator:
    """Extracts a subnet, measures its batch norms on train images where they want it, and asks it about a split.

    Nothing stays behind in the supernet. An answer is cached as ``folder/<subnet.id>.safetensors`` with a fingerprint
    of all it depends on, which is ``fingerprint``; a stale or broken file is computed again. Others may keep what they
    make of answers there too.

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
        recalibration_pixels: Pixels,
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
        about = {"subnet": subnet.to_json()}  # eight hex digits name a file: this says whether it is the right one
        known = True

        def ask() -> dict[str, np.ndarray]:
            nonlocal known
            known = False
            return {"logits": self.logits(self.network(subnet))}

        logits = self.kept(subnet.id, about, ask)["logits"]
        accuracy = float((logits.argmax(1) == self.labels).mean())
        return SubnetResult(subnet, logits, accuracy, self._cost(self.supernet.pairs.blocks(subnet)), known)

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

    def kept(
        self, name: str, about: Mapping[str, Any], compute: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """What ``compute`` gives, from the file of that name if it was made of the same weights, images and ``about``.

        Args:
            name: of the file.
            about: as JSON, what else the arrays depend on.
            compute: gives arrays by name.
        """
        # One entry, since safetensors writes several in an order of its own, and a file must be the same bit for bit.
        label = {"header": json.dumps({"fingerprint": self.fingerprint, **about})}
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.safetensors"
        arrays = _read(path, label)
        if arrays is None:
            arrays = compute()
            write_bytes(path, save(arrays, label))
        return arrays


def _read(path: Path, label: dict[str, str]) -> dict[str, np.ndarray] | None:
    """The arrays of a file with this label; ``None`` where there is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            if file.metadata() != label:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def _fingerprint(name: str, batch_size: int, *values: Pixels) -> str:
    digest = hashlib.sha256(f"{name}/{batch_size}".encode())
    for each in values:
        digest.update(str(tuple(each.shape)).encode())
        for part in parts(each):
            digest.update(np.ascontiguousarray(part.cpu().numpy()).data)
    return digest.hexdigest()
