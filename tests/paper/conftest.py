"""The files of a table and its study, and runs that are made up instead of trained."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from duonas.paper.element import load_element
from duonas.paper.make import make
from duonas.rundir.folder import RunFolder
from report.fabricate import fabricate
from support import listings

RECIPE = """
data = { name = "digits" }
space = { name = "mobilenet", preset = "digits", axes = { depth = [1], kernel = [3], expansion = [1] } }
train = { epochs = 1, batch_size = 256 }
search = { recalibration_images = 64, pair = { little = { width = 0.5 } } }
finetune.mode = "none"
route = { score = "margin", share = 0.6 }
measure = { latency_images = 5, throughput_batches = 1 }
"""
STUDY = """
title = "Is a pair trained together better?"
base = "../recipes/small.toml"
seeds = [0, 1]

[variants.apart]
supernet = "shared"
finetune = { mode = "independent", epochs = 1 }

[variants.shared]
"""
TABLE = """
title = "Trained apart & together"
section = "5.4.1"
kind = "table"

[studies]
digits = "studies/digits-apart.toml"

[[columns]]
title = "Routed"
figure = "measure.routed.accuracy"
kind = "percent"

[[columns]]
title = "Over apart"
figure = "measure.routed.accuracy"
kind = "points"
over = "apart"

[[columns]]
title = "Energy"
figure = ["measure.routed.energy_mj", "measure.energy.routed"]
kind = "mj"
"""
NOT_OF_A_RUN = ("recipe.toml", "environment.json", "stages.json")  # which the run writes itself


class Trained:
    """Stands for ``stages.run``: counts the runs, and stops at one of them if told to, as a kill would."""

    def __init__(self):
        self.runs, self.stop_at = [], None

    def __call__(self, recipe, folder, **_):
        if self.stop_at == len(self.runs):
            raise KeyboardInterrupt
        self.runs.append(Path(folder))
        images = 150 + 20 * recipe.seed + 70 * (recipe.finetune.mode == "none")
        made = fabricate(Path(f"{folder}-made"), images=images)
        with RunFolder.open(folder, recipe) as run:
            thresholds = [("inf", 0.9, 2e6), ("-inf", 0.8, 1e6)]
            policy = json.loads((made / "pair" / "policy.json").read_text())
            policy["table"] = [
                {"tau": tau, "accuracy": accuracy, "expected_macs": macs} for tau, accuracy, macs in thresholds
            ]
            (made / "pair" / "policy.json").write_text(json.dumps(policy))
            shutil.copytree(made, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_OF_A_RUN))
            run.start("measure")
            run.finish("measure", [run.measure], seconds=5.0)
        shutil.rmtree(made)


@pytest.fixture
def trained(monkeypatch):
    """Runs are made up; what is checked before them are the recipes alone."""
    return made_up(monkeypatch, Trained())


def made_up(monkeypatch, instead):
    """Have runs made up by ``instead``."""
    comparing = import_module("duonas.pipeline.compare")  # the attribute of that name is the function
    monkeypatch.setattr(comparing.stages, "run", instead)
    images = SimpleNamespace(inspected=listings.inspected(listings.listed({"cat": 4, "dog": 4})))
    monkeypatch.setattr(comparing, "read_splits", lambda *_: images)
    monkeypatch.setattr(comparing, "check_variants", lambda *_: None)
    return instead


@pytest.fixture(scope="session")
def elements(tmp_path_factory):
    """A folder with a table, its study and the recipe of that."""
    folder = tmp_path_factory.mktemp("paper")
    texts = {"recipes/small.toml": RECIPE, "studies/digits-apart.toml": STUDY, "table-3.toml": TABLE}
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def element(elements):
    return load_element(elements / "table-3.toml")


@pytest.fixture(scope="session")
def made(element, tmp_path_factory):
    """The folder of the runs of the table, its parts, its files, and what was run."""
    folder, trained = tmp_path_factory.mktemp("made"), Trained()
    with pytest.MonkeyPatch.context() as patch:
        made_up(patch, trained)
        shown, written = make(element, folder)
    return folder, shown, written, list(trained.runs)
