"""A whole run by gradients, killed while the distributions are learned."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest

import duonas
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.pipeline import stages

QUICK = [
    "data.test=0.6", "train.batch_size=64", "train.accelerator=cpu", "train.epochs=1", "finetune.mode=none",
    "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}", "search.recalibration_images=64",
    "search.strategy=drnas", "search.evaluations=6", "search.drnas={ steps = 6, aims = 2, batch_size = 16 }",
    "measure.latency_images=2", "measure.throughput_batches=1",
]  # fmt: skip


class Killed(Silent):
    """Interrupts the search at a step of the fit, before anything is evaluated."""

    @contextmanager
    def stage(self, name):
        def report(done, total, **figures):
            if figures.get("drnas_step", 0) >= 2:
                raise KeyboardInterrupt

        yield report


@pytest.mark.slow
def test_a_run_killed_inside_the_fit_ends_like_one_that_never_was(tmp_path):
    recipe = duonas.load_recipe("digits", QUICK)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    stages.run(recipe, whole, until="pair")
    with pytest.raises(KeyboardInterrupt):
        stages.run(recipe, killed, progress=Killed())
    assert not (killed / "front.json").exists() and not list((killed / "logits").glob("*"))
    found = Path(stages.run(recipe, killed))
    for name in ("front.json", "trials.parquet", "archs.parquet", "pair/little.safetensors", "pair/big.safetensors"):
        assert (found / name).read_bytes() == (whole / name).read_bytes()
    strategy = read_json(found / "front.json")["strategy"]
    assert len(strategy["aims"]) == 2 and len(strategy["history"]) >= 2
    assert "DrNAS: the entropy of the choices" in " ".join(duonas.Run(found).explain().split())
    assert (found / "report.html").exists() and read_json(found / "measure.json")["verdict"]["sentence"]
