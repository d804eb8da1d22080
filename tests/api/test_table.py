"""Tables of dictionaries."""

from __future__ import annotations

import sys

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.api.table import Table
from duonas.core.errors import DuonasError

VALUES = st.none() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5) | st.lists(st.integers(0, 9))


def test_rows_and_columns():
    table = Table([{"arch": "a", "macs": 3}, {"arch": "b", "accuracy": 0.5}])
    assert len(table) == 2 and table.columns == ("arch", "macs", "accuracy")
    assert table[1] == {"arch": "b", "macs": None, "accuracy": 0.5} and table["macs"] == [3, None]
    assert list(table[:1]) == [{"arch": "a", "macs": 3, "accuracy": None}] and isinstance(table[:1], Table)
    with pytest.raises(DuonasError, match="the table has no column 'acuracy': did you mean 'accuracy'"):
        table["acuracy"]
    with pytest.raises(IndexError):
        table[2]


def test_a_large_table_is_shown_in_part():
    text = repr(Table({f"axis{i}": i * number for i in range(30)} for number in range(1000)))
    assert "[1,000 rows, 30 columns; also axis8, axis9, axis10, ...]" in text and len(text.splitlines()) == 12
    assert repr(Table([])) == "[0 rows, 0 columns]"


def test_in_a_notebook_it_is_still_text(monkeypatch, capsys):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert repr(Table([{"arch": "a", "macs": 3}])) == "arch  macs\na     3\n[1 row, 2 columns]"
    assert capsys.readouterr().out == ""


def test_what_is_shown_is_escaped():
    table = Table([{"<b>": "[red]<script>"}])
    assert "<script>" not in table._repr_html_() and "&lt;b&gt;" in table._repr_html_()
    assert "[red]<script>" in repr(table)


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), max_size=4))
def test_any_rows_make_a_table_for_pyarrow(rows):
    table = Table(rows)
    found = pyarrow.table(table) if table.columns else None
    assert table.columns == (tuple(found.column_names) if found else ())
    assert found is None or found.num_rows == len(rows)
    assert " row" in repr(table) and " row" in table._repr_html_()


def test_a_column_of_mixed_types_becomes_text():
    found = Table([{"value": 3}, {"value": "big"}, {"value": None}]).to_arrow()
    assert found.column("value").to_pylist() == ["3", '"big"', None]


def test_a_data_frame_needs_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DuonasError, match="needs pandas: pip install pandas"):
        Table([]).to_pandas()
