"""Energy of each network and of both ways through the deployed graph, with meters and calls of the tests' own."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.cost import PairCost
from duonas.core.files import read_json
from duonas.measure import energy
from duonas.measure.energy import energies, in_turn, route_energy
from duonas.measure.options import MeasureOptions
from duonas.runtime.energy import GivenPower, MeterError, PowerMeter
from duonas.runtime.meters import Found

OPTIONS = MeasureOptions(threads=1)
SPEED = {
    role: {"latency_ms": {"mean": mean}, "images_per_s": 1.0}
    for role, mean in (("little", 0.5), ("big", 2.0), ("routed", 1.0))
} | {"router_us": 3.0, "ratio_to_ideal": {"batch_1": 1.0}}


class Counted(PowerMeter):
    """A meter of the calls that it has heard of; ``energy_mj`` is replaced by what it says."""

    name = "counted"

    def __init__(self):
        super().__init__("the board")

    def read(self):
        raise MeterError("it is not read: see told.")


@pytest.fixture
def told(monkeypatch):
    """Energies in mJ by the name of the session's file and its tau, rising from round to round."""
    by_call, asked = {}, []

    def call(path, options, *, tau=None):
        assert options is OPTIONS
        return path.name, None if tau is None else float(tau)

    def measured(meter, key):
        asked.append(key)
        return by_call[key] + asked.count(key) - 2  # the median of three rounds is the figure itself

    monkeypatch.setattr(energy, "_call", call)
    monkeypatch.setattr(energy, "energy_mj", measured)
    by_call.update({
        ("little.onnx", None): 10.0, ("big.onnx", None): 40.0, ("single.onnx", None): 20.0,
        ("dynamic.onnx", -np.inf): 11.0, ("dynamic.onnx", np.inf): 51.0,
    })  # fmt: skip
    return asked


@pytest.fixture
def bundle(tmp_path):
    for name in ("little.onnx", "big.onnx", "dynamic.onnx"):
        (tmp_path / name).touch()
    return tmp_path


def test_every_network_is_measured_and_the_routed_pair_by_its_share(told, bundle):
    found = energies(bundle, Found(Counted(), ""), SPEED, OPTIONS, 0.75)
    assert found["energy"] == {"meter": "counted", "covers": "the board"}
    assert found["energy_mj"] == {"little": 10, "big": 40, "routed": pytest.approx(0.75 * 11 + 0.25 * 51)}
    assert told[:4] == told[4:8] == told[8:]  # in turn
    (bundle / "single.onnx").touch()
    assert energies(bundle, Found(Counted(), ""), SPEED, OPTIONS, 0.75)["energy_mj"]["plain"] == 20


def test_given_watts_are_multiplied_by_the_mean_times(bundle, monkeypatch):
    monkeypatch.setattr(energy, "_call", lambda *_, **__: pytest.fail("it ran"))
    found = energies(bundle, Found(GivenPower(4), ""), SPEED, OPTIONS, 0.75)
    assert found["energy_mj"] == {"little": 2.0, "big": 8.0, "routed": 4.0} and found["energy"]["watts"] == 4


def test_without_a_meter_there_is_no_energy_but_maybe_a_hint(bundle):
    assert energies(bundle, Found(None, ""), SPEED, OPTIONS, 0.5) == {"energy": None, "energy_mj": {}}
    hinted = energies(bundle, Found(None, "run as root."), SPEED, OPTIONS, 0.5)
    assert hinted == {"energy": {"meter": None, "hint": "run as root."}, "energy_mj": {}}


def test_a_meter_that_is_lost_costs_only_the_energies(told, bundle, monkeypatch):
    def lost(meter, call):
        raise MeterError("the meter is gone.")

    monkeypatch.setattr(energy, "energy_mj", lost)
    found = energies(bundle, Found(Counted(), ""), SPEED, OPTIONS, 0.5)
    assert found == {"energy": {"meter": None, "hint": "the meter is gone."}, "energy_mj": {}}


@pytest.mark.parametrize("before", [False, True])
def test_both_ways_have_an_energy(told, bundle, before):
    times = PairCost(stem=0, router=0, little=0.5, big=2.0, before=before)
    found = route_energy(bundle, Counted(), times, OPTIONS)
    assert found.expected(1.0) == 11 and found.expected(0.0) == 51 and found.before is before
    assert route_energy(bundle, GivenPower(3), times, OPTIONS) == times.scaled(3.0)


def test_a_real_bundle_has_energies(measured, monkeypatch):
    """The meter says 2 W; how long that takes is another matter."""
    monkeypatch.setattr("duonas.runtime.energy.SECONDS", 0.0)

    class Steady(PowerMeter):
        name, every, resolution = "steady", float("inf"), 0.0

        def read(self):
            return 2.0

    calls = energy._calls(measured[0] / "export", OPTIONS)
    assert set(calls) == {"little", "big", "-inf", "inf"}
    monkeypatch.setattr(energy, "energy_mj", lambda meter, call: energy_of_one(meter, call))
    found = in_turn(Steady("the board"), calls)
    assert all(value > 0 for value in found.values())


def energy_of_one(meter, call):
    with meter.measuring() as found:
        call()
    return 1e3 * found.joules


def test_measure_json_says_what_an_image_takes_and_by_what_meter(measured):
    figures = read_json(measured[0] / "measure.json")
    assert figures["energy"] == {"meter": "watts", "covers": "the power given by the user", "watts": 2.5}
    for role in ("little", "big", "routed"):
        assert figures[role]["energy_mj"] == pytest.approx(2.5 * figures[role]["latency_ms"]["mean"])
