"""The limits of a pair, compared with what was measured."""

from __future__ import annotations

import pytest

from duonas.measure.constraints import compared, comparisons, measured, unkept
from duonas.routing.constraints import ConstraintCheck, Prediction
from duonas.runtime import machine

FIGURES = {
    "little": {"latency_ms": {"mean": 0.01}, "weight_bytes": 900, "macs": 100},
    "big": {"latency_ms": {"mean": 0.04}, "weight_bytes": 9000, "energy_mj": 3.0},
    "routed": {
        "latency_ms": {"p50": 0.02, "p90": 0.05, "p95": 0.0548, "p99": 0.06, "mean": 0.03, "peak": 0.053},
        "weight_bytes": 10_000, "expected_macs": 700, "energy_mj": 2.0, "peak_memory_bytes": 5000,
    },
    "environment": {"busy": 0.4},
}  # fmt: skip
HERE = Prediction("here", "this board")


@pytest.fixture(autouse=True)
def board(monkeypatch):
    monkeypatch.setattr(machine, "device_name", lambda: "this board")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p95_latency_ms", 0.0548), ("p90_latency_ms", 0.05), ("expected_latency_ms", 0.03), ("peak_latency_ms", 0.053),
        ("little_latency_ms", 0.01), ("big_latency_ms", 0.04), ("expected_energy_mj", 2.0), ("big_energy_mj", 3.0),
        ("peak_energy_mj", None), ("weight_bytes", 10_000), ("big_weight_bytes", 9000), ("expected_macs", 700),
        ("peak_macs", None), ("little_macs", None), ("peak_memory_bytes", None), ("mine.py:Up_latency_ms", None),
    ],
)  # fmt: skip
def test_a_metric_is_measured_where_there_is_a_measurement_of_it(name, value):
    assert measured(name, FIGURES) == value
    assert measured(name, {}) is None


def said(check):
    figures = FIGURES | {"constraints": compared([check], FIGURES)}
    return figures["constraints"][0], comparisons(figures), unkept(figures)


def test_a_prediction_that_the_measurement_breaks_is_not_kept():
    check = ConstraintCheck("p95_latency_ms", 0.05, "min", 0.0348, True, HERE)
    entry, sentences, broken = said(check)
    assert check.kept and entry == {
        "name": "p95_latency_ms", "limit": 0.05, "direction": "min", "predicted": 0.0348, "measured": 0.0548,
        "device": None, "kept": False,
    }  # fmt: skip
    assert sentences == broken == [
        "p95_latency_ms at most 0.05 ms: predicted 0.0348 ms, measured 0.0548 ms: not kept on this machine "
        "(other programs had the core for 40% of the time)."
    ]  # fmt: skip


def test_a_limit_for_another_device_is_not_judged_by_the_times_of_this_one():
    entry, (sentence,), broken = said(
        ConstraintCheck("p95_latency_ms", 0.05, "min", 0.03, True, Prediction("t.csv", "Pi 5"))
    )
    assert entry["kept"] is None and entry["device"] == "Pi 5" and not broken
    assert sentence.endswith("predicted 0.03 ms, measured here 0.0548 ms; the limit is for Pi 5.")
    entry, (sentence,), _ = said(ConstraintCheck("p95_latency_ms", 0.05, "min", 0.03, True, Prediction("t.csv")))
    assert sentence.endswith("the limit is for the device of t.csv.")


@pytest.mark.parametrize(
    ("check", "kept", "sentence"),
    [
        (ConstraintCheck("weight_bytes", 9500, "min", 9400), False,
         "weight_bytes at most 9,500 bytes: 9,400 bytes as counted by the search, 10,000 bytes in the ONNX file: not "
         "kept."),
        (ConstraintCheck("expected_macs", 800, "min", 750, True), True,
         "expected_macs at most 800: 750 on calib, 700 on the test split: kept."),
        (ConstraintCheck("expected_latency_ms", 0.04, "min", None, True, HERE), True,
         "expected_latency_ms at most 0.04 ms: measured 0.03 ms: kept on this machine (other"),
        (ConstraintCheck("peak_memory_bytes", 4000, "min", 5000), False, None),  # which is counted
    ],
)  # fmt: skip
def test_what_is_counted_is_compared_with_the_file_or_the_test_split(check, kept, sentence):
    entry, sentences, broken = said(check)
    assert entry["kept"] is kept and (sentences[0].startswith(sentence) if sentence else not sentences)
    assert bool(broken) is (not kept and sentence is not None)


def test_a_measurement_of_an_earlier_version_has_none():
    assert comparisons({}) == unkept({}) == []
