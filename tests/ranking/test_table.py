"""Published tables: what is read, and what is said of those that cannot be."""

from __future__ import annotations

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from duonas.core.errors import DuonasError
from duonas.ranking.table import RankTable


def table(path, **columns):
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.fixture
def made(tmp_path):
    """Two measures of three archs, in per cent and as fractions, the last without one."""
    return table(
        tmp_path / "t.parquet", arch=["a", "b", "c"], test_acc=[91.5, 50.0, None], fraction=[0.915, 0.5, None],
        macs=[120.0, 3.0, 4.0], twice=["a", "a", "c"], empty=[None, None, None],
    )  # fmt: skip


@pytest.mark.parametrize("column", ["test_acc", "fraction"])
def test_accuracies_are_fractions_whatever_the_table_has(made, column):
    found = RankTable(made, column, "arch").read()
    assert found.accuracies == pytest.approx({"a": 0.915, "b": 0.5})
    np.testing.assert_allclose(found.of(["b", "a"]), [0.5, 0.915])


def test_archs_without_a_row_are_counted_and_one_is_named(made):
    with pytest.raises(DuonasError, match=r"has no test_acc for 2 of the 3 archs, such as 'c': list those"):
        RankTable(made, "test_acc", "arch").read().of(["a", "c", "d"])


@pytest.mark.parametrize(
    ("column", "key", "message"),
    [
        ("test_ac", "arch", "has no column 'test_ac': did you mean 'test_acc'?"),
        ("test_acc", "archs", "has no column 'archs': did you mean 'arch'?"),
        (None, "arch", "give --column, one of arch, test_acc, fraction, macs, twice, empty"),
        ("arch", "arch", "column 'arch' holds string, expected numbers"),
        ("macs", "arch", "goes from 3 to 120, but accuracies lie between 0 and 1, or between 0 and 100"),
        ("empty", "arch", "column 'empty' has no numbers"),
        ("test_acc", "twice", "has the arch 'a' more than once"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(made, column, key, message):
    with pytest.raises(DuonasError, match=message):
        RankTable(made, column, key).read()


@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_networks_of_another_skeleton_are_told_by_their_params(tmp_path, unit):
    counts = {"a": 73_306, "b": 1_532_000}
    made = table(tmp_path / "t.parquet", arch=list(counts), acc=[50.0, 60.0],
                 params=[round(n * unit, 3) for n in counts.values()])  # fmt: skip
    found = RankTable(made, "acc").read()
    assert found.check_skeleton(counts) and found.check_skeleton({"b": 1_532_000, "c": 5})
    with pytest.raises(DuonasError, match=r"of another skeleton: by its column 'params' 'b' has 1,532,000 params, in "):
        found.check_skeleton({"a": 73_306, "b": 383_000})
    assert not RankTable(made, "acc", any_skeleton=True).read().check_skeleton({"b": 383_000})


def test_a_table_without_params_cannot_be_checked(made):
    assert not RankTable(made, "test_acc", "arch").read().check_skeleton({"a": 5})


def test_a_file_that_is_no_table(tmp_path, made):
    with pytest.raises(DuonasError, match="--table: there is no file"):
        RankTable(tmp_path / "none.parquet", "x", "arch").read()
    made.write_bytes(made.read_bytes()[:-40])
    with pytest.raises(DuonasError, match="cannot be read as Parquet"):
        RankTable(made, "test_acc", "arch").read()
