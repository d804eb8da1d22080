"""Start a supernet from pretrained weights of its largest arch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Protocol, runtime_checkable

import torch

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.layers.elastic import ElasticLinear
from duonas.pretrained.read import Weights
from duonas.pretrained.sources import KEY
from duonas.supernet.family import Family
from duonas.supernet.options import SpaceOptions
from duonas.supernet.sorting import sort_channels
from duonas.supernet.supernet import Supernet


@runtime_checkable
class _StartsFrom(Protocol):
    """An elastic layer that can take the part that it needs of a larger one."""

    def start_from(self, other: Any) -> None: ...


def network_of(family: type[Family], options: SpaceOptions) -> str:
    """Return the name in timm of the network that the preset of a ``[space]`` table is.

    Raises:
        DuonasError: it is none, or weights are generated for each arch; the message says which presets are networks.
    """
    preset, asked = str(getattr(options, "preset", None) or ""), f"{KEY} = {options.pretrained!r}"
    if find("weights", options.weights.name).generates:
        raise DuonasError(f"{asked} needs weights that all archs share: [space.weights] name = 'shared'.")
    if not family.published:
        raise DuonasError(f"{asked}: search space {options.name!r} has no preset with pretrained weights.")
    if preset not in family.published:
        named = f"{preset!r} is none" if preset else "the default one is none"
        raise DuonasError(
            f"{asked} needs a preset that is a network of timm, and {named}: {nearest(preset, family.published)}."
        )
    return family.published[preset]


def start(supernet: Supernet, family: type[Family], weights: Weights) -> None:
    """Start a supernet from pretrained weights, in place.

    The largest arch of the preset gets the weights as they are, its channels sorted by importance. The supernet takes
    the leading channels and the centres of the kernels of that. Its classifier starts from nothing, unless the weights
    have as many classes.

    Raises:
        DuonasError: the supernet has blocks that the network does not have.
    """
    check_fits(supernet.space, family, supernet.options, weights)
    theirs = dict(_largest(family, supernet.options, supernet.space.image_size, weights).named_modules())
    for name, layer in supernet.named_modules():
        if isinstance(layer, _StartsFrom) and not _is_another_classifier(layer, theirs[name]):
            layer.start_from(theirs[name])


def _is_another_classifier(mine: Any, other: Any) -> bool:
    return isinstance(mine, ElasticLinear) and len(mine.bias) != len(other.bias)


def check_fits(space: SearchSpace, family: type[Family], options: SpaceOptions, weights: Weights) -> None:
    """Refuse a space whose blocks are not parts of the network's.

    Raises:
        DuonasError: it has such a block.
    """
    _, largest = _whole(family, options, space.image_size, weights.classes)
    theirs = {block.name: _structure(block) for block in largest.whole()}
    for block in space.whole():
        if theirs.get(block.name) != _structure(block):
            raise DuonasError(
                f"{KEY}: block {block.name} of this space is not a part of timm's {weights.like.network}: remove "
                "from [space] and [pair] what changes the blocks of the preset, such as blocks or little_blocks."
            )


def _whole(
    family: type[Family], options: SpaceOptions, image_size: int, classes: int
) -> tuple[SpaceOptions, SearchSpace]:
    """Return the table and the space of the preset without any changes."""
    table = family.Options(preset=getattr(options, "preset", None))  # type: ignore[call-arg]  # see network_of
    return table, family.space(table, image_size, classes)


def _largest(family: type[Family], options: SpaceOptions, image_size: int, weights: Weights) -> Supernet:
    """Return the supernet of the whole preset with the weights in its largest arch, and sorted channels."""
    table, space = _whole(family, options, image_size, weights.classes)
    whole = family.supernet(space, weights.like.mean, weights.like.std, stream(0, "pretrained"), table)
    path = [(block, whole.blocks[block.name]) for block in space.blocks(space.largest())[1:]]  # without the input
    _fill(path, weights)
    sort_channels([path])
    return whole


@torch.no_grad()
def _fill(path: Sequence[tuple[BlockSpec, Any]], weights: Weights) -> None:
    """Copy the weights to the layers of the largest arch, which are in the same order."""
    places = [values for spec, block in path for values in block.weights(spec) if values.ndim]
    for place, values in zip_longest(places, weights.tensors):
        if place is None or values is None or place.numel() != values.numel():
            raise DuonasError(f"{KEY}: the largest arch of this preset is not timm's {weights.like.network}.")
        place.copy_(values.view_as(place))  # a 1 x 1 convolution of what was pooled is a linear layer


def _structure(block: BlockSpec) -> tuple[Any, ...]:
    return block.kind, block.stride, tuple((layer.name, layer.kind, layer.activation) for layer in block.layers)
