"""Tables on disk: rows in, a table out, and one sentence for what is none."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.parquet import column_names, read_field, read_table, write_rows


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [{"arch": "a", "macs": 5}, {"arch": "b", "macs": None}]
    path = write_rows(tmp_path / "folder" / "table.parquet", rows)
    assert column_names(path) == ["arch", "macs"] and read_table(path).to_pylist() == rows
    assert read_table(path, ["macs"]).to_pydict() == {"macs": [5, None]}


def test_a_field_of_structs_is_read_alone(tmp_path):
    path = write_rows(tmp_path / "table.parquet", [{"image": {"bytes": b"a", "path": "x"}}, {"image": None}])
    assert read_field(path, "image", "path") == ["x", None]


def test_missing_and_damaged_files_are_named(tmp_path):
    (tmp_path / "bad.parquet").write_text("no table")
    for name in ("none.parquet", "bad.parquet"):
        for read in (read_table, column_names, lambda path: read_field(path, "image", "path")):
            with pytest.raises(DuonasError, match=f"{name} cannot be read as Parquet"):
                read(tmp_path / name)
