"""Evaluates subnets on a split, and caches the parts of the result that pairs need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.core.tensors import load_arrays, save_tensors
from duonas.costs.analytic import analytic
from duonas.data.batches import outputs, recalibration_batches
from duonas.data.images import Images, compact, parts
from duonas.data.ondisk import Pixels
from duonas.layers.norm import folded
from duonas.routing.router import Router
from duonas.search.options import SearchOptions
from duonas.supernet.pair import PairSupernet

RIGHT = "right"
Reading = Callable[[Subnet, np.ndarray], np.ndarray]  # computes an array to cache from logits (N, K) float32
NO_READINGS: Mapping[str, Reading] = {}


@dataclass(frozen=True)
class SubnetResult:
    """The result of a subnet on N images, without its logits.

    Args:
        subnet: the subnet.
        right: (N,) bool, whether it classifies each image correctly.
        readings: arrays computed from its logits, by name.
        known: whether the result was in the cache.
    """

    subnet: Subnet
    right: np.ndarray
    readings: Mapping[str, np.ndarray] = field(default_factory=dict)
    known: bool = False

    @classmethod
    def of(
        cls, subnet: Subnet, logits: np.ndarray, labels: np.ndarray, readings: Mapping[str, Reading] = NO_READINGS
    ) -> SubnetResult:
        """The result of a subnet from its logits (N, K) float32 and the labels (N,)."""
        arrays = {name: read(subnet, logits) for name, read in readings.items()}
        return cls(subnet, np.asarray(logits.argmax(1) == labels), arrays)

    @property
    def accuracy(self) -> float:
        """The fraction of images that the subnet classifies correctly."""
        return float(self.right.mean())


class Evaluator:
    """Extracts subnets, recalibrates their batch norms on training images if necessary, and evaluates them on a split.

    Results are cached in ``folder/<subnet.id>.safetensors``: one bit for each image, the readings, and a fingerprint of
    everything that they depend on. A stale or broken file is computed again.

    Args:
        supernet: trained; it is not changed.
        recalibration_pixels: uint8 (M, 3, H, W) of the train split; the first ``options.recalibration_images`` are
            used.
        images: the split, on the device to compute on; a search uses val.
        folder: of the cache; ``None`` for no cache.
        options: the ``[search]`` table.
        fingerprint: identifies the supernet's weights.
    """

    def __init__(
        self,
        supernet: PairSupernet,
        recalibration_pixels: Pixels,
        images: Images,
        folder: Path | None,
        options: SearchOptions,
        fingerprint: str,
    ) -> None:
        self.supernet, self.images, self.folder = supernet, images, folder
        self._pixels = recalibration_pixels[: options.recalibration_images]
        self._batch_size = options.batch_size
        self.labels: np.ndarray = images.labels.cpu().numpy()
        name = f"{fingerprint}/{supernet.norms}"
        self.fingerprint = fingerprint_of(name, options.batch_size, self._pixels, images.pixels, images.labels)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which has no cache; of pixels that are a part of others that part alone."""
        own = {"_pixels": compact(self._pixels), "images": replace(self.images, pixels=compact(self.images.pixels))}
        return vars(self) | own | {"folder": None}

    def evaluate(
        self,
        subnet: Subnet,
        readings: Mapping[str, Reading] = NO_READINGS,
        answers: Callable[[Subnet], np.ndarray] | None = None,
    ) -> SubnetResult:
        """The result of a subnet, from the cache if it is complete there.

        Args:
            subnet: the subnet.
            readings: functions of its logits, by names that identify everything else that they depend on.
            answers: gives its logits (N, K) float32 where the cache has not; by default they are computed here.
        """
        known = True

        def compute() -> dict[str, np.ndarray]:
            nonlocal known
            known = False
            result = SubnetResult.of(subnet, (answers or self.answers)(subnet), self.labels, readings)
            return {RIGHT: np.packbits(result.right), **result.readings}

        arrays = self.kept(subnet.id, _about(subnet), compute, wanted=(RIGHT, *readings))
        right = np.unpackbits(arrays.pop(RIGHT), count=len(self.labels)).astype(bool)
        return SubnetResult(subnet, right, arrays, known)

    def knows(self, subnet: Subnet, readings: Collection[str] = ()) -> bool:
        """Whether the cache has the result of a subnet with these readings."""
        arrays = self._read(subnet.id, _about(subnet))
        return arrays is not None and arrays.keys() >= {RIGHT, *readings}

    def answers(self, subnet: Subnet) -> np.ndarray:
        """The logits (N, K) float32 of a subnet on the split."""
        return self.logits(self.network(subnet))

    def cost(self, subnet: Subnet) -> Cost:
        """What is counted of the subnet, for one image."""
        return analytic(self.supernet.pairs.blocks(subnet))

    def network(self, subnet: Subnet) -> nn.Sequential:
        """The subnet as a plain network with its final batch-norm statistics, in eval mode."""
        network = self.supernet.extract(subnet).to(memory_format=torch.channels_last)
        self.supernet.settle(subnet, network, recalibration_batches(self._pixels, self._batch_size))
        return network

    @torch.inference_mode()
    def logits(self, network: nn.Module) -> np.ndarray:
        """The logits (N, K) float32 of a network on the split."""
        return outputs(folded(network), self.images.pixels, self._batch_size).numpy()

    @torch.inference_mode()
    def describe(self, router: Router, subnet: Subnet, shared: int) -> Tensor:
        """A router's features (N, D) float32 of the output of the subnet's first ``shared`` blocks on the split.

        They are equal for all subnets with these leading blocks, since batch norms do not depend on later blocks.
        """
        stem = self.supernet.extract(subnet)[:shared].to(memory_format=torch.channels_last)
        if shared:
            self.supernet.settle(subnet, stem, recalibration_batches(self._pixels, self._batch_size))
        fast = folded(stem)
        return outputs(lambda images: router.describe(fast(images)), self.images.pixels, self._batch_size)

    def kept(
        self,
        name: str,
        about: Mapping[str, Any],
        compute: Callable[[], dict[str, np.ndarray]],
        wanted: Collection[str] = (),
    ) -> dict[str, np.ndarray]:
        """The arrays of ``compute``, from the cache if it has them for the same weights, images and ``about``.

        Args:
            name: of the cache file.
            about: what else the arrays depend on, as JSON.
            compute: returns arrays by name.
            wanted: names of arrays that must be in the file.
        """
        if self.folder is None:
            return compute()
        arrays = self._read(name, about)
        if arrays is None or not arrays.keys() >= set(wanted):
            arrays = {**(arrays or {}), **compute()}  # what others read of the same subnet stays
            save_tensors(self._path(name), arrays, self._label(about))
        return arrays

    def _read(self, name: str, about: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """The arrays of the cache; ``None`` if it has none of this name for the same weights, images and ``about``."""
        if self.folder is None:
            return None
        try:
            arrays, header = load_arrays(self._path(name))
        except DuonasError:
            return None
        return arrays if header == json.loads(json.dumps(self._label(about))) else None  # JSON makes lists of tuples

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}.safetensors"

    def _label(self, about: Mapping[str, Any]) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, **about}


def _about(subnet: Subnet) -> dict[str, Any]:
    return {"subnet": subnet.to_json()}  # the eight hex digits of a file name may collide


def fingerprint_of(name: str, batch_size: int, *values: Pixels) -> str:
    """A digest of images and labels, of what is evaluated on them, and in batches of which size."""
    digest = hashlib.sha256(f"{name}/{batch_size}".encode())
    for each in values:
        digest.update(str(tuple(each.shape)).encode())
        for part in parts(each):
            digest.update(np.ascontiguousarray(part.cpu().numpy()).data)
    return digest.hexdigest()
