"""Tables on disk: rows in, a table out, and one sentence for what is none."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.parquet import column_names, read_table, write_rows


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [{"arch": "a", "macs": 5}, {"arch": "b", "macs": None}]
    path = write_rows(tmp_path / "folder" / "table.parquet", rows)
    assert column_names(path) == ["arch", "macs"] and read_table(path).to_pylist() == rows
    assert read_table(path, ["macs"]).to_pydict() == {"macs": [5, None]}


def test_missing_and_damaged_files_are_named(tmp_path):
    (tmp_path / "bad.parquet").write_text("no table")
    for name in ("none.parquet", "bad.parquet"):
        for read in (read_table, column_names):
            with pytest.raises(DuonasError, match=f"{name} cannot be read as Parquet"):
                read(tmp_path / name)
