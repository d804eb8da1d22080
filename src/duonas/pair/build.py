"""Builds plain PyTorch networks from specifications of blocks.

To add a kind of block, register a function that builds it::

    @block("shuffle")
    def shuffle(spec: BlockSpec) -> nn.Module: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.cell import layer_name
from duonas.core.errors import DuonasError, nearest
from duonas.layers import plain
from duonas.layers.plain import ACTIVATIONS, WEIGHTLESS, Cell, Input, Residual, SqueezeExcite, WithShortcut

Builder = Callable[[BlockSpec], nn.Module]
_Builder = TypeVar("_Builder", bound=Builder)
BLOCKS: dict[str, Builder] = {}


def block(kind: str) -> Callable[[_Builder], _Builder]:
    """Decorator that registers the function that builds blocks whose ``BlockSpec.kind`` is ``kind``."""

    def register(builder: _Builder) -> _Builder:
        BLOCKS[kind] = builder
        return builder

    return register


def build(blocks: Iterable[BlockSpec], weights: Mapping[str, Tensor] | None = None) -> nn.Sequential:
    """Build a plain network in eval mode, with one child for each block, named like the block.

    Args:
        blocks: a whole network or a part of it, in order.
        weights: its ``state_dict``; default: convolutions and linear layers are not initialised.

    Raises:
        DuonasError: a block is of an unknown kind.
    """
    network = nn.Sequential()
    for spec in blocks:
        if spec.kind not in BLOCKS:
            raise DuonasError(
                f"block {spec.name!r} is of kind {spec.kind!r}, for which no builder is registered: "
                f"register it with duonas.pair.build.block, or {nearest(spec.kind, BLOCKS)}."
            )
        network.add_module(spec.name, BLOCKS[spec.kind](spec))
    if weights is not None:
        network.load_state_dict(weights)
    return network.eval()


@block("input")
def _input(spec: BlockSpec) -> Input:
    return Input(spec.out_resolution)


@block("stem")
def _stem(spec: BlockSpec) -> nn.Module:
    return plain.conv_norm(spec["conv"])


@block("mbconv")
@block("fused")
def _mbconv(spec: BlockSpec) -> nn.Module:
    body = nn.Sequential(*(plain.conv_norm(layer) for layer in spec.layers if layer.norm))
    if "squeeze" in spec:
        body.insert(len(body) - 1, SqueezeExcite(plain.conv(spec["squeeze"]), plain.conv(spec["excite"])))
    return Residual(body) if spec.residual else body


@block("dense")
def _dense(spec: BlockSpec) -> nn.Module:
    body = nn.Sequential(*map(plain.conv_norm, spec.layers))
    return nn.Sequential(Residual(body) if spec.residual else body, ACTIVATIONS[spec.activation]())


@block("uib")
def _uib(spec: BlockSpec) -> nn.Module:
    body = nn.Sequential(*map(plain.conv_norm, spec.layers))
    return Residual(body) if spec.residual else body


@block("cell")
def _cell(spec: BlockSpec) -> Cell:
    def operation(edge: int, name: str) -> nn.Module:
        if name in WEIGHTLESS:
            return WEIGHTLESS[name]()
        return _after_relu(spec, layer_name(edge, name))

    return Cell({edge: operation(edge, name) for edge, name in enumerate(spec.operations) if name != "none"})


@block("basic")
def _basic(spec: BlockSpec) -> WithShortcut:
    body = nn.Sequential(_after_relu(spec, "first"), _after_relu(spec, "second"))
    return WithShortcut(body, nn.Sequential(plain.half_pool(spec.resolution), plain.conv(spec["shortcut"])))


@block("head")
def _head(spec: BlockSpec) -> nn.Sequential:
    """Norms and convolutions, global average pooling, then linear layers; a convolution may stand among these."""
    on_map: list[nn.Module] = []
    on_features: list[nn.Module] = []
    pooling: nn.Module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for layer in spec.layers:
        if layer.kind == "norm":
            on_map += [plain.norm(layer.out_channels, layer.eps), ACTIVATIONS[layer.activation]()]
        elif layer.name == "hidden" and layer.kind == "conv":  # of what was pooled, as in MobileNetV4
            on_map += [nn.AdaptiveAvgPool2d(1), plain.conv_norm(layer)]
            pooling = nn.Flatten()
        elif layer.kind == "conv":
            on_map.append(plain.conv_norm(layer))
        elif layer.activation == "none":
            on_features.append(plain.linear(layer))
        else:
            on_features.append(nn.Sequential(plain.linear(layer), ACTIVATIONS[layer.activation]()))
    return nn.Sequential(*on_map, pooling, *on_features)


def _after_relu(spec: BlockSpec, layer: str) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *plain.conv_norm(spec[layer]))
