"""The verdict on a device, by its own times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.measure.on_device import verdict_on

ACCURACIES = {"routed": 0.9, "big": 0.905, "little": 0.8, "plain": 0.9}
MEASURED = {"tau": 0.4, "test_images": 1000} | {
    role: {"accuracy": accuracy, "macs": 1000, "expected_macs": 1000, "little_share": 0.7,
           "latency_ms": {"mean": 1.0}, "times_ms": {"1": {"mean": 1.0, "lower": 1.0, "upper": 1.0}}}
    for role, accuracy in ACCURACIES.items()
}  # fmt: skip


def bench(tau=0.4, routing=0.002, **ms):
    networks = {role: {"mean": time, "lower": 0.99 * time, "upper": 1.01 * time} for role, time in ms.items()}
    return {"bundle": {"tau": tau}, "times": {"routing_ms": routing, "networks": networks}}


def test_the_times_are_those_of_the_device_and_the_accuracies_those_of_the_test_images():
    said = verdict_on(MEASURED, bench(routed=0.12, big=0.25, little=0.06))
    assert "Routing pays: it is 2.08 times as fast as big (0.120 against 0.250 ms an image)" in said
    assert "0.5 points less accurate" in said and "Time the pair on your own device" not in said


@pytest.mark.parametrize(
    ("result", "part"),
    [
        (bench(routed=0.3, big=0.25, little=0.06), "Use big alone (big.onnx)"),
        (bench(routed=0.3, big=0.25, little=0.06, routing=0.2), "Routing itself (decision, branch and copies) takes"),
        (bench(routed=0.2, big=0.25, little=0.06, plain=0.1), "Use the plain network alone (single.onnx)"),
        (bench(routed=0.2, big=0.25), "routing is 1.2 times as fast as big."),
        (bench(tau=0.5, routed=0.1, big=0.25, little=0.06), "The threshold there was another one"),
        ({"bundle": {"tau": 0.4}}, "The networks were not timed one against another there"),
    ],
)
def test_what_to_use_there(result, part):
    said = verdict_on(MEASURED, result)
    assert part in said and "Routing pays" not in said


@given(st.fixed_dictionaries(dict.fromkeys(("routed", "big", "little", "plain"), st.floats(0.001, 10))))
def test_a_pair_that_the_plain_network_beats_there_is_not_recommended(ms):
    said = verdict_on(MEASURED, bench(**ms))
    assert ("Routing pays" in said) + ("Use " in said) == 1
    if ms["plain"] < 0.9 * ms["routed"]:
        assert "Routing pays" not in said
