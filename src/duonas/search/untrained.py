"""Untrained networks of archs, and the metrics that are computed from them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.files import read_object, write_json
from duonas.core.pair import Subnet
from duonas.core.registry import source_hash
from duonas.core.rng import stream
from duonas.data.images import Images, select, take, to_float
from duonas.data.ondisk import read
from duonas.data.splits import Colour
from duonas.layers.init import initialise
from duonas.layers.plain import Input
from duonas.pair.build import build
from duonas.search.evaluate import fingerprint_of
from duonas.search.metric import ArchFacts, ArchMetric, UntrainedNetwork

IMAGES = 64  # in the batch
NEUTRAL: tuple[Colour, Colour] = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Computed:
    """A figure of an untrained network, and the seconds that it took."""

    value: float
    seconds: float


class UntrainedNetworks:
    """Computes the metrics of untrained networks, each once for an arch.

    All networks are initialised from the same random numbers, and see the same batch. Figures are cached in
    ``folder/<subnet.id>.json`` with a fingerprint of all that they depend on; a stale or broken file is computed again.

    Args:
        images: the train split, of which at most 64 different images are drawn.
        colours: mean and standard deviation of each colour channel, by which the networks normalise images.
        seed: of the weights and of the draw.
        folder: of the cache; ``None`` for none.
        device: to compute on.

    ``new`` is the number of figures that were not in the cache.
    """

    def __init__(
        self,
        images: Images,
        colours: tuple[Colour, Colour],
        seed: int,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._images, self._colours, self._seed, self._folder = images, colours, seed, folder
        self._device = torch.device(device)
        self._known: dict[tuple[str, Subnet], Computed] = {}
        self.new = 0

    @classmethod
    def rehearsal(cls, side: int, classes: int) -> UntrainedNetworks:
        """Networks on images of noise, to try a metric on before there are any others.

        Args:
            side: of the images, in pixels.
            classes: of the labels.
        """
        noise = stream(0, "rehearsal").integers(0, 256, (IMAGES // 4, 3, side, side), np.uint8)
        return cls(Images(torch.from_numpy(noise), torch.arange(len(noise)) % classes), NEUTRAL, 0)

    def value(self, metric: ArchMetric, facts: ArchFacts) -> float:
        """The figure of an arch by a metric that is ``untrained``.

        Args:
            metric: the metric.
            facts: of the arch, with the blocks to build its network from.

        Raises:
            DuonasError: it is not one finite number, or there are fewer than two different images.
        """
        key = metric.called, facts.subnet
        if key not in self._known:
            self._known[key] = self._cached(metric, facts)
        return self._known[key].value

    @property
    def effort(self) -> dict[str, dict[str, float]]:
        """For each metric the number of archs, and the mean seconds that one took."""
        taken: dict[str, list[float]] = {}
        for (name, _), computed in self._known.items():
            taken.setdefault(name, []).append(computed.seconds)
        return {
            name: {"archs": len(each), "seconds_an_arch": round(sum(each) / len(each), 6)}
            for name, each in taken.items()
        }

    def network(self, blocks: tuple[BlockSpec, ...]) -> nn.Sequential:
        """The untrained network of some blocks, in training mode."""
        rng = stream(self._seed, "search", "untrained")
        with torch.random.fork_rng(devices=[]):  # blocks of the user's own may initialise themselves
            torch.manual_seed(int(rng.integers(2**31)))
            network = build(blocks)
        initialise(network, rng)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
            elif isinstance(module, Input):
                for buffer, values in zip((module.mean, module.std), self._colours, strict=True):
                    buffer.copy_(torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1))
        return network.to(self._device).train()

    def _cached(self, metric: ArchMetric, facts: ArchFacts) -> Computed:
        name = json.dumps([metric.called, source_hash(metric.called)])
        about = {"fingerprint": self._fingerprint, "subnet": facts.subnet.to_json(), "blocks": _digest(facts)}
        path = None if self._folder is None else self._folder / f"{facts.subnet.id}.json"
        known = {} if path is None else _read(path, about)
        if name in known:
            return Computed(**known[name])
        computed = self._computed(metric, facts)
        if path is not None:
            write_json(path, about | {"figures": known | {name: vars(computed)}})
        return computed

    def _computed(self, metric: ArchMetric, facts: ArchFacts) -> Computed:
        images, labels = self._batch
        begin = time.perf_counter()
        made = UntrainedNetwork(self.network(tuple(facts.blocks)), images, labels)
        try:
            value = metric.measured(replace(facts, untrained=made))
        except DuonasError as error:
            said = str(error).rstrip(".")
            raise DuonasError(f"{said}, for the untrained network of arch {facts.subnet.id}.") from error
        self.new += 1
        return Computed(value, time.perf_counter() - begin)

    @cached_property
    def _batch(self) -> tuple[Tensor, Tensor]:
        rng, count = stream(self._seed, "search", "untrained batch"), len(self._images)
        drawn = np.sort(rng.choice(count, min(2 * IMAGES, count), replace=False))
        pixels = read(take(self._images.pixels, drawn)).cpu()
        first = np.unique(pixels.flatten(1).numpy(), axis=0, return_index=True)[1]
        if len(first) < 2:
            raise DuonasError("[search] a metric of untrained networks needs two training images that differ.")
        chosen = np.sort(rng.permutation(first)[:IMAGES])
        labels = select(self._images.labels.cpu(), drawn[chosen])
        return to_float(pixels[torch.from_numpy(chosen)]).to(self._device), labels.to(self._device)

    @cached_property
    def _fingerprint(self) -> str:
        images, labels = self._batch
        return fingerprint_of(f"untrained/{self._seed}/{self._colours}", IMAGES, images, labels)


def _digest(facts: ArchFacts) -> str:
    return hashlib.sha256(repr(tuple(facts.blocks)).encode()).hexdigest()


def _read(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a cache file; none if it is not there, is broken or is about something else."""
    try:
        kept = read_object(path)
    except DuonasError:
        return {}
    known = kept.pop("figures", {})
    return known if kept == json.loads(json.dumps(about)) else {}
