"""Read a file of pretrained weights, and check that they are those of a network of timm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.text import listed
from duonas.pretrained.file import read_tensors
from duonas.pretrained.outline import Outline, outline, published
from duonas.pretrained.sources import Source

COUNTER = "num_batches_tracked"  # the end of the names of counters of batches


@dataclass(frozen=True)
class Weights:
    """Pretrained weights of a network.

    Args:
        tensors: float32, in the order of timm's ``state_dict``, without counters of batches.
        like: the network's outline, for as many classes as the weights have.
        source: the file.
        sha256: of its bytes, in hex.
    """

    tensors: Sequence[Tensor]
    like: Outline
    source: Source
    sha256: str

    @property
    def classes(self) -> int:
        """The number of classes that they answer."""
        return len(self.tensors[-1])


def read(source: Source, network: str) -> Weights:
    """Read the weights of a network of timm.

    Tensors are found by timm's names. A file with other names has to have as many tensors of the same shapes in the
    same order.

    Raises:
        DuonasError: the file cannot be read, or it holds other tensors; the message says which.
    """
    hashed = checksum(source.path)
    if source.sha256 not in (None, hashed):
        raise DuonasError(
            f"{source.path} of {source.words} is not the published file (its SHA-256 is {hashed[:12]}..., expected "
            f"{str(source.sha256)[:12]}...): install it again."
        )
    tensors = read_tensors(source.path)
    like = outline(network, _classes(tensors, network, source.path))
    found = fitting(tensors, like.shapes, network, source.path)
    return Weights([value.float() for value in found.values()], like, source, hashed)


def fitting(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], network: str, path: Path
) -> dict[str, Tensor]:
    """Return the tensors that a network has a place for, by its names and in its order.

    They are found by name. Tensors with other names have to be as many, of the same shapes in the same order. Counters
    of batches are left out on both sides.

    Args:
        tensors: of a file, by name; see ``read_tensors``.
        wanted: the shapes of the network's tensors, by name.
        network: its name in timm.
        path: of the file, for messages, which begin with it.

    Raises:
        DuonasError: tensors are missing, too many, of another shape or not finite.
    """
    wanted = {name: tuple(shape) for name, shape in wanted.items() if not name.endswith(COUNTER)}
    scalars = () in wanted.values()  # else a tensor of one number is a counter, whatever it is called
    tensors = {name: value for name, value in tensors.items() if not name.endswith(COUNTER) and (value.ndim or scalars)}
    found = dict(zip(wanted, _in_order(tensors, wanted, network, path), strict=True))
    for name, value in found.items():
        if not torch.isfinite(value).all():
            raise DuonasError(f"{path}: tensor {name} has values that are not finite numbers.")
    return found


def _classes(tensors: Mapping[str, Tensor], network: str, path: Path) -> int:
    """Return the number of classes, which is the length of the bias of the classifier.

    Under other names than timm's it is the last tensor; a file of safetensors has them in the order of their names.
    """
    known = [value for value in tensors.values() if value.ndim]
    if not known:
        raise DuonasError(f"{path} holds no weights.")
    classifier = published(network).classifier
    names = [f"{name}.bias" for name in (classifier if isinstance(classifier, tuple) else (classifier,))]
    found = [tensors[name] for name in (*names, "classifier.bias") if name in tensors]
    return len(found[0] if found else known[-1])


def _in_order(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], network: str, path: Path
) -> list[Tensor]:
    """Return the tensors in the order of the network's."""
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    if shapes == wanted:
        return [tensors[name] for name in wanted]
    if list(shapes.values()) == list(wanted.values()):
        return list(tensors.values())
    raise DuonasError(f"{path} does not hold the weights of timm's {network}: {_difference(shapes, wanted)}.")


def _difference(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> str:
    """Say which tensors are missing, too many or of another shape."""
    if not found.keys() & wanted.keys():
        return _by_place(found, wanted)
    parts = []
    if missing := [name for name in wanted if name not in found]:
        parts.append(f"{_tensors_named(missing)} missing")
    if extra := [name for name in found if name not in wanted]:
        parts.append(f"{_tensors_named(extra)} too many")
    if others := [name for name in wanted if name in found and found[name] != wanted[name]]:
        name = others[0]
        more = f" and {len(others) - 1} more have" if len(others) > 1 else " has"
        parts.append(f"{name}{more} another shape, {list(found[name])} in place of {list(wanted[name])}")
    return "; ".join(parts)


def _by_place(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> str:
    """Say where two lists of tensors without a common name begin to differ."""
    pairs = enumerate(zip(found.items(), wanted.items(), strict=False), 1)
    differing = next(((place, mine, its) for place, (mine, its) in pairs if mine[1] != its[1]), None)
    counts = f"it has {len(found)} tensors, expected {len(wanted)}"
    if differing is None:
        return f"none of its names is known, and {counts}"
    place, (name, shape), (expected, other) = differing
    return (
        f"none of its names is known, {counts}, and tensor {place}, {name}, has the shape {list(shape)}, not the "
        f"{list(other)} of {expected}"
    )


def _tensors_named(names: Iterable[str]) -> str:
    every = list(names)
    return f"{listed(every, 2)} {'is' if len(every) == 1 else 'are'}"
