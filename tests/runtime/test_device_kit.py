"""The manifest of a device kit and the device table are read as they were written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.costs.table import about, read_figures
from duonas.runtime.device_kit import (
    KitBlock,
    KitNetwork,
    KitPair,
    Manifest,
    NetworkTime,
    RawTable,
    Reference,
    RouterTime,
    Row,
    Settings,
)
from duonas.runtime.errors import BundleError

MANIFEST = Manifest(
    duonas="0.1.0",
    space="mobilenet",
    image_size=32,
    settings=Settings(minutes=2, threads=4),
    blocks=(KitBlock("blocks/0000.onnx", '{"kind":"stem"}'), KitBlock("blocks/0001.onnx", '{"kind":"head"}')),
    networks=(KitNetwork("networks/00.onnx", (0, 1), "fit"),),
    pairs=(KitPair("margin@after_little", "pairs/r.onnx", "pairs/l.onnx", "pairs/b.onnx", "pairs/s.onnx"),),
)
TIMES = st.floats(0, 1e6)
KEYS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"])).map(lambda kind: json.dumps({"kind": kind}))
TABLES = st.builds(
    RawTable,
    rows=st.dictionaries(KEYS, st.builds(Row, TIMES), min_size=1),
    about=st.just({"device": "a board = 1", "threads": "4"}),
    networks=st.lists(st.builds(NetworkTime, st.just((0,)), st.just("fit"), TIMES, st.none() | st.integers(0))).map(
        tuple
    ),
    routers=st.dictionaries(st.just("margin@after_little"), st.builds(RouterTime, TIMES, TIMES)),
    reference=st.none() | st.builds(Reference, TIMES, TIMES, st.floats(0, 1)),
    energy=st.just({}) | st.just({"meter": "watts", "watts": 5.0}),
)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST.to_json()))
    assert Manifest.load(tmp_path) == MANIFEST


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', json.dumps(MANIFEST.to_json() | {"blocks": [1]})])
def test_a_damaged_manifest_is_one_sentence(tmp_path, text):
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read \(No such file or directory\)"):
        Manifest.load(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="is not the manifest of a device kit"):
        Manifest.load(tmp_path)


@given(TABLES)
def test_a_table_is_read_by_the_workstation_as_the_device_wrote_it(tmp_path_factory, table):
    path = table.save(tmp_path_factory.mktemp("table") / "board.csv")
    texts, (latencies,) = read_figures(path, "table", ("table", "block"), {"latency": "latency_ms"}, "block")
    rows = {text: Row(float(latency)) for text, latency in zip(texts, latencies, strict=True)}
    assert (rows, about(path)) == (table.rows, table.metadata)


def test_energies_are_a_column_where_there_are_any(tmp_path):
    table = RawTable({"a": Row(1.0, 2.0), "b": Row(3.0)}, {})
    assert table.save(tmp_path / "t.csv").read_text() == (
        "block,latency_ms,energy_mj,origin\na,1.0,2.0,measured\nb,3.0,,measured\n"
    )
    without = replace(table, rows={"b": Row(3.0, origin="fitted")})
    assert without.save(tmp_path / "t.csv").read_text() == "block,latency_ms,origin\nb,3.0,fitted\n"
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(BundleError, match=r"cannot write .*t\.csv: No such file or directory\."):
        RawTable({"a": Row(1.0)}, {}).save(tmp_path / "no" / "t.csv")
