"""A plain network beside a pair: one subnet alone, without a router, in memory and on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, reading, write_bytes, write_json
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import load_network
from duonas.pair.sources import check_sources, sources_of

VERSION = 1
WEIGHTS, FACTS, GRAPH = "network.safetensors", "network.json", "network.onnx"


@dataclass(frozen=True)
class Alone:
    """How a plain network was trained alone.

    Args:
        steps: of the optimiser.
        epochs: passes over the training images.
        minutes: that it took; ``None`` if the steps were given, not the time.
    """

    steps: int
    epochs: float
    minutes: float | None = None


@dataclass(frozen=True)
class PlainNetwork:
    """A network alone.

    Args:
        network: images (B, 3, H, W) in [0, 1] to logits (B, K), with one child for each block, in eval mode; or an ONNX
            graph, as a quantised network is.
        blocks: its blocks.
        cost: for one image.
        values: the values of its axes.
        accuracy: on the val split, in [0, 1].
        alone: how it was trained; ``None`` if its weights are those that the supernet gives it.
    """

    network: nn.Module
    blocks: tuple[BlockSpec, ...]
    cost: Cost
    values: Mapping[str, Any]
    accuracy: float
    alone: Alone | None = None

    def save(self, folder: Path) -> list[Path]:
        """Write ``network.safetensors`` and ``network.json`` to ``folder``, and return their paths.

        Of an ONNX graph ``network.onnx`` is written instead of the weights.
        """
        if isinstance(self.network, OnnxNetwork):
            weights = self.network.save(folder / GRAPH)
        else:
            state = {name: each.detach().cpu().contiguous() for name, each in self.network.state_dict().items()}
            weights = write_bytes(folder / WEIGHTS, save(state))
        return [weights, write_json(folder / FACTS, self._facts())]

    def _facts(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "values": dict(self.values),
            "accuracy": self.accuracy,
            "cost": self.cost.figures,
            "alone": None if self.alone is None else asdict(self.alone),
            "blocks": [block.to_json() for block in self.blocks],
            "sources": sources_of({block.kind for block in self.blocks}),
        }

    @classmethod
    def load(cls, folder: Path) -> PlainNetwork:
        """Read a network that ``save`` wrote, on the CPU and in eval mode.

        Raises:
            DuonasError: it is missing, damaged or of another version, or the source file of one of the user's own kinds
                of blocks has changed.
        """
        path = folder / FACTS
        value = read_json(path)
        with reading(path):
            if value["version"] != VERSION:
                raise DuonasError(f"{path} is of another version of duonas ({value['version']!r}, expected {VERSION}).")
            check_sources(value["sources"])
            blocks = tuple(map(BlockSpec.from_json, value["blocks"]))
            cost, values, accuracy = Cost(**value["cost"]), dict(value["values"]), float(value["accuracy"])
            alone = Alone(**value["alone"]) if value.get("alone") else None  # earlier versions trained none
        graph = folder / GRAPH
        network = OnnxNetwork.load(graph) if graph.exists() else load_network(folder / WEIGHTS, blocks, FACTS)
        return cls(network, blocks, cost, values, accuracy, alone)
