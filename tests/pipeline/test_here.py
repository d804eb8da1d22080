"""The table of this machine: measured once for what it depends on, and remembered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.progress import Silent
from duonas.costs.calibration import prices_in_words
from duonas.costs.device_table import DeviceTable
from duonas.costs.distinct import distinct_blocks
from duonas.pipeline import here
from duonas.pipeline.table import priced
from duonas.rundir.folder import RunFolder
from duonas.spaces.mobilenet import MobileNet

AXES = {"width": [0.5], "kernel": [3]}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine that takes a nanosecond a MAC; says how often it was measured."""
    measured = []

    def measure(source, bench, out, progress):
        measured.append(bench.settings)
        blocks = tuple(block.key for block in distinct_blocks(source.pairs))
        times = np.array([1e-3 + block.macs / 1e6 for block in blocks])
        table = DeviceTable(blocks, {"latency_ms": times}, np.ones(len(blocks), dtype=bool), about={"device": "mine"})
        return table.write(out)

    monkeypatch.setattr(here, "measure_here", measure)
    monkeypatch.setattr(here, "TABLES", tmp_path / "tables")
    return measured


def pairs_of(preset="digits", size=8):
    return pair_space(MobileNet.space(MobileNet.Options(preset=preset, axes=AXES), size, 10))


def recipe_of(*changes):
    return duonas.load_recipe("digits", ["search.device.table=here", *changes])


def test_this_machine_is_measured_once(machine, tmp_path):
    pairs, recipe = pairs_of(), recipe_of("search.device.minutes=0.5", "search.device.threads=2")
    with RunFolder.open(tmp_path / "one", recipe) as run:
        first = priced(recipe, pairs, Silent(), run)
    with RunFolder.open(tmp_path / "other", recipe) as run:
        second = priced(recipe, pairs, Silent(), run)
    assert len(machine) == 1 and (machine[0].minutes, machine[0].threads) == (0.5, 2)
    blocks = pairs.space.blocks(pairs.space.smallest())
    assert first(blocks) == second(blocks) == priced(recipe, pairs, Silent())(blocks)
    assert second.origin()["path"] == "here"
    assert prices_in_words(second.origin()).startswith("Times and energies come from a table of this machine (mine).")
    with RunFolder.open(tmp_path / "one", recipe) as run:  # without the remembered table, too
        next((tmp_path / "tables").glob("*.parquet")).unlink()
        assert priced(recipe, pairs, Silent(), run)(blocks) == first(blocks)
    assert len(machine) == 1


def test_it_is_measured_again_where_something_else_would_be_found(machine, monkeypatch):
    """Other settings, routers, blocks, runtime or hardware."""
    pairs, recipe = pairs_of(), recipe_of()
    here.table_of_this_machine(recipe, pairs, Silent())
    others = [
        recipe_of("search.device.threads=2"),
        recipe_of("search.device.minutes=1"),
        recipe_of("route.score=entropy"),
    ]
    for number, other in enumerate(others, 2):
        here.table_of_this_machine(other, pairs, Silent())
        assert len(machine) == number
    here.table_of_this_machine(recipe, pairs_of(size=12), Silent())
    monkeypatch.setattr(here, "RUNTIME", "onnxruntime 0.0")
    here.table_of_this_machine(recipe, pairs, Silent())
    monkeypatch.setattr(here.machine, "device_name", lambda: "another")
    here.table_of_this_machine(recipe, pairs, Silent())
    assert len(machine) == len(others) + 4
    here.table_of_this_machine(recipe, pairs, Silent())
    assert len(machine) == len(others) + 4


def test_a_cache_that_cannot_be_written_is_done_without(machine, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(here, "TABLES", tmp_path / "file" / "tables")
    monkeypatch.setattr(here.tempfile, "gettempdir", lambda: str(tmp_path))
    assert here.table_of_this_machine(recipe_of(), pairs_of(), Silent()).is_file()


def test_settings_are_those_of_the_recipe(machine):
    source = here.kit_source(recipe_of(), pairs_of())
    settings = here.settings_of(recipe_of("search.device.precision=fp16"))
    assert settings.precision == "fp16"
    assert here.key(source, settings) != here.key(source, replace(settings, precision="fp32"))


def test_a_provider_that_is_not_there_is_refused_before_any_training(tmp_path):
    recipe = recipe_of("search.device.provider=Abacus")
    with pytest.raises(DuonasError, match=r"\[search.device\] table = 'here': .*Abacus"):
        duonas.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Telling(Silent):
    """Keeps the stages and warnings."""

    def __init__(self):
        self.told = []

    def stage(self, name):
        self.told.append(name)
        return super().stage(name)

    def warn(self, sentence):
        self.told.append(sentence)


def test_work_on_prices_is_shown_and_a_measurement_that_was_stopped_says_that_it_begins_again(machine, monkeypatch):
    pairs, recipe, telling = pairs_of(), recipe_of(), Telling()
    priced(recipe, pairs, telling)
    assert telling.told == ["prices"]

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(here, "measure_here", stop)
    with pytest.raises(KeyboardInterrupt):
        priced(recipe_of("search.device.minutes=7"), pairs, telling)
    assert telling.told[1:] == ["this machine was not measured to the end: the next run measures it from the start."]
