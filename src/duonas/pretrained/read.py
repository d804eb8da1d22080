"""Read a file of pretrained weights, and check that they are those of a network of timm."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.text import listed
from duonas.pretrained.outline import Outline, outline
from duonas.pretrained.sources import Source

FORMATS = (".safetensors", ".pth", ".pt", ".bin", ".tar")  # the first by safetensors, the others by torch.load
INSIDE = ("state_dict", "state_dict_ema", "model", "model_state_dict")  # where checkpoints keep the tensors
STARTS = (b"PK", b"\x80")  # of what torch.save writes: an archive, and before version 1.6 a pickle
PREFIXES = ("module.", "_orig_mod.")  # of networks that were trained in parallel or compiled


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
    tensors = {name: value for name, value in _tensors(source.path).items() if value.ndim}
    like = outline(network, _classes(tensors, source.path))
    ordered = _in_order(tensors, like, source.path)
    for name, value in zip(like.shapes, ordered, strict=True):
        if not torch.isfinite(value).all():
            raise DuonasError(f"{source.path}: tensor {name} has values that are not finite numbers.")
    return Weights([value.float() for value in ordered], like, source, hashed)


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name."""
    if path.suffix not in FORMATS:
        raise DuonasError(f"{path} is no file of weights: expected one that ends in {', '.join(FORMATS)}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _check_start(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that torch would not write
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DuonasError(
            f"{path} holds more than tensors, which is not read since it could run any code: save its state_dict alone."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        said = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        raise DuonasError(f"{path} cannot be read as weights: {said or type(error).__name__}.") from error
    inside = next((found[key] for key in INSIDE if key in found), found) if isinstance(found, Mapping) else None
    if not isinstance(inside, Mapping) or not all(isinstance(value, Tensor) for value in inside.values()):
        raise DuonasError(f"{path} holds no state_dict: expected tensors by name.")
    return {_plain(str(name)): value for name, value in inside.items()}


def _check_start(path: Path) -> None:
    """Refuse what torch did not save, of which its own errors say that it could run code."""
    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        raise DuonasError(f"{path} cannot be read as weights: it is empty.")
    if not start.startswith(STARTS):
        raise DuonasError(
            f"{path} cannot be read as weights: torch did not save it (it may be a web page, or a pointer of Git LFS)."
        )


def _plain(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _classes(tensors: Mapping[str, Tensor], path: Path) -> int:
    """Return the number of classes, which is the length of the last tensor, the bias of the classifier."""
    if not tensors:
        raise DuonasError(f"{path} holds no weights.")
    return len(tensors.get("classifier.bias", list(tensors.values())[-1]))


def _in_order(tensors: Mapping[str, Tensor], like: Outline, path: Path) -> list[Tensor]:
    """Return the tensors in the order of timm's."""
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    if shapes == like.shapes:
        return [tensors[name] for name in like.shapes]
    if list(shapes.values()) == list(like.shapes.values()):
        return list(tensors.values())
    raise DuonasError(f"{path} does not hold the weights of timm's {like.network}: {_difference(shapes, like.shapes)}.")


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
