"""What a runtime computes of a cell."""

from __future__ import annotations

import pytest

from duonas.core.block import Bottleneck, mbconv_block
from duonas.core.cell import cell_block, computed_edges, computed_layers, convolves, live_edges, read_cell

DEAD_END = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def test_edges_that_lead_nowhere_are_not_computed():
    operations = read_cell(DEAD_END)
    assert live_edges(operations) == (3,)  # node 1 is read by none, and nothing reaches node 2
    cell = cell_block("cell", 1, 16, 32, operations)
    assert len(cell.layers) == 2 and computed_layers(cell) == () and not convolves(cell)


@pytest.mark.parametrize(
    ("text", "edges", "names"),
    [
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", (), ()),
        ("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|", (0, 2, 5),
         ("edge01_nor_conv_3x3", "edge23_nor_conv_1x1")),
    ],
)  # fmt: skip
def test_the_way_from_input_to_output_is_computed(text, edges, names):
    cell = cell_block("cell", 1, 16, 32, read_cell(text))
    assert tuple(computed_edges(cell)) == edges and tuple(layer.name for layer in computed_layers(cell)) == names
    assert convolves(cell) == bool(names)


def test_all_layers_of_other_blocks_are_computed():
    block = mbconv_block("b", 1, Bottleneck(8, 8, 16, stride=1, expansion=2, activation="relu"), kernel=3)
    assert computed_layers(block) == block.layers and convolves(block) and not computed_edges(block)
