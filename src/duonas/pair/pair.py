"""A big/little pair, in plain PyTorch or of ONNX graphs, in memory and on disk."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file, save
from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.files import checksum, read_json, reading, write_bytes, write_json
from duonas.core.pair import Role
from duonas.pair.build import build
from duonas.pair.facts import ROLES, PairFacts
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.sources import check_sources, sources_of

PARTS = ("stem", *ROLES)
ONNX = "onnx"  # the format of a pair whose parts are ONNX graphs; else they are safetensors


class PairOutput(NamedTuple):
    """Logits (B, K) of both networks, and the output of the shared blocks; without shared blocks, the images."""

    little: Tensor
    big: Tensor
    stem: Tensor


class Pair(nn.Module):
    """A little and a big network with the blocks that they share, independent of recipe, search space and supernet.

    Args:
        stem: the shared leading blocks, from images (B, 3, H, W) to features; ``None`` if nothing is shared.
        little: the rest of little, from the stem's features (or the images) to logits (B, K).
        big: the rest of big, with the same input and output shapes as little.
        facts: costs, blocks, class names, preprocessing.
    """

    def __init__(self, stem: nn.Module | None, little: nn.Module, big: nn.Module, facts: PairFacts) -> None:
        super().__init__()
        self.stem, self.little, self.big, self.facts = stem, little, big, facts

    @classmethod
    def join(cls, little: nn.Sequential, big: nn.Sequential, facts: PairFacts) -> Pair:
        """Join two whole networks whose first ``facts.shared`` blocks are equal; the pair shares those of big."""
        shared = facts.shared
        return cls(big[:shared] if shared else None, little[shared:], big[shared:], facts).eval()

    def features(self, images: Tensor) -> Tensor:
        """The stem's output for images (B, 3, H, W); without a stem, the images."""
        found: Tensor = images if self.stem is None else self.stem(images)
        return found

    def forward(self, images: Tensor) -> PairOutput:
        """Both networks' logits (B, K) for images (B, 3, H, W); shared blocks run once."""
        stem = self.features(images)
        return PairOutput(self.little(stem), self.big(stem), stem)

    def towers(self) -> dict[Role, nn.Sequential]:
        """Little and big as whole networks, which share the pair's modules.

        Their children are named blocks, or, where they are ONNX graphs, ``stem`` and ``tower``.
        """
        stem = _children("stem", self.stem)
        rest = {role: _children("tower", getattr(self, role)) for role in ROLES}
        return {role: nn.Sequential(OrderedDict([*stem, *blocks])) for role, blocks in rest.items()}

    def save(self, folder: Path) -> list[Path]:
        """Write ``little.safetensors``, ``big.safetensors`` and ``pair.json`` to ``folder``, and return their paths.

        A pair of ONNX graphs has ``little.onnx``, ``big.onnx`` and, with a stem, ``stem.onnx`` instead. ``load`` needs
        no other files, except the source files of the user's own kinds of blocks; ``pair.json`` has their paths and
        checksums.
        """
        paths, graphs = [], self._graphs()
        if graphs:
            paths = [network.save(folder / f"{part}.onnx") for part, network in graphs.items()]
            about: dict[str, Any] = {"format": ONNX, "files": {path.name: checksum(path) for path in paths}}
        else:
            for role, network in self.towers().items():
                state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
                paths.append(write_bytes(folder / f"{role}.safetensors", save(state)))
            about = {"sources": sources_of({block.kind for blocks in self.facts.blocks.values() for block in blocks})}
        return [*paths, write_json(folder / "pair.json", self.facts.to_json() | about)]

    def _graphs(self) -> dict[str, OnnxNetwork]:
        """The parts that are ONNX graphs: all that there are, or none."""
        parts = {part: getattr(self, part) for part in PARTS if getattr(self, part) is not None}
        graphs = {part: network for part, network in parts.items() if isinstance(network, OnnxNetwork)}
        if graphs and len(graphs) < len(parts):
            raise TypeError("a pair of which some parts are ONNX graphs and others are not cannot be saved.")
        return graphs

    @classmethod
    def load(cls, folder: Path) -> Pair:
        """Read a pair that ``save`` wrote, on the CPU and in eval mode.

        Raises:
            DuonasError: the pair is missing, damaged or of another version, or the source file of one of the user's own
                kinds of blocks has changed.
        """
        path = folder / "pair.json"
        value = read_json(path)
        try:
            facts = PairFacts.from_json(value)
            with reading(path):
                check_sources(value.get("sources", {}))
        except DuonasError as error:
            raise DuonasError(f"{path} cannot be used: {error}") from error
        if value.get("format") == ONNX:
            return cls(**_load_graphs(folder, value), facts=facts).eval()
        if not facts.blocks:
            raise DuonasError(f"{path} cannot be used: it describes no blocks, and names no ONNX files.")
        networks = {role: load_network(folder / f"{role}.safetensors", facts.blocks[role], path.name) for role in ROLES}
        return cls.join(networks["little"], networks["big"], facts)


def _children(name: str, part: nn.Module | None) -> list[tuple[str, nn.Module]]:
    if part is None:
        return []
    return [(name, part)] if isinstance(part, OnnxNetwork) else list(part.named_children())


def _load_graphs(folder: Path, value: Any) -> dict[str, Any]:
    """Read the parts of a pair of ONNX graphs; ``value`` is the content of its ``pair.json``."""
    with reading(folder / "pair.json"):
        files = {str(name): str(known) for name, known in value["files"].items()}
    parts: dict[str, Any] = dict.fromkeys(PARTS)
    for part in PARTS:
        path = folder / f"{part}.onnx"
        if path.name not in files and part not in ROLES:
            continue
        if path.exists() and checksum(path) != files.get(path.name):
            raise DuonasError(f"{path} is not the file that pair.json was written with: checksums differ.")
        parts[part] = OnnxNetwork.load(path)
    return parts


def load_network(path: Path, blocks: tuple[BlockSpec, ...], described_in: str) -> nn.Sequential:
    """Build a network in eval mode with the weights of a safetensors file.

    Args:
        path: of the weights.
        blocks: the network's.
        described_in: name of the file that has the blocks, for messages.

    Raises:
        DuonasError: the file is missing or does not have the weights of these blocks.
    """
    try:
        if sum(block.params for block in blocks) > path.stat().st_size:  # before memory for them is asked for
            raise ValueError("it is too small")
        return build(blocks, load_file(path))
    except DuonasError:
        raise
    except Exception as error:  # pair.json may describe any blocks, and the user's own builders may fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(":.")
        raise DuonasError(f"{path} does not have the weights that {described_in} describes: {reason}.") from error
