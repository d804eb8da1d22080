"""Specifications of blocks and of the layers inside them.

``SearchSpace.blocks(arch)`` is the one description of an arch. Costs, device tables, the report's drawings, the
supernet's forward pass and ``extract`` all read it, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Activation = Literal["relu", "relu6", "hswish", "none"]
Padding = Literal["symmetric", "same"]
EPS = 1e-5  # of norms, as PyTorch has it
LATER = {"padding": "symmetric", "eps": EPS}  # fields of layers that are written only where they differ from this


@dataclass(frozen=True)
class LayerSpec:
    """A convolution or linear layer with the norm and activation that follow it, or a norm that follows no layer."""

    name: str
    kind: Literal["conv", "linear", "norm"]
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    in_resolution: int = 1  # side of the square input feature map
    norm: bool = False
    bias: bool = False
    activation: Activation = "none"
    padding: Padding = "symmetric"  # or "same", as TensorFlow pads where a stride leaves an odd number of zeros
    eps: float = EPS  # of the norm

    @property
    def out_resolution(self) -> int:
        """Side of the output feature map, with either padding."""
        return (self.in_resolution - 1) // self.stride + 1

    @property
    def pads(self) -> tuple[int, int]:
        """Rows of zeros above and below the input feature map; the columns are as many."""
        if self.padding == "symmetric":
            return self.kernel // 2, self.kernel // 2
        needed = max(0, (self.out_resolution - 1) * self.stride + self.kernel - self.in_resolution)
        return needed // 2, needed - needed // 2

    @property
    def weights(self) -> int:
        """The number of weights of the convolution or linear layer; 0 for a norm."""
        if self.kind == "norm":
            return 0
        return self.in_channels // self.groups * self.kernel**2 * self.out_channels

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.weights * self.out_resolution**2

    @property
    def params(self) -> int:
        """The number of trained parameters, including the weight and bias of the norm."""
        return self.weights + self.out_channels * (self.bias + 2 * self.norm)

    @property
    def stored(self) -> int:
        """The number of stored values: ``params`` and the running mean and variance of the norm."""
        return self.params + self.out_channels * 2 * self.norm

    @property
    def activations(self) -> int:
        """The number of input and output values for one image."""
        return self.in_channels * self.in_resolution**2 + self.out_channels * self.out_resolution**2


@dataclass(frozen=True)
class BlockSpec:
    """A block of an arch; ``key``, all fields but its name and stage, is its key in a device table."""

    name: str  # of its weights in the supernet, such as "stage2_block1"
    stage: int  # 0 for input and stem, then 1, 2, ...; the head has the last number
    kind: str
    in_channels: int
    out_channels: int
    resolution: int  # side of the square input feature map
    out_resolution: int
    kernel: int = 1
    stride: int = 1
    expansion: float = 1
    activation: Activation = "none"
    squeeze_excite: bool = False
    residual: bool = False
    layers: tuple[LayerSpec, ...] = ()
    operations: tuple[str, ...] = ()  # of a cell, one for each edge; of a supernet's cell, the choices of every edge
    alive: int = 0  # peak number of activations of a graph of layers; 0 for a chain

    def __getitem__(self, layer: str) -> LayerSpec:
        """The layer of that name; ``KeyError`` if this block has none."""
        for spec in self.layers:
            if spec.name == layer:
                return spec
        raise KeyError(layer)

    def __contains__(self, layer: object) -> bool:
        return any(spec.name == layer for spec in self.layers)

    @property
    def key(self) -> BlockSpec:
        """This block without its name and stage."""
        return replace(self, name="", stage=0)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers, for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def params(self) -> int:
        """The number of trained parameters."""
        return sum(layer.params for layer in self.layers)

    @property
    def stored(self) -> int:
        """The number of stored values, including the running statistics of norms."""
        return sum(layer.stored for layer in self.layers)

    @property
    def peak_activations(self) -> int:
        """The peak number of activations for one image; a residual block keeps its input until its end."""
        entering = self.in_channels * self.resolution**2
        residual = entering if self.residual else 0
        through = max((layer.activations for layer in self.layers), default=0)
        return self.alive or max(through + residual, entering + self.out_channels * self.out_resolution**2)

    def fields(self) -> dict[str, Any]:
        """All fields as JSON; those that layers got later are left out where they have their defaults."""
        fields = asdict(self)
        for layer in fields["layers"]:
            for name, default in LATER.items():
                if layer[name] == default:
                    del layer[name]
        return fields

    def to_json(self) -> dict[str, Any]:
        """All fields, MACs and parameters as JSON, to be read by ``from_json``."""
        return self.fields() | {"macs": self.macs, "params": self.params}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BlockSpec:
        """Read a block that ``to_json`` wrote.

        Raises:
            TypeError, KeyError: a field is missing or unknown.
        """
        known = {name: each for name, each in value.items() if name not in ("macs", "params")}
        layers = tuple(LayerSpec(**layer) for layer in known.pop("layers"))
        return cls(**known | {"layers": layers, "operations": tuple(known["operations"])})


def input_block(image_size: int, resolution: int) -> BlockSpec:
    """Resize to ``resolution`` and normalise; by convention this counts no multiply-accumulates."""
    return BlockSpec("input", 0, "input", 3, 3, image_size, resolution)


def stem_block(channels: int, resolution: int, *, stride: int, activation: Activation, kernel: int = 3) -> BlockSpec:
    """A convolution of the image."""
    conv = LayerSpec("conv", "conv", 3, channels, kernel=kernel, stride=stride, in_resolution=resolution, norm=True,
                     activation=activation)  # fmt: skip
    return BlockSpec("stem", 0, "stem", 3, channels, resolution, conv.out_resolution, kernel, stride,
                     activation=activation, layers=(conv,))  # fmt: skip


@dataclass(frozen=True)
class Bottleneck:
    """What inverted bottlenecks have in common.

    Args:
        in_channels: channels of the feature map that enters.
        out_channels: channels of the one that leaves.
        resolution: side of the square feature map that enters.
        stride: 2 halves the map.
        expansion: hidden channels as a multiple of ``in_channels``; 1 omits the expansion, as in MobileNetV2 and V3.
        activation: of the hidden channels.
        inside: number of hidden channels, where it is no such multiple; there is an expansion then, whatever its size.
    """

    in_channels: int
    out_channels: int
    resolution: int
    stride: int
    expansion: float
    activation: Activation
    inside: int = 0

    @property
    def hidden(self) -> int:
        """Channels between expansion and projection."""
        return self.inside or int(self.in_channels * self.expansion)

    @property
    def expands(self) -> bool:
        """Whether there is an expansion."""
        return self.inside > 0 or self.expansion > 1

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.in_channels == self.out_channels


def mbconv_block(
    name: str, stage: int, outer: Bottleneck, *, kernel: int, squeeze_excite: bool = False, squeezed: int = 0
) -> BlockSpec:
    """MobileNetV3's inverted residual: expand 1 x 1, depthwise k x k, squeeze-excite, project 1 x 1.

    Args:
        name: of its weights in the supernet.
        stage: 1, 2, ...
        outer: what it has in common with other bottlenecks.
        kernel: of the depthwise convolution.
        squeeze_excite: whether it has channel attention.
        squeezed: channels inside of that; 0 for a quarter of the hidden ones, and at least 8.
    """
    hidden, activation, resolution = outer.hidden, outer.activation, outer.resolution
    layers = []
    if outer.expands:
        layers.append(LayerSpec("expand", "conv", outer.in_channels, hidden, in_resolution=resolution, norm=True,
                                activation=activation))  # fmt: skip
    depthwise = LayerSpec("depthwise", "conv", hidden, hidden, kernel, outer.stride, hidden, resolution, norm=True,
                          activation=activation)  # fmt: skip
    layers.append(depthwise)
    side = depthwise.out_resolution
    if squeeze_excite:
        layers += _squeeze_excite(hidden, squeezed)
    layers.append(LayerSpec("project", "conv", hidden, outer.out_channels, in_resolution=side, norm=True))
    return BlockSpec(name, stage, "mbconv", outer.in_channels, outer.out_channels, resolution, side, kernel,
                     outer.stride, outer.expansion, activation, squeeze_excite, outer.residual,
                     tuple(layers))  # fmt: skip


def fused_block(
    name: str,
    stage: int,
    outer: Bottleneck,
    *,
    kernel: int,
    squeeze_excite: bool = False,
    leaving: Activation = "none",
) -> BlockSpec:
    """EfficientNetV2's fused inverted residual: expand k x k, squeeze-excite, project 1 x 1 (Tan and Le 2021, 3.2).

    ``leaving`` is the activation of what leaves: two plain convolutions, as MobileNetV4 begins, have one.
    """
    expand = LayerSpec("expand", "conv", outer.in_channels, outer.hidden, kernel, outer.stride,
                       in_resolution=outer.resolution, norm=True, activation=outer.activation)  # fmt: skip
    side = expand.out_resolution
    attention = _squeeze_excite(outer.hidden, 0) if squeeze_excite else ()
    project = LayerSpec("project", "conv", outer.hidden, outer.out_channels, in_resolution=side, norm=True,
                        activation=leaving)  # fmt: skip
    return BlockSpec(name, stage, "fused", outer.in_channels, outer.out_channels, outer.resolution, side, kernel,
                     outer.stride, outer.expansion, outer.activation, squeeze_excite, outer.residual,
                     (expand, *attention, project))  # fmt: skip


def dense_block(name: str, stage: int, outer: Bottleneck, *, kernel: int) -> BlockSpec:
    """ResNet's basic block: k x k convolutions, and an activation after the sum (He et al. 2016, section 3.3).

    There are two convolutions, with the hidden channels between them, or one where the expansion is 1.
    """
    entering, side, stride = outer.in_channels, outer.resolution, outer.stride
    layers = []
    if outer.expands:
        layers.append(LayerSpec("expand", "conv", entering, outer.hidden, kernel, stride, in_resolution=side,
                                norm=True, activation=outer.activation))  # fmt: skip
        entering, side, stride = outer.hidden, layers[-1].out_resolution, 1
    project = LayerSpec("project", "conv", entering, outer.out_channels, kernel, stride, in_resolution=side, norm=True)
    return BlockSpec(name, stage, "dense", outer.in_channels, outer.out_channels, outer.resolution,
                     project.out_resolution, kernel, outer.stride, outer.expansion, outer.activation,
                     residual=outer.residual, layers=(*layers, project))  # fmt: skip


def _squeeze_excite(channels: int, squeezed: int) -> tuple[LayerSpec, LayerSpec]:
    squeezed = squeezed or max(8, channels // 4)
    return (LayerSpec("squeeze", "conv", channels, squeezed, bias=True),
            LayerSpec("excite", "conv", squeezed, channels, bias=True))  # fmt: skip


def head_block(
    stage: int, in_channels: int, features: int, classes: int, resolution: int, *, activation: Activation
) -> BlockSpec:
    """1 x 1 convolution, global average pooling, classifier."""
    widen = LayerSpec("widen", "conv", in_channels, features, in_resolution=resolution, norm=True,
                      activation=activation)  # fmt: skip
    classify = LayerSpec("classify", "linear", features, classes, bias=True)
    return BlockSpec("head", stage, "head", in_channels, classes, resolution, 1, activation=activation,
                     layers=(widen, classify))  # fmt: skip


@dataclass(frozen=True)
class DeepHead:
    """The sizes of MobileNetV3's head.

    Args:
        features: channels of its convolution.
        hidden: units of its hidden layer.
        normed: whether that is a 1 x 1 convolution with a norm, as in MobileNetV4, not a linear layer with a bias.
    """

    features: int
    hidden: int
    normed: bool = False


def deep_head_block(
    stage: int, in_channels: int, sizes: DeepHead, classes: int, resolution: int, *, activation: Activation
) -> BlockSpec:
    """MobileNetV3's head: 1 x 1 convolution, global average pooling, hidden layer with activation, classifier."""
    widen = LayerSpec("widen", "conv", in_channels, sizes.features, in_resolution=resolution, norm=True,
                      activation=activation)  # fmt: skip
    between = LayerSpec("hidden", "conv" if sizes.normed else "linear", sizes.features, sizes.hidden,
                        norm=sizes.normed, bias=not sizes.normed, activation=activation)  # fmt: skip
    classify = LayerSpec("classify", "linear", sizes.hidden, classes, bias=True)
    return BlockSpec("head", stage, "head", in_channels, classes, resolution, 1, activation=activation,
                     layers=(widen, between, classify))  # fmt: skip


