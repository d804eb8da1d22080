"""Try a user's own search space before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.registry import adapted
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.supernet.family import Family, without_sizes
from duonas.supernet.options import SpaceOptions
from duonas.supernet.supernet import Supernet

ARCHS = 12  # drawn at random, beside the smallest and the largest
IMAGES = 2
ELSEWHERE = {"name", "weights", "tied", "pretrained"}  # keys that are read outside of a family


def rehearse_space(family: type[Family], options: SpaceOptions, space: SearchSpace) -> None:
    """Build the supernet of a search space, and compute several archs of it as a run does, on random images.

    Args:
        family: the family, with the user's own code.
        options: the ``[space]`` table.
        space: the search space that the family made of it.

    Raises:
        DuonasError: something fails or has no effect; the message says what, and what is expected.
    """
    read: set[str] = set()
    noted = _noting(adapted(without_sizes(options)[0], family.Options), read)
    with _told(f"[space] name = {options.name!r} cannot be built"):
        again = family.space(noted, space.image_size, space.classes)
        supernet = family.supernet(again, (0.5,) * 3, (0.25,) * 3, stream(0, "rehearsal"), noted).eval()
    images = torch.from_numpy(stream(0, "images").random((IMAGES, 3, again.image_size, again.image_size), np.float32))
    drawn = [again.sample(stream(0, "rehearsal", number)) for number in range(ARCHS)]
    for arch in dict.fromkeys([again.smallest(), again.largest(), *drawn]):
        _check_whole(options.name, again, arch)
        with _told(f"[space] name = {options.name!r}: arch {again.values(arch)} cannot be computed"):
            _compute(supernet, arch, images)
    supernet.norm  # noqa: B018  which settle reads
    _check_read(options, read)


def _compute(supernet: Supernet, arch: Arch, images: Tensor) -> None:
    """Compute one arch in the supernet and as a plain network.

    Raises:
        DuonasError: the logits have another shape, or the two differ.
    """
    with torch.no_grad():
        found, plain = supernet(images, arch), supernet.extract(arch)(images)
    wanted = (len(images), supernet.space.classes)
    if tuple(found.shape) != wanted:
        raise DuonasError(f"its logits have shape {tuple(found.shape)}, expected {wanted}")
    if not torch.allclose(found, plain, rtol=1e-3, atol=1e-4):
        raise DuonasError("the extracted network gives other logits than the supernet")


def _check_whole(name: str, space: SearchSpace, arch: Arch) -> None:
    """Check that ``whole()`` has every block and every layer of an arch."""
    whole = {block.name: block for block in space.whole()}
    for block in space.blocks(arch):
        missing = f"block {block.name!r}" if block.name not in whole else ""
        if not missing:
            lacking = [layer.name for layer in block.layers if layer.name not in whole[block.name]]
            missing = f"layer {lacking[0]!r} of block {block.name!r}" if lacking else ""
        if missing:
            raise DuonasError(
                f"[space] name = {name!r}: arch {space.values(arch)} has {missing}, which whole() does not have; the "
                "largest arch does not contain all others here, so override whole() to return every block with every "
                "layer that some arch has."
            )


def _check_read(options: SpaceOptions, read: set[str]) -> None:
    """Refuse a key with a value that is not the default and that nothing reads."""
    for each in fields(options):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        value = getattr(options, each.name)
        if each.name not in read | ELSEWHERE and value != default:
            raise DuonasError(
                f"[space] {each.name} = {value!r} has no effect: {options.name} does not read it; remove the key, or "
                "read it in space() or in the supernet."
            )


def _noting(options: Any, read: set[str]) -> Any:
    """Return equal options that note the names of the keys that are read."""
    keys = {each.name for each in fields(options)}

    class Noting(type(options)):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name in keys:
                read.add(name)
            return super().__getattribute__(name)

    made = object.__new__(Noting)
    made.__dict__.update(vars(options))
    return made


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn any failure of the user's own code into one sentence."""
    try:
        yield
    except DuonasError as error:
        raise error if str(error).startswith("[") else DuonasError(f"{what}: {str(error).rstrip('.')}.") from error
    except (Exception, SystemExit) as error:  # a user's file can fail in any way
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise DuonasError(f"{what}: {type(error).__name__}{f': {said}' if said else ''}.") from error
