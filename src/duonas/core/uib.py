"""The universal inverted bottleneck (UIB) of MobileNetV4 (Qin et al. 2024, section 4; paper T, section 4.2)."""

from __future__ import annotations

from duonas.core.block import Activation, BlockSpec, Bottleneck, LayerSpec

PLACES = ("first", "second")  # of the depthwise convolutions: before and after the expansion
# The form of a block by whether it has the first and the second depthwise convolution.
FORMS = {(False, False): "FFN", (True, False): "ConvNext-like", (False, True): "IB", (True, True): "Extra DW"}


def form(first: int, second: int) -> str:
    """The form of a block with these depthwise kernel sizes; 0 means that the convolution is missing."""
    return FORMS[first > 0, second > 0]


def uib_block(name: str, stage: int, outer: Bottleneck, *, first: int, second: int) -> BlockSpec:
    """Depthwise ``first`` x ``first``, expand 1 x 1, depthwise ``second`` x ``second``, project 1 x 1.

    A norm follows each convolution; an activation follows the expansion and the second depthwise. A kernel of 0 omits
    that depthwise.

    The second depthwise has the stride, or the first if there is no second (both as in MobileNetV4). In an FFN the
    first 1 x 1 convolution has it and reads every stride-th pixel: no later layer mixes pixels, so dropping them
    early gives the same result at less cost.
    """
    strided = "second" if second else "first" if first else "expand" if outer.expands else "project"
    hidden, side, entering = outer.hidden, outer.resolution, outer.in_channels
    layers: list[LayerSpec] = []
    outline: tuple[tuple[str, int, int, int, int, Activation], ...] = (  # kernel, in, out, groups
        ("first", first, entering, entering, entering, "none"),
        ("expand", int(outer.expands), entering, hidden, 1, outer.activation),
        ("second", second, hidden, hidden, hidden, outer.activation),
        ("project", 1, hidden, outer.out_channels, 1, "none"),
    )
    for layer, kernel, reads, gives, groups, after in outline:
        if kernel:
            step = outer.stride if layer == strided else 1
            layers.append(LayerSpec(layer, "conv", reads, gives, kernel, step, groups, side, norm=True,
                                    activation=after))  # fmt: skip
            side = layers[-1].out_resolution
    return BlockSpec(name, stage, "uib", entering, outer.out_channels, outer.resolution, side, max(first, second, 1),
                     outer.stride, outer.expansion, outer.activation, residual=outer.residual,
                     layers=tuple(layers))  # fmt: skip
