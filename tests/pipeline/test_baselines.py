"""The networks that a pair is compared with, through a whole run: exported, timed beside the pair, shown."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

import duonas
from duonas.cli.explain import explain
from duonas.core.arch import Arch
from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.pair import Subnet
from duonas.core.progress import Silent
from duonas.exits.against import RoutedPair, against, against_pair
from duonas.exits.answers import Exits
from duonas.exits.curve import measure_curve
from duonas.measure.beside import Beside
from duonas.pair.facts import ROLES
from duonas.pipeline import stages
from duonas.pipeline.baselines import _exported
from duonas.pipeline.exits import MeasuredExits
from duonas.pipeline.ofa import best_alone
from duonas.recipe.schema import parse
from duonas.runtime.comparison import Time
from duonas.search.single import SingleNetwork

EXITS, ON_BIG, STATIC = "msdnet-exits3-channels2-growth2-scales2", "branchynet-big-exits2", "mobilenetv3_small_050"
RECIPE = duonas.load_recipe("digits", [
    "train.epochs=1", "train.batch_size=64", "train.checkpoint_seconds=0.000001", "search.evaluations=4",
    "search.population=2", "search.recalibration_images=64", "measure.latency_images=3", "measure.throughput_batches=1",
    "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}", "finetune.mode='independent'", "finetune.steps=5",
    f"baselines.networks=['{EXITS}', '{ON_BIG}', '{STATIC}']", "baselines.steps=6", "baselines.ofa_pair=true",
])  # fmt: skip


UNTIMED = dict.fromkeys(("times_ms", "ms", "points", "against_pair_in_time"))  # what differs from run to run


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
        recipe, warnings, run = RECIPE, [], SimpleNamespace(export=tmp_path)
        warn = warnings.append

    def fails(*_):
        raise DuonasError("it cannot.\nNo.")

    monkeypatch.setattr("duonas.pipeline.baselines._metadata", lambda splits: {})
    monkeypatch.setattr("duonas.pipeline.baselines.export_network", fails)
    Context.splits = type("Splits", (), {"image_size": 8})
    assert _exported(Context, "net", None, ()) is None
    assert Context.warnings == ["net is not timed, since it cannot be exported: DuonasError it cannot. No."]


def single(macs, accuracy):
    return SingleNetwork(Subnet(Arch("net", (macs,))), {}, accuracy, {"macs": macs})


def test_the_ofa_pair_has_the_best_networks_at_the_costs_of_the_pair():
    front = type("Front", (), {"single": tuple(single(macs, macs / 1000) for macs in (100, 200, 400, 800))})
    for little, big, found in ((250, 800, (200, 800)), (200, 799, (200, 400)), (50, 500, (100, 400))):
        chosen = best_alone(front, "macs", {"little": little, "big": big})
        assert tuple(chosen[role].figures["macs"] for role in ("little", "big")) == found
    assert best_alone(front, "macs", {"little": 220, "big": 390}) is None


def test_another_pair_is_compared_as_a_network_of_two_exits_is():
    """At its own threshold, which was chosen for the pair's cost, and at equal mean cost."""
    cost, score, always = PairCost(stem=0, router=0, little=100, big=200), np.tile([0.2, 0.8], 150), np.ones(300, bool)
    best, worst = (RoutedPair.of((score, right, right), score >= 0.5, [np.inf, 0.5, -np.inf], cost, 200.0)
                   for right in (always, ~always))  # fmt: skip
    found = against_pair("the OFA pair", worst, best)
    assert found["range"] == (100, 300) and found["better"] == [(100, 300)] and found["worse"] == []
    same = found["at_pair"]
    assert (same["accuracy"], same["pair_accuracy"], same["macs"], same["shares"]) == (0.0, 1.0, 200.0, (0.5, 0.5))
    assert found["sentence"].startswith("At equal mean cost, from 100 to 300 MACs, the pair is more accurate than the")


def test_an_ofa_pair_needs_a_supernet():
    with pytest.raises(DuonasError, match="ofa_pair takes the best networks of the search by their accuracy"):
        parse({"train": {"epochs": 0}, "finetune": {"mode": "scratch", "steps": 3}, "baselines": {"ofa_pair": True},
               "search": {"strategy": "zero_cost"}})  # fmt: skip


@pytest.mark.slow
def test_a_killed_run_with_early_exits_goes_on_and_shows_them(tmp_path, monkeypatch):
    """Law 8, and law 4 for the exits; what is timed differs from run to run."""
    monkeypatch.setattr(  # after so little training the best networks are those of the pair
        "duonas.pipeline.ofa.best_alone", lambda front, *_: dict(zip(ROLES, front.single[:2], strict=True))
    )
    whole = duonas.run(RECIPE, tmp_path / "whole").folder
    with pytest.raises(Killed):
        stages.run(RECIPE, tmp_path / "killed", progress=KillingInBaselines())
    killed = duonas.run(RECIPE, tmp_path / "killed").folder
    for file in ("weights.safetensors", "network.onnx"):
        names = sorted(path.relative_to(whole) for path in whole.rglob(f"baselines/**/{file}"))
        assert len(names) == (5 if "weights" in file else 3)
        assert all((whole / name).read_bytes() == (killed / name).read_bytes() for name in names)
    found = read_json(whole / "baselines.json")
    (row, on_big), (static,) = found["exits"], found["networks"]
    assert row["onnx"]["differing_decisions"] == 0 and row["onnx"]["max_logit_difference"] < 1e-3
    assert static["times_ms"]["1"]["mean"] > 0 and [each["times_ms"]["1"]["mean"] > 0 for each in row["anytime"]]
    assert {"stays_little", "asks_big", "little", "big"} <= found["beside"]["times_ms"].keys()
    assert row["against_pair_in_time"]["sentence"] in explain(whole)
    big = read_json(whole / "pair" / "pair.json")["networks"]["big"]["macs"]
    assert on_big["anytime"][1]["macs"] > big  # with the head of the exit before
    ofa = found["ofa_pair"]
    share, times = ofa["little_share"], [ofa["times_ms"][way]["mean"] for way in ("stays_little", "asks_big")]
    assert ofa["macs"] == pytest.approx(ofa["little"]["macs"] + (1 - share) * ofa["big"]["macs"])
    assert ofa["ms"] == pytest.approx(share * times[0] + (1 - share) * times[1])
    assert ofa["against_pair"]["sentence"] in explain(whole)
    assert read_json(killed / "baselines.json")["ofa_pair"] | UNTIMED == ofa | UNTIMED
    model = onnx.load(whole / "baselines" / EXITS / "network.onnx")
    noted = {each.key: each.value for each in model.metadata_props}
    assert len(noted["thresholds"].split()) == 2 and noted["class_names"].startswith('["')
    page = Path(whole, "report.html").read_text()
    assert "Other dynamic networks" in page and "Mean time of an image (ms)" in page
