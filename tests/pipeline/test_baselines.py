"""The networks that a pair is compared with, through a whole run: exported, timed beside the pair, shown."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx
import pytest

import duonas
from duonas.cli.explain import explain
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.exits.against import RoutedPair, against
from duonas.exits.answers import Exits
from duonas.exits.curve import measure_curve
from duonas.measure.beside import Beside
from duonas.pipeline import stages
from duonas.pipeline.baselines import _exported
from duonas.pipeline.exits import MeasuredExits
from duonas.runtime.comparison import Time

EXITS, STATIC = "msdnet-exits3-channels2-growth2-scales2", "mobilenetv3_small_050"
RECIPE = duonas.load_recipe("digits", [
    "train.epochs=1", "train.batch_size=64", "train.checkpoint_seconds=0.000001", "search.evaluations=4",
    "search.population=2", "search.recalibration_images=64", "measure.latency_images=3", "measure.throughput_batches=1",
    "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}", f"baselines.networks=['{EXITS}', '{STATIC}']",
    "baselines.steps=6",
])  # fmt: skip


class Killed(Exception):
    pass


class KillingInBaselines(Silent):
    """Kills the run in the middle of training a network of the stage ``baselines``."""

    def stage(self, name):
        if name != "baselines":
            return super().stage(name)

        def told(done, total, **figures):
            if done == 4:
                raise Killed

        return nullcontext(told)


def beside(ms=1.0):
    """Times of a pair whose big takes four times as long as little."""
    time = {name: Time(factor * ms, factor * ms, factor * ms)
            for name, factor in (("stays_little", 1.0), ("asks_big", 5.0), ("little", 0.9), ("big", 4.0))}  # fmt: skip
    return Beside(time, {}, "processor", 1)


def measured():
    """A network of three exits beside a pair that is right where its little is."""
    rng = np.random.default_rng(0)
    sure = rng.random((300, 3)).astype(np.float32)
    right = rng.random((300, 3)) < 0.2 + 0.15 * np.arange(3) + 0.4 * sure
    known = Exits(sure, right, np.array([100, 250, 400]))
    curve, shares = measure_curve(known, known), np.array([1.0, 0.5, 0.0])
    pair = RoutedPair(macs=400 - 250 * shares, little_share=shares, accuracy=np.array([0.5, 0.6, 0.7]),
                      right=rng.random(300) < 0.6, own_macs=275.0, own_share=0.5, expected_macs=275.0)  # fmt: skip
    found = {"anytime": [{"exit": n + 1} for n in range(3)], "against_pair": against("net", curve, known, known, pair)}
    return MeasuredExits("net", curve, found, pair)


def test_the_mean_time_is_the_sum_over_the_exits_by_their_shares():
    """Law 6, in ms; the pair is timed beside it."""
    net, exits = measured(), [Time(each, each, each) for each in (1.0, 2.0, 4.0)]
    found = net.timed(exits, beside())
    for point in (*found["budgeted"], *found["geometric"]):
        assert point["ms"] == pytest.approx(float(np.dot(point["shares"], [1.0, 2.0, 4.0])))
    compared = found["against_pair_in_time"]
    assert compared["range"] == (1.0, pytest.approx(min(5.0, max(point["ms"] for point in found["budgeted"]))))
    same = found["against_pair"]["at_pair"]
    assert compared["at_pair"] == {"ms": pytest.approx(float(np.dot(same["shares"], [1.0, 2.0, 4.0]))), "pair_ms": 3.0,
                                   "big_ms": 4.0}  # fmt: skip
    assert "At equal mean time, from 1 to" in compared["sentence"] and "big alone 4 ms" in compared["sentence"]
    assert tuple(same["thresholds"]) == net.thresholds
    slow = net.timed([Time(9.0, 9.0, 9.0)] * 3, beside())["against_pair_in_time"]
    assert slow["range"] is None and slow["sentence"].startswith(
        "net takes 9 ms at its first exit, more than the pair at its dearest (5): there is no mean time at which"
    )


def test_a_network_that_cannot_be_exported_is_left_out_of_the_times(monkeypatch, tmp_path):
    class Context:
        recipe, warnings = RECIPE, []
        warn = warnings.append

    def fails(*_):
        raise DuonasError("it cannot.\nNo.")

    monkeypatch.setattr("duonas.pipeline.baselines._metadata", lambda splits: {})
    monkeypatch.setattr("duonas.pipeline.baselines.export_network", fails)
    Context.splits = type("Splits", (), {"image_size": 8})
    assert _exported(Context, "net", None, ()) is None
    assert Context.warnings == ["net is not timed, since it cannot be exported: DuonasError it cannot. No."]


@pytest.mark.slow
def test_a_killed_run_with_early_exits_goes_on_and_shows_them(tmp_path):
    """Law 8, and law 4 for the exits; what is timed differs from run to run."""
    whole = duonas.run(RECIPE, tmp_path / "whole").folder
    with pytest.raises(Killed):
        stages.run(RECIPE, tmp_path / "killed", progress=KillingInBaselines())
    killed = duonas.run(RECIPE, tmp_path / "killed").folder
    for file in ("weights.safetensors", "network.onnx"):
        names = sorted(path.relative_to(whole) for path in whole.rglob(f"baselines/*/{file}"))
        assert len(names) == 2 and all((whole / name).read_bytes() == (killed / name).read_bytes() for name in names)
    found = read_json(whole / "baselines.json")
    (row,), (static,) = found["exits"], found["networks"]
    assert row["onnx"]["differing_decisions"] == 0 and row["onnx"]["max_logit_difference"] < 1e-3
    assert static["times_ms"]["1"]["mean"] > 0 and [each["times_ms"]["1"]["mean"] > 0 for each in row["anytime"]]
    assert {"stays_little", "asks_big", "little", "big"} <= found["beside"]["times_ms"].keys()
    assert row["against_pair_in_time"]["sentence"] in explain(whole)
    model = onnx.load(whole / "baselines" / EXITS / "network.onnx")
    noted = {each.key: each.value for each in model.metadata_props}
    assert len(noted["thresholds"].split()) == 2 and noted["class_names"].startswith('["')
    page = Path(whole, "report.html").read_text()
    assert "Early exits" in page and "Mean time of an image (ms)" in page
