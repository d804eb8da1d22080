"""A kit is measured by a clock of the test's own, which says what every network takes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from duonas.runtime import device
from duonas.runtime.device import Device, open_call
from duonas.runtime.device_kit import KitBlock, Manifest
from duonas.runtime.energy import GivenPower, Meter
from duonas.runtime.errors import BundleError
from duonas.runtime.timing import Clock

BLOCK, NETWORK, EMPTY, REFERENCE = 3e-3, 20e-3, 1e-3, 5e-3  # s
PAIRS = {"stem": 2e-3, "little": 4e-3, "big": 10e-3, "kept": 5e-3, "asked": 15e-3}


class Bench:
    """A machine on which the files of a kit take the times above; ``slow`` multiplies those of some file."""

    def __init__(self, kit, monkeypatch):
        self.time, self.manifest, self.slow, self.opened = 0.0, Manifest.load(kit), {}, []
        self.folder, self.broken, self.stop_after = kit, set(), None
        monkeypatch.setattr(device, "open_call", self.open)

    def open(self, path, settings, tau=0.0):
        name = path.relative_to(self.folder).as_posix()
        self.opened.append(name)
        if name in self.broken:
            raise BundleError(f"ONNX Runtime cannot open {path}.")
        seconds = self.slow.get(name, 1) * self.seconds(name, tau)

        def call():
            self.time += seconds
            if self.stop_after is not None and self.time > self.stop_after:
                raise KeyboardInterrupt

        return call

    def seconds(self, name, tau):
        if name.startswith("pairs/"):
            if name in {pair.routed for pair in self.manifest.pairs}:
                return PAIRS["asked" if tau > 0 else "kept"]
            return PAIRS[name.rpartition("-")[2].removesuffix(".onnx")]
        known = {"empty.onnx": EMPTY, "reference.onnx": REFERENCE}
        return known.get(name, BLOCK if name.startswith("blocks/") else NETWORK)

    def measure(self, meter=None, minutes=10.0, **more):
        settings = replace(self.manifest.settings, minutes=minutes)
        clock = Clock(lambda: self.time, lambda seconds: setattr(self, "time", self.time + seconds))
        measured = Device(self.folder, self.manifest, settings, meter, lambda path: 1000, clock=clock, **more)
        measured.measure()
        return measured


@pytest.fixture
def bench(kit, monkeypatch):
    return Bench(kit, monkeypatch)


def test_everything_is_measured_where_there_is_time(bench):
    told = []
    table = bench.measure(report=lambda *what: told.append(what)).table()
    assert list(table.rows) == [each.block for each in bench.manifest.blocks]
    assert [row.latency_ms for row in table.rows.values()] == pytest.approx([2] * len(table.rows))  # without the call's
    assert len(table.networks) == len(bench.manifest.networks)
    for found, network in zip(table.networks, bench.manifest.networks, strict=True):
        assert (found.blocks, found.use) == (network.blocks, network.use)
        assert found.latency_ms == pytest.approx(20) and found.peak_memory_bytes == 1000 and found.energy_mj is None
    (router,) = table.routers.items()
    assert router[0] == "margin@after_little"
    assert router[1].keep_ms == pytest.approx(1) and router[1].ask_ms == pytest.approx(2)  # 5 - 4; 15 - 5 - (10 - 2)
    assert table.reference.busy == 0 and table.reference.median_ms == pytest.approx(5) and table.energy == {}
    assert table.about["space"] == "mobilenet" and table.about["runtime"].startswith("onnxruntime ")
    assert table.about["clock"] == "wall"
    assert told[-1][:3] == ("memory of networks",) + (len(table.networks),) * 2
    lefts = [left for *_, left in told]
    assert lefts == sorted(lefts, reverse=True)


def test_before_little_routing_is_what_the_networks_do_not_take(bench):
    bench.manifest = replace(
        bench.manifest, pairs=tuple(replace(pair, router="difficulty@stem") for pair in bench.manifest.pairs)
    )
    found = bench.measure().table().routers["difficulty@stem"]
    assert found.keep_ms == pytest.approx(1) and found.ask_ms == pytest.approx(15 - 1 - 10)


@pytest.mark.parametrize("seconds", [0.5, 0.7])
def test_where_time_is_short_each_kind_of_block_comes_first_and_networks_have_their_share(bench, seconds):
    found = bench.measure(minutes=seconds / 60)
    table, blocks = found.table(), bench.manifest.blocks
    measured = [block for block, row in table.rows.items() if row.latency_ms is not None]
    assert {each.kind for each in blocks} == {KitBlock("", block).kind for block in measured}
    assert 0 < len(measured) < len(blocks) and len(table.networks) > 0
    names = list(table.rows)
    for network in table.networks:
        assert [names[row] for row in network.blocks] in [
            [blocks[place].block for place in each.blocks] for each in bench.manifest.networks
        ]
    assert {row.origin for row in table.rows.values() if row.latency_ms is None} <= {"fitted"}


def test_blocks_of_networks_are_measured_before_networks_and_these_before_other_blocks(bench):
    network = bench.manifest.networks[0]
    bench.manifest = replace(bench.manifest, networks=(network,))
    assert len(bench.measure().table().rows) == len(bench.manifest.blocks)
    opened = [bench.opened.index(each.file) for each in (*bench.manifest.blocks, network)]
    *blocks, whole = opened
    kinds = {each.kind: place for place, each in reversed([*enumerate(bench.manifest.blocks)])}.values()
    early, late = {*kinds, *network.blocks}, set(range(len(blocks))) - {*kinds, *network.blocks}
    assert max(blocks[place] for place in early) < whole < min(blocks[place] for place in late)
    assert max(blocks[place] for place in kinds) < min(blocks[place] for place in early - {*kinds})


def test_a_block_that_cannot_be_run_alone_is_left_to_be_fitted(bench):
    place = bench.manifest.networks[-1].blocks[-2]
    bench.broken = {bench.manifest.blocks[place].file}
    found = bench.measure()
    table = found.table()
    assert len(table.networks) == len(bench.manifest.networks) and len(table.rows) == len(bench.manifest.blocks)
    lacking = [block for block, row in table.rows.items() if row.latency_ms is None]
    assert lacking == [bench.manifest.blocks[place].block]
    assert list(found.failed) == list(bench.broken) and found.shortage == ""


def test_too_short_a_time_is_said_with_one_that_does(bench):
    found = bench.measure(minutes=0.5 / 60)
    sentence = found.shortage
    assert "the time was over after" in sentence and "before" in sentence
    minutes = float(sentence.partition(": give it ")[2].partition(" minutes")[0])
    enough = bench.measure(minutes=minutes)
    assert enough.shortage == "" and len(enough.table().networks) == len(bench.manifest.networks)


def test_an_interrupt_keeps_what_was_measured(bench):
    bench.stop_after = 1.0
    table = bench.measure().table()
    assert (not table.networks and 0 <= len(table.rows) < len(bench.manifest.blocks)) or table.rows


def test_nothing_measured_is_one_sentence(bench):
    bench.broken = {each.file for each in bench.manifest.blocks}
    with pytest.raises(BundleError, match=r"no block could be measured: ONNX Runtime cannot open .*0000\.onnx\."):
        bench.measure().table()
    bench.broken, bench.stop_after = set(), 0.0
    with pytest.raises(BundleError, match=r"no block could be measured: the time was too short.*\.$"):
        bench.measure().table()


def test_energy_by_given_watts_is_watts_times_time(bench):
    table = bench.measure(GivenPower(5.0)).table()
    assert [row.energy_mj for row in table.rows.values()] == pytest.approx([5 * 2] * len(table.rows))
    assert table.networks[0].energy_mj == pytest.approx(5 * 20)
    assert table.routers["margin@after_little"].keep_mj == pytest.approx(5)
    assert table.energy["meter"] == "watts" and table.energy["watts"] == 5


def test_energy_by_a_meter_is_that_of_networks_and_their_power_times_the_time_of_a_block(bench):
    class Counter(Meter):
        name = "counter"

        def read(self):
            return 7.0 * bench.time

        def between(self, before, after, seconds):
            return after - before

    table = bench.measure(Counter("all")).table()
    assert table.networks[0].energy_mj == pytest.approx(7 * 20, rel=1e-3)
    assert table.energy == {"meter": "counter", "covers": "all"}
    assert next(iter(table.rows.values())).energy_mj == pytest.approx(7 * 2, rel=1e-3)


def test_a_file_that_is_no_network_is_one_sentence(kit, tmp_path):
    settings = Manifest.load(kit).settings
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="it is no ONNX file"):
        open_call(tmp_path / "x.onnx", settings)
    shutil.copy(kit / "empty.onnx", tmp_path / "empty.onnx")
    assert open_call(tmp_path / "empty.onnx", settings)()[0].shape == (1, 1)


def test_half_precision_is_fed_where_a_network_takes_it():
    assert device._input(SimpleNamespace(type="tensor(float16)", shape=["N", 3, 8, 8]), 0.0).dtype == "float16"
    assert device._input(SimpleNamespace(type="tensor(float)", shape=[]), 0.5) == 0.5
