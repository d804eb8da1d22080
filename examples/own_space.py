"""A search space of one's own: plain 3 x 3 convolutions, elastic in width and depth.

It passes duonas' contract suite (``tests/docs/test_examples.py``) and goes through train, search and export like the
shipped spaces::

    duonas run digits --set space.name="examples/own_space.py:Plain" --out runs/own-space
"""

from duonas import Axis, Family, SearchSpace, Supernet
from duonas.core.block import BlockSpec, LayerSpec, head_block, input_block, stem_block
from duonas.layers.blocks import ConvNorm, ElasticHead, ElasticStem
from duonas.layers.elastic import ElasticBlock
from duonas.layers.plain import conv_norm
from duonas.pair.build import block
from duonas.supernet.options import Norm

WIDTHS = (8, 16, 24, 32)


class PlainSpace(SearchSpace):
    """Width and depth of two stages; each stage begins by halving the map."""

    def __init__(self, image_size: int, classes: int) -> None:
        axes = []
        for stage in (1, 2):
            axes += [
                Axis(f"stage{stage}.width", WIDTHS, stage=stage),
                Axis(f"stage{stage}.depth", (1, 2, 3), stage=stage),
            ]
        super().__init__("plain", axes, image_size=image_size, classes=classes)

    def blocks(self, arch):
        """Input, stem, plain convolutions, head."""
        blocks = [
            input_block(self.image_size, self.image_size),
            stem_block(8, self.image_size, stride=1, activation="relu"),
        ]
        for stage in (1, 2):
            width, depth = (self.value(arch, f"stage{stage}.{axis}") for axis in ("width", "depth"))
            for index in range(depth):
                before, stride = blocks[-1], 2 if index == 0 else 1
                conv = LayerSpec(
                    "conv", "conv", before.out_channels, width, 3, stride, 1, before.out_resolution,
                    norm=True, activation="relu",
                )  # fmt: skip
                blocks.append(
                    BlockSpec(f"stage{stage}_conv{index}", stage, "plain", before.out_channels, width,
                              before.out_resolution, conv.out_resolution, 3, stride, activation="relu", layers=(conv,))
                )  # fmt: skip
        last = blocks[-1]
        blocks.append(head_block(3, last.out_channels, 2 * last.out_channels, self.classes, last.out_resolution,
                                 activation="relu"))  # fmt: skip
        return tuple(blocks)


@block("plain")
def plain_block(spec):
    """The block as a chosen network has it, in plain PyTorch."""
    return conv_norm(spec["conv"])


class PlainBlock(ElasticBlock):
    """A convolution, norm and ReLU of any width; ``self.conv`` holds the weights of the spec's layer ``conv``."""

    def __init__(self, largest: BlockSpec, norm: Norm) -> None:
        super().__init__()
        self.conv = ConvNorm(largest["conv"], WIDTHS, norm)

    def forward(self, x, spec):
        """(B, in, H, W) to (B, out, H', W')."""
        return self.conv(x, spec["conv"])


class PlainSupernet(Supernet):
    """One set of weights for every arch of ``PlainSpace``."""

    def build(self, largest):
        """The elastic block for each kind."""
        if largest.kind == "stem":
            return ElasticStem(largest, self.norm)
        if largest.kind == "head":
            return ElasticHead(largest, {"widen": [2 * width for width in WIDTHS]}, self.norm)
        return PlainBlock(largest, self.norm)


class Plain(Family):
    """Plain convolutions, elastic in width and depth."""

    supernet = PlainSupernet

    @classmethod
    def space(cls, options, image_size, classes):
        return PlainSpace(image_size, classes)