def conformed(block: BlockSpec, padding: Padding, eps: float) -> BlockSpec:
    """A block with another padding of its convolutions, where that makes a difference, and another eps of its norms."""

    def changed(layer: LayerSpec) -> LayerSpec:
        padded = replace(layer, padding=padding)
        return replace(padded if padded.pads != layer.pads else layer, eps=eps if layer.norm else layer.eps)

    return replace(block, layers=tuple(map(changed, block.layers)))


def basic_block(name: str, stage: int, in_channels: int, out_channels: int, resolution: int) -> BlockSpec:
    """ResNet's pre-activation basic block of stride 2; shortcut: 2 x 2 average pooling and a 1 x 1 convolution."""
    first = LayerSpec("first", "conv", in_channels, out_channels, 3, 2, in_resolution=resolution, norm=True)
    side = first.out_resolution
    second = LayerSpec("second", "conv", out_channels, out_channels, 3, in_resolution=side, norm=True)
    shortcut = LayerSpec("shortcut", "conv", in_channels, out_channels, in_resolution=side)
    return BlockSpec(name, stage, "basic", in_channels, out_channels, resolution, side, 3, 2, activation="relu",
                     residual=True, layers=(first, second, shortcut))  # fmt: skip


def classifier_block(stage: int, channels: int, classes: int, resolution: int) -> BlockSpec:
    """Norm, ReLU, global average pooling, classifier."""
    norm = LayerSpec("norm", "norm", channels, channels, in_resolution=resolution, norm=True, activation="relu")
    classify = LayerSpec("classify", "linear", channels, classes, bias=True)
    return BlockSpec("head", stage, "head", channels, classes, resolution, 1, activation="relu",
                     layers=(norm, classify))  # fmt: skip
