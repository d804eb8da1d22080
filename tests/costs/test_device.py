"""From the file of a device table to a cost model: completed, calibrated, or refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pyarrow import parquet

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.costs import fitting
from duonas.costs.block_table import write_block_table
from duonas.costs.calibration import error_in_words
from duonas.costs.device import block_table, complete, cost_model
from duonas.costs.device_table import DeviceTable, NetworkRow, block_text, read_device_table
from duonas.costs.distinct import distinct_blocks
from duonas.costs.options import DeviceOptions

ABOUT = {"device": "a board", "runtime": "onnxruntime 1.24", "space": "mobilenet", "threads": "1"}


def pairs_of(size=32, classes=4, name="mobilenet", **options):
    kind = find("space", name)
    options = options or {"preset": "cifar-small", "axes": {"width": [0.5, 1.0], "kernel": [3, 5], "depth": [1, 2]}}
    return pair_space(kind.space(kind.Options(**options), size, classes))


def time(block):
    return 0.003 + block.macs / 30e6 + sum(layer.activations for layer in block.layers) / 4e6


def measured(pairs, share=1.0, networks=40):
    """A table of a made-up device, where a network takes 0.9 of its blocks' sum and 0.02 ms."""
    blocks = [block.key for block in distinct_blocks(pairs)]
    places = {block: row for row, block in enumerate(blocks)}
    times = np.array([time(block) for block in blocks])
    rows, rng = [], stream(0, "networks")
    for number in range(networks):
        own = [places[block.key] for block in pairs.space.blocks(pairs.space.sample(rng))]
        took = (0.9 * times[own].sum() + 0.02) * np.exp(0.01 * rng.normal())
        rows.append(NetworkRow(tuple(own), bool(number % 2), {"latency_ms": took}))
    used = {row for network in rows for row in network.rows}
    kept = np.array([row in used or rng.random() < share for row in range(len(blocks))])
    new = np.cumsum(kept) - 1
    rows = [replace(network, rows=tuple(int(new[row]) for row in network.rows)) for network in rows]
    few = tuple(block for block, stays in zip(blocks, kept, strict=True) if stays)
    return DeviceTable(few, {"latency_ms": times[kept]}, np.ones(len(few), dtype=bool), tuple(rows), about=ABOUT)


@pytest.fixture(autouse=True)
def only_linear(monkeypatch):
    """The made-up device takes what the linear model says; ``test_fitting`` has the choice of a model."""
    monkeypatch.setattr(fitting, "_RESTS", {"linear": None})


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_some_blocks_prices_the_whole_space(suffix, tmp_path):
    """What was not measured is fitted, all of it calibrated, and predicted times of other networks are close."""
    pairs = pairs_of()
    path = measured(pairs, share=0.5).write(tmp_path / f"table.{suffix}")
    model = cost_model(DeviceOptions(str(path)), pairs)
    source = model.origin()
    assert source["calibration"]["factor"] == pytest.approx(0.9, rel=0.02)
    assert source["calibration"]["median"] < 0.02 and source["calibration"]["tau"] > 0.95
    assert source["fitting"]["fitted"] > 0 and source["device"] == "a board" and "networks" not in source
    assert "other whole networks err by" in error_in_words(source) and "fitted" in error_in_words(source)
    for seed in range(5):
        blocks = pairs.space.blocks(pairs.space.sample(stream(seed, "more")))
        truth = 0.9 * sum(map(time, blocks)) + 0.02
        assert model(blocks).latency_ms == pytest.approx(truth, rel=0.1)
        assert model(blocks).latency_ms == pytest.approx(sum(model((block,)).latency_ms for block in blocks))


def test_a_completed_table_prices_with_the_same_bits(tmp_path):
    pairs = pairs_of()
    raw = read_device_table(measured(pairs, share=0.5).write(tmp_path / "raw.csv"), {"latency_ms": "latency_ms"})
    whole = complete(raw, pairs, "fit", "raw.csv")
    again = read_device_table(whole.write(tmp_path / "whole.parquet"), {"latency_ms": "latency_ms"})
    ours, theirs = block_table(whole, {}), block_table(complete(again, pairs, "fit", ""), {})
    assert (~again.measured).sum() == len(whole.blocks) - len(raw.blocks)
    for block in distinct_blocks(pairs):
        assert ours((block,)) == theirs((block,))


def test_blocks_that_nobody_listed_are_fitted_too():
    """As the rare blocks of a large space, which are met in the middle of a search."""
    pairs, wider = pairs_of(), pairs_of(preset="cifar-small")
    model = block_table(complete(measured(pairs), pairs, "fit", ""), {})
    blocks = (block for block in distinct_blocks(wider) if block.key not in model.rows)
    other = next(block for block in blocks if block.kind == "mbconv")
    assert model((other,)).latency_ms == pytest.approx(0.9 * time(other), rel=0.3)
    with pytest.raises(DuonasError, match="has no block"):
        replace(model, fitted=None)((other,))


