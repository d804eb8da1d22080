"""A big/little pair in plain PyTorch, in memory and on disk."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file, save
from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, reading, write_bytes, write_json
from duonas.core.pair import Role
from duonas.pair.build import build
from duonas.pair.facts import ROLES, PairFacts
from duonas.pair.sources import check_sources, sources_of


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
        """Little and big as whole networks with named blocks, which share the pair's modules."""
        stem = [] if self.stem is None else list(self.stem.named_children())
        rest = {role: list(getattr(self, role).named_children()) for role in ROLES}
        return {role: nn.Sequential(OrderedDict([*stem, *blocks])) for role, blocks in rest.items()}

    def save(self, folder: Path) -> list[Path]:
        """Write ``little.safetensors``, ``big.safetensors`` and ``pair.json`` to ``folder``, and return their paths.

        ``load`` needs no other files, except the source files of the user's own kinds of blocks; ``pair.json`` has
        their paths and checksums.
        """
        paths = []
        for role, network in self.towers().items():
            state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
            paths.append(write_bytes(folder / f"{role}.safetensors", save(state)))
        kinds = {block.kind for blocks in self.facts.blocks.values() for block in blocks}
        return [*paths, write_json(folder / "pair.json", self.facts.to_json() | {"sources": sources_of(kinds)})]

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
        networks = {role: load_network(folder / f"{role}.safetensors", facts.blocks[role], path.name) for role in ROLES}
        return cls.join(networks["little"], networks["big"], facts)


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
