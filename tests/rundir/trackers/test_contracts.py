"""Every shipped tracker passes the contract suite; the packages of the web are stood in for by ones that remember."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.rundir.paths import RunPaths
from duonas.rundir.tracker import check_trackers
from duonas.testing import TrackerContract


class Suite(TrackerContract):
    name = ""

    @pytest.fixture(autouse=True)
    def _run(self, tmp_path, monkeypatch):
        self.paths = RunPaths(tmp_path / "run")
        self.paths.folder.mkdir()
        self.pages = {}  # of the stand-in, by their names
        for module in self.modules():
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def modules(self):
        return []

    def tracker(self):
        return find("tracker", self.name)(self.paths, {"seed": 0, "train": {"lr": 0.5}})


class TestTensorBoard(Suite):
    name = "tensorboard"

    def shown(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = {}
        for folder in sorted({path.parent for path in self.paths.tensorboard.rglob("events*")}):
            events = EventAccumulator(str(folder))
            events.Reload()
            for tag in events.Tags()["scalars"]:
                stage, _, name = tag.partition("/")
                for event in events.Scalars(tag):
                    found.setdefault((stage, event.step), {})[name] = event.value
        return [(*key, figures) for key, figures in found.items()]


class Page:
    """What wandb and trackio call a run."""

    def __init__(self, rows):
        self.rows, self.axes, self.id, self.open = rows, {}, "abc", True

    def define_metric(self, name, step_metric):
        self.axes[name] = step_metric

    def log(self, figures, step=None):
        assert self.open
        self.rows.append((figures, step))

    def finish(self):
        self.open = False


class Paged(Suite):
    def modules(self):
        module = ModuleType(self.name)
        module.init = self.init
        return [module]

    def init(self, project, name, config, resume, id=None, **_):
        assert (project, resume) == ("duonas", "allow") and "seed" in config
        self.asked = [*getattr(self, "asked", []), id or name]
        return Page(self.pages.setdefault(id or "abc" if self.name == "wandb" else name, []))


class TestWandb(Paged):
    name = "wandb"

    def shown(self):
        found = []
        for figures, step in (row for rows in self.pages.values() for row in rows):
            stage = next(iter(figures)).partition("/")[0]
            named = {key.partition("/")[2]: value for key, value in figures.items()}
            assert step is None  # wandb's own steps may not go back
            found.append((stage, named.pop("step"), named))
        assert len(self.pages) <= 1
        return found


class TestTrackio(Paged):
    name = "trackio"

    def shown(self):
        assert len(self.pages) <= 1
        return [
            (
                next(iter(figures)).partition("/")[0],
                step,
                {key.partition("/")[2]: each for key, each in figures.items()},
            )
            for rows in self.pages.values()
            for figures, step in rows
        ]


class TestMlflow(Suite):
    name = "mlflow"

    def modules(self):
        self.runs, self.status = {}, {}
        entities, module = ModuleType("mlflow.entities"), ModuleType("mlflow")
        entities.Metric = lambda key, value, timestamp, step: (key, value, step)
        entities.Param = lambda key, value: (key, value)
        module.MlflowClient, module.entities = lambda: self, entities
        return [module, entities]

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id="1") if self.runs else None

    def create_experiment(self, name):
        assert name == "duonas"
        return "1"

    def create_run(self, experiment, run_name):
        self.runs[run_name] = {"params": [], "metrics": []}
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def log_batch(self, number, metrics=(), params=()):
        self.runs[number]["metrics"] += metrics
        self.runs[number]["params"] += params

    def update_run(self, number, status):
        assert number in self.runs and status == "RUNNING"

    def set_terminated(self, number):
        self.status[number] = "FINISHED"

    def shown(self):
        assert len(self.runs) <= 1
        found = {}
        for run in self.runs.values():
            assert ("train.lr", "0.5") in run["params"]
            for key, value, step in run["metrics"]:
                stage, _, name = key.partition("/")
                found.setdefault((stage, step), {})[name] = value
        return [(*key, figures) for key, figures in found.items()]


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("duonas.rundir.tracker.find_spec", lambda name: None)
    with pytest.raises(DuonasError, match=r"trackers: wandb needs the package wandb.*pip install 'duonas\[wandb\]'"):
        check_trackers(["wandb"])