def test_networks_without_energy_and_routers_are_read(tmp_path):
    """What routing adds is read by the router's name; one that was not measured takes what one like it takes."""
    pairs = pairs_of()
    table = measured(pairs)
    routers = {
        "margin@after_little": {"keep_ms": 0.02, "ask_ms": 0.01},
        "difficulty@input": {"keep_ms": -1e-3, "ask_ms": 0.03},
    }
    path = replace(table, about={**ABOUT, "routers": routers}).write(tmp_path / "t.csv")
    model = cost_model(DeviceOptions(str(path)), pairs)
    (cost,) = model.routing("margin@after_little").values()
    assert (cost.keep, cost.ask) == (0.02, 0.01)
    assert model.routing("entropy@after_little") == model.routing("margin@after_little")
    assert model.routing("difficulty@input")["latency_ms"].keep == 0  # noise
    assert model.routing("x@stem")["latency_ms"].ask == 0.03


def test_energy_is_calibrated_and_fitted_by_itself(tmp_path):
    pairs = pairs_of()
    table = measured(pairs)
    energy = 2 * table.figures["latency_ms"]
    energy[::3] = np.nan
    networks = tuple(
        replace(each, figures={**each.figures, "energy_mj": 3 * each.figures["latency_ms"]}) for each in table.networks
    )
    table = replace(table, figures={**table.figures, "energy_mj": energy}, networks=networks)
    model = cost_model(DeviceOptions(str(table.write(tmp_path / "t.parquet"))), pairs)
    cost = model(pairs.space.blocks(pairs.space.sample(stream(3, "more"))))
    assert cost.energy_mj == pytest.approx(3 * cost.latency_ms, rel=0.05)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"size": 48}, r"is of images of 32 px \(it is of the space 'mobilenet'\), and this recipe's have 48 px"),
        ({"name": "uib", "preset": "uib-digits"},
         r"has \d of the [\d,]+ blocks of the space 'uib'|images of 32 px"),
        ({"name": "nasbench201", "channels": 4, "cells": 1, "axes": {"operation": ["none", "nor_conv_3x3"]}},
         r"has 1 of the [\d,]+ blocks of the space 'nasbench201'"),
    ],
)  # fmt: skip
def test_a_table_of_another_space_is_refused(other, message, tmp_path):
    path = measured(pairs_of()).write(tmp_path / "t.csv")
    with pytest.raises(DuonasError, match=message):
        cost_model(DeviceOptions(str(path)), pairs_of(**other))


def test_a_table_of_other_classes_will_do(tmp_path):
    """Only the last layer differs."""
    path = measured(pairs_of()).write(tmp_path / "t.csv")
    assert cost_model(DeviceOptions(str(path)), pairs_of(classes=7)).origin()["fitting"]["fitted"] > 0


def test_a_spreadsheet_may_mark_the_start_of_a_table(tmp_path):
    """A byte order mark comes before the metadata, and lines end as on Windows."""
    pairs = pairs_of()
    path = measured(pairs).write(tmp_path / "t.csv")
    plain = cost_model(DeviceOptions(str(path)), pairs)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    marked = cost_model(DeviceOptions(str(path)), pairs)
    assert marked.origin()["calibration"] == plain.origin()["calibration"]


def test_metadata_that_are_no_texts_are_refused(tmp_path):
    path = measured(pairs_of()).write(tmp_path / "t.parquet")
    parquet.write_table(parquet.read_table(path).replace_schema_metadata({b"device": b"\xff"}), path)
    with pytest.raises(DuonasError, match="its metadata are not texts"):
        cost_model(DeviceOptions(str(path)), pairs_of())


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DuonasError, match=r"\[search.device\] table: .* is a folder"):
        cost_model(DeviceOptions(str(tmp_path)), pairs_of())


@pytest.mark.parametrize("least", [0, 12])
def test_too_few_blocks_to_fit_from_are_refused(least, tmp_path):
    """A table with one block of each kind, where there was no more time, is not taken for one of another space."""
    pairs = pairs_of()
    blocks = [block.key for block in distinct_blocks(pairs)]
    kept = dict.fromkeys([*{block.kind: block for block in blocks}.values(), *blocks[:least]])
    few = write_block_table(tmp_path / "t.csv", {block: {"latency_ms": time(block)} for block in kept}, {})
    with pytest.raises(DuonasError, match=rf"has {len(kept)} blocks .* latency_ms, where at least"):
        cost_model(DeviceOptions(str(few)), pairs)


