"""Which archs are ranked, and what is kept of them."""

from __future__ import annotations

import json

import pyarrow
import pytest
from pyarrow import parquet

from duonas.core.errors import DuonasError
from duonas.ranking.archs import chosen_archs
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

SMALL = NasBench201.space(NasBench201.Options(axes={"operation": ["none", "skip_connect", "nor_conv_3x3"]}), 8, 4)
LARGE = MobileNet.space(MobileNet.Options(preset="cifar"), 32, 4)
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"


@pytest.mark.parametrize("space", [SMALL, LARGE], ids=["walked", "drawn"])
def test_more_archs_begin_with_the_same_ones_and_none_comes_twice(space):
    few, many = (chosen_archs(space, count, seed=0) for count in (5, 60))
    assert many[:5] == few and len(set(many)) == 60
    assert all(space.validate(arch) for arch in many)
    assert chosen_archs(space, 5, seed=1) != few


def test_the_draw_is_the_same_on_every_machine():
    assert [arch.id for arch in chosen_archs(SMALL, 3, seed=0)] == ["8c88cb0b", "f99be138", "c45fa86f"]
    assert [arch.id for arch in chosen_archs(LARGE, 2, seed=0)] == ["ec6c5bd0", "d666eb2f"]


def test_all_are_all_in_the_order_of_the_draw():
    everything = chosen_archs(SMALL, "all", seed=0)
    assert set(everything) == set(SMALL.archs()) and len(everything) == SMALL.size() == 729
    assert everything[:7] == chosen_archs(SMALL, 7, seed=0) and everything != sorted(everything)


def test_what_cannot_be_drawn():
    with pytest.raises(DuonasError, match="has 729 archs, but 730 are to be drawn"):
        chosen_archs(SMALL, 730, seed=0)
    with pytest.raises(DuonasError, match="archs, too many to evaluate: give a number"):
        chosen_archs(LARGE, "all", seed=0)


def test_a_file_names_archs_by_text_or_by_choices(tmp_path):
    path = tmp_path / "archs.txt"
    largest, smallest = SMALL.largest(), SMALL.smallest()
    path.write_text(f"{CELL}\n\n{json.dumps(dict(largest.choices))}\n{json.dumps(smallest.to_json())}\n{CELL}\n")
    assert chosen_archs(SMALL, str(path), seed=0) == [SMALL.arch(cell=CELL), largest, smallest]


def test_a_file_names_archs_by_value(tmp_path):
    path, archs = tmp_path / "archs.txt", chosen_archs(LARGE, 3, seed=0)
    path.write_text("\n".join(json.dumps({"values": LARGE.values(arch)}) for arch in archs))
    assert chosen_archs(LARGE, str(path), seed=0) == archs


@pytest.mark.parametrize(
    ("space", "text", "message"),
    [
        (SMALL, "", "lists no archs: expected one on each line"),
        (SMALL, f"{CELL}\n{CELL[:-1]}", "line 2 of .*archs.txt: cell .* cannot be read"),
        (SMALL, CELL.replace("none~2", "avg_pool_3x3~2").replace("skip_connect~2", "avg_pool_3x3~2"),
         "has no value 'avg_pool_3x3'"),
        (SMALL, "{no json", "line 1 of .*archs.txt: not JSON"),
        (SMALL, '{"edge01.operation": 0}', "has no choice for axis"),
        (SMALL, '{"choices": 3}', "not an arch"),
        (LARGE, CELL, "'mobilenet' has no text for its archs: give the values of each as JSON"),
        (SMALL, '{"values": {"edge01.operation": "none"}}', "the values of an arch need axis 'edge02.operation', too"),
        (SMALL, '{"values": {"edge01.operation": "add"}}', "has no value 'add'"),
        (SMALL, '{"values": {"edge10.operation": [1]}}', "has no axis 'edge10.operation': did you mean 'edge"),
        (SMALL, '{"values": 3}', "the values of an arch must be given by axis, got 3"),
        (LARGE, json.dumps({"values": LARGE.values(LARGE.largest()) | {"stage1.depth": 1}}),
         "axis 'stage1.block1.kernel' is not active in an arch of these values: leave it out"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_arch_is_named(tmp_path, space, text, message):
    (tmp_path / "archs.txt").write_text(text)
    with pytest.raises(DuonasError, match=message):
        chosen_archs(space, str(tmp_path / "archs.txt"), seed=0)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    for name in (str(tmp_path / "al"), str(tmp_path), ""):
        with pytest.raises(DuonasError, match=r"a number above 0, 'all' or a file .*: there is no file"):
            chosen_archs(SMALL, name, seed=0)
    (tmp_path / "archs.txt").write_bytes(b"\xff\xfe\x00")
    parquet.write_table(pyarrow.table({"arch": [CELL]}), tmp_path / "table.parquet")
    for name, end in (("archs.txt", "in JSON."), ("table.parquet", "a table of .* is given by --table.")):
        with pytest.raises(DuonasError, match=rf"--archs .*{name} is not a text file: expected an arch .*{end}$"):
            chosen_archs(SMALL, str(tmp_path / name), seed=0)
