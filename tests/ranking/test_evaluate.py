"""What is kept of the archs that are ranked."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from duonas.core.arch import Arch
from duonas.core.cost import Cost
from duonas.core.parquet import write_rows
from duonas.core.protocols import silent
from duonas.ranking import evaluate as ranking
from duonas.ranking.archs import chosen_archs
from duonas.ranking.evaluate import evaluate_archs
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

SMALL = NasBench201.space(NasBench201.Options(axes={"operation": ["none", "skip_connect", "nor_conv_3x3"]}), 8, 4)
LARGE = MobileNet.space(MobileNet.Options(preset="cifar"), 32, 4)
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"


class Answers:
    """As an evaluator; remembers what it was asked, and stops where it is told to."""

    def __init__(self, fingerprint="one", stop_at=None):
        self.fingerprint, self.asked, self._stop_at = fingerprint, [], stop_at

    def evaluate(self, subnet):
        if len(self.asked) == self._stop_at:
            raise KeyboardInterrupt
        self.asked.append(subnet.arch)
        accuracy = sum(dict(subnet.arch.choices).values()) / 12
        return SimpleNamespace(accuracy=accuracy)

    def cost(self, subnet):
        return Cost(macs=3, params=2, weight_bytes=8, peak_memory_bytes=1)


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
    assert json.loads(row.values) == SMALL.values(arch)
    (row,) = evaluate_archs(LARGE, [LARGE.smallest()], Answers(), tmp_path / "l.parquet", silent)
    assert row.cell is None


def test_what_is_known_is_written_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(ranking, "SAVE_SECONDS", -1.0)
    path, sizes = tmp_path / "e.parquet", []
    told = lambda done, *_, **__: sizes.append(len(ranking._load(path, "one")))  # noqa: E731
    evaluate_archs(SMALL, chosen_archs(SMALL, 3, seed=0), Answers(), path, told)
    assert sizes == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"no table", None])
def test_a_file_that_no_call_wrote_is_written_anew(tmp_path, content):
    path = tmp_path / "e.parquet"
    if content is None:
        write_rows(path, [{"a": 1}], ranking.pyarrow.schema([("a", "int64")], {"fingerprint": "one"}))
    else:
        path.write_bytes(content)
    evaluator = Answers()
    evaluate_archs(SMALL, [SMALL.smallest()], evaluator, path, silent)
    assert len(evaluator.asked) == 1 and len(ranking._load(path, "one")) == 1
