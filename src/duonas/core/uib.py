"""The universal inverted bottleneck (UIB) of MobileNetV4 (Qin et al. 2024, section 4; paper T, section 4.2)."""

from __future__ import annotations

from duonas.core.block import Activation, BlockSpec, LayerSpec

PLACES = ("first", "second")  # of the depthwise convolutions: before and after the expansion
# What a block is called, by whether it has the first and the second depthwise convolution.
FORMS = {(False, False): "FFN", (True, False): "ConvNext-like", (False, True): "IB", (True, True): "Extra DW"}


def form(first: int, second: int) -> str:
    """The name of a block with these depthwise kernels; 0: that convolution is not there."""
    return FORMS[first > 0, second > 0]


def uib_block(
    name: str,
    stage: int,
    in_channels: int,
    out_channels: int,
    resolution: int,
    *,
    first: int,
    second: int,
    stride: int,
    expansion: int,
    activation: Activation,
) -> BlockSpec:
    """Depthwise ``first`` x ``first``, expand 1 x 1, depthwise ``second`` x ``second``, project 1 x 1.

    A norm follows each, an activation the expansion and the second depthwise. A kernel of 0 leaves that depthwise out;
    with ``expansion`` 1 there is nothing to expand and that convolution is left out, as in MobileNetV2 and V3.

    The stride is the second depthwise's; where that is not there the first's (both as in MobileNetV4); in an FFN that
    of its first 1 x 1 convolution, which then reads every ``stride``-th pixel. Behind the last depthwise no pixels mix,
    so it does not matter to the result where they are dropped there, but the sooner the cheaper.
    """
    strided = "second" if second else "first" if first else "expand" if expansion > 1 else "project"
    hidden, side = in_channels * expansion, resolution
    layers: list[LayerSpec] = []
    outline: tuple[tuple[str, int, int, int, int, Activation], ...] = (  # kernel, in, out, groups
        ("first", first, in_channels, in_channels, in_channels, "none"),
        ("expand", int(expansion > 1), in_channels, hidden, 1, activation),
        ("second", second, hidden, hidden, hidden, activation),
        ("project", 1, hidden, out_channels, 1, "none"),
    )
    for layer, kernel, reads, gives, groups, after in outline:
        if kernel:
            step = stride if layer == strided else 1
            layers.append(LayerSpec(layer, "conv", reads, gives, kernel, step, groups, side, norm=True,
                                    activation=after))  # fmt: skip
            side = layers[-1].out_resolution
    residual = stride == 1 and in_channels == out_channels
    return BlockSpec(name, stage, "uib", in_channels, out_channels, resolution, side, max(first, second, 1), stride,
                     expansion, activation, residual=residual, layers=tuple(layers))  # fmt: skip


def deep_head_block(
    stage: int,
    in_channels: int,
    features: int,
    hidden: int,
    classes: int,
    resolution: int,
    *,
    activation: Activation,
) -> BlockSpec:
    """MobileNetV3's head: widen 1 x 1, average over the map, a hidden linear layer with activation, classify."""
    widen = LayerSpec("widen", "conv", in_channels, features, in_resolution=resolution, norm=True,
                      activation=activation)  # fmt: skip
    between = LayerSpec("hidden", "linear", features, hidden, bias=True, activation=activation)
    classify = LayerSpec("classify", "linear", hidden, classes, bias=True)
    return BlockSpec("head", stage, "head", in_channels, classes, resolution, 1, activation=activation,
                     layers=(widen, between, classify))  # fmt: skip
