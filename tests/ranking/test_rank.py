"""Which archs are ranked, and what is kept of them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from duonas.core.arch import Arch
from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.options import SpaceOptions
from duonas.core.protocols import silent
from duonas.ranking import rank as ranking
from duonas.ranking.rank import chosen_archs, evaluate_archs
from duonas.search.evaluate import SubnetResult
from duonas.spaces.mobilenet import FAMILY as MOBILENET
from duonas.spaces.nasbench201 import FAMILY

SMALL = FAMILY.space(SpaceOptions(axes={"operation": ["none", "skip_connect", "nor_conv_3x3"]}), 8, 4)
LARGE = MOBILENET.space(SpaceOptions(preset="cifar"), 32, 4)
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
    with pytest.raises(DuonasError, match="has 729 archs, of which 730 cannot be drawn"):
        chosen_archs(SMALL, 730, seed=0)
    with pytest.raises(DuonasError, match="archs, too many to evaluate: give a number"):
        chosen_archs(LARGE, "all", seed=0)


def test_a_file_names_archs_by_text_or_by_choices(tmp_path):
    path = tmp_path / "archs.txt"
    largest, smallest = SMALL.largest(), SMALL.smallest()
    path.write_text(f"{CELL}\n\n{json.dumps(dict(largest.choices))}\n{json.dumps(smallest.to_json())}\n{CELL}\n")
    assert chosen_archs(SMALL, str(path), seed=0) == [SMALL.arch(cell=CELL), largest, smallest]


@pytest.mark.parametrize(
    ("space", "text", "message"),
    [
        (SMALL, "", "names no archs: expected one on each line"),
        (SMALL, f"{CELL}\n{CELL[:-1]}", "line 2 of .*archs.txt: cell .* cannot be read"),
        (SMALL, CELL.replace("none~2", "avg_pool_3x3~2").replace("skip_connect~2", "avg_pool_3x3~2"),
         "has no value 'avg_pool_3x3'"),
        (SMALL, "{no json", "line 1 of .*archs.txt: not JSON"),
        (SMALL, '{"edge01.operation": 0}', "has no choice for axis"),
        (SMALL, '{"choices": 3}', "not an arch"),
        (LARGE, CELL, "'mobilenet' has no text for its archs: give the choices of each as JSON"),
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


class Answers:
    """As an evaluator; remembers what it was asked, and stops where it is told to."""

    def __init__(self, fingerprint="one", stop_at=None):
        self.fingerprint, self.asked, self._stop_at = fingerprint, [], stop_at

    def evaluate(self, subnet):
        if len(self.asked) == self._stop_at:
            raise KeyboardInterrupt
        self.asked.append(subnet.arch)
        accuracy = sum(dict(subnet.arch.choices).values()) / 12
        return SubnetResult(subnet, np.zeros((0, 4)), accuracy, Cost(macs=3, params=2, peak_memory_bytes=1))


def test_a_stopped_call_goes_on_and_a_longer_one_only_adds(tmp_path):
    archs, path = chosen_archs(SMALL, 20, seed=0), tmp_path / "ranking" / "e.parquet"
    with pytest.raises(KeyboardInterrupt):
        evaluate_archs(SMALL, archs, Answers(stop_at=8), path, silent)
    told = []
    again = Answers()
    rows = evaluate_archs(SMALL, archs[:12], again, path, lambda *counts, **figures: told.append((counts, figures)))
    assert again.asked == archs[8:12]
    assert [counts for counts, _ in told] == [(8, 12), (9, 12), (10, 12), (11, 12), (12, 12)]
    mean, best = np.mean([row.accuracy for row in rows]), max(row.accuracy for row in rows)
    assert told[-1][1] == pytest.approx({"mean_accuracy": mean, "best_accuracy": best})
    more, other = Answers(), Answers("other weights")
    whole = evaluate_archs(SMALL, archs, more, path, silent)
    assert more.asked == archs[12:] and whole[:12] == rows
    assert whole == evaluate_archs(SMALL, archs, Answers(), tmp_path / "undisturbed.parquet", silent)
    assert path.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()
    evaluate_archs(SMALL, archs[:3], other, path, silent)
    assert other.asked == archs[:3]


def test_a_row_says_all_that_is_known_of_an_arch(tmp_path):
    arch = SMALL.arch(cell=CELL)
    (row,) = evaluate_archs(SMALL, [arch], Answers(), tmp_path / "e.parquet", silent)
    assert (row.arch, row.cell, row.params, row.macs) == (arch.id, CELL, 2, 3)
    assert Arch(SMALL.name, tuple(json.loads(row.choices).items())) == arch
    (row,) = evaluate_archs(LARGE, [LARGE.smallest()], Answers(), tmp_path / "l.parquet", silent)
    assert row.cell is None


def test_what_is_known_is_written_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(ranking, "SECONDS", -1.0)
    path, sizes = tmp_path / "e.parquet", []
    told = lambda done, *_, **__: sizes.append(len(ranking._load(path, "one")))  # noqa: E731
    evaluate_archs(SMALL, chosen_archs(SMALL, 3, seed=0), Answers(), path, told)
    assert sizes == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"no table", None])
def test_a_file_that_no_call_wrote_is_written_anew(tmp_path, content):
    path = tmp_path / "e.parquet"
    if content is None:
        ranking.write_rows(path, [{"a": 1}], ranking.pyarrow.schema([("a", "int64")], {"fingerprint": "one"}))
    else:
        path.write_bytes(content)
    evaluator = Answers()
    evaluate_archs(SMALL, [SMALL.smallest()], evaluator, path, silent)
    assert len(evaluator.asked) == 1 and len(ranking._load(path, "one")) == 1