BLOCK = next(iter(distinct_blocks(pairs_of())))
GOOD = block_text(BLOCK).replace('"', '""')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("block,latency_ms\n", "has no rows"),
        ("block,latency_ms\nstem,0.1\n", r"row 1 of column 'block' is 'stem', expected the specification"),
        (f'block,latency_ms\n"{GOOD}",-1\n', "has -1 for"),
        (f'block,latency_ms\n"{GOOD}",inf\n', "has inf for"),
        (f'block,latency_ms\n"{GOOD}",\n', "has no numbers"),
        (f'block,latency_ms\n"{GOOD}",nan\n', "column 'latency_ms' has NaN in row 1, for .*; an empty cell counts as"),
        (f'block,latency_ms\n,1\n"{GOOD}",NaN\n', "column 'latency_ms' has NaN in row 2, for"),
        (f'block,latency_ms\n"{GOOD}",1\n" {GOOD}",2\n', "has the block input 3 to 3 channels .* more than once"),
        (f'block,latency_ms,origin\n"{GOOD}",1,guessed\n', "column 'origin' has 'guessed': did you mean 'measured'"),
        (f'block,time\n"{GOOD}",1\n', "has no column 'latency_ms' or 'energy_mj'"),
        (f'block,latency_ms\n"{GOOD}",1e10\n', "has 1e[+]10 for .* 1e[+]09 at most"),
        (f'block,latency_ms\n"{GOOD}",0\n', "column 'latency_ms' has no number above 0"),
        (f'block;latency_ms\n"{GOOD}";1\n', "columns are separated by ';', expected commas"),
        (f'block,latency_ms\n"{GOOD.replace(":3,", ":-3,")}",1\n', "row 1 of column 'block' is"),
        (f'# networks = [\nblock,latency_ms\n"{GOOD}",1\n', "its metadata 'networks' are not JSON"),
        (f'# networks = null\nblock,latency_ms\n"{GOOD}",1\n', "its metadata 'networks' are no list"),
        (f'# calibration = [1]\nblock,latency_ms\n"{GOOD}",1\n', "its metadata 'calibration' cannot be read"),
        (
            f'# calibration = {{"factor": NaN, "block_ms": 0}}\nblock,latency_ms\n"{GOOD}",1\n',
            "its metadata 'calibration' cannot be read: .*must be finite",
        ),
        (
            f'# calibration = {{"factor": -1, "block_ms": 0}}\nblock,latency_ms\n"{GOOD}",1\n',
            "its metadata 'calibration' cannot be read: .*its factor must be above 0, got -1",
        ),
        (
            f'# calibration = {{"factor": 1, "block_ms": 0, "median": 0.1}}\nblock,latency_ms\n"{GOOD}",1\n',
            "its metadata 'calibration' cannot be read: .*median and worst belong together",
        ),
        (f'# fitting = {{"x": 1}}\nblock,latency_ms\n"{GOOD}",1\n', "its metadata 'fitting' cannot be read"),
    ],
)
def test_a_damaged_table_is_refused_in_one_sentence(text, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DuonasError, match=message):
        cost_model(DeviceOptions(str(path)), pairs_of())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            {"blocks": [9], "for": "fit", "latency_ms": 1},
            "network 0 .* names rows that the table of 1 rows does not have",
        ),
        ({"blocks": [0], "for": "fun", "latency_ms": 1}, "network 0 is for 'fun': expected one of check, fit"),
        ({"blocks": [0], "for": "fit", "latency_ms": 0}, "network 0 has latency_ms = 0, expected a number above 0"),
        ({"blocks": [0.5], "for": "fit", "latency_ms": 1}, "network 0 of its metadata 'networks' cannot be read"),
        (
            {"blocks": [0], "for": "fit", "latency_ms": 1, "peak_memory_bytes": "much"},
            "network 0 of its metadata 'networks' cannot be read",
        ),
        ({"blocks": [0]}, "network 0 of its metadata 'networks' cannot be read"),
    ],
)
def test_damaged_networks_are_refused(network, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f'# networks = {json.dumps([network])}\nblock,latency_ms\n"{GOOD}",1\n')
    with pytest.raises(DuonasError, match=message):
        cost_model(DeviceOptions(str(path)), pairs_of())


@pytest.mark.parametrize(("word", "meant"), [("Here", "here"), ("NONE", "none"), ("heer", "here")])
def test_a_misspelt_word_for_a_table_is_told_the_word(word, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DuonasError, match=f"there is no file {word}: did you mean '{meant}'"):
        cost_model(DeviceOptions(word), pairs_of())
    with pytest.raises(DuonasError, match=r"there is no file here\.csv\.$"):
        cost_model(DeviceOptions("here.csv"), pairs_of())
