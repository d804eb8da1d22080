from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.files import write_json
from duonas.report.bench import read_bench
from support.report_benches import bench, write_bench


@pytest.mark.parametrize("told", [True, False])
def test_what_a_device_wrote_is_read_as_it_is(tmp_path, told):
    assert read_bench(write_bench(tmp_path, told=told)) == bench(told=told)


def without(name):
    value = bench(3)
    del value["windows"][1][name]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"version": 1}, r"is not a result of `python -m duonas\.runtime bench`\."),
        (bench(3, version=7), r"of another version of duonas \(7, expected 1\)"),
        (bench(3, windows=[], summary={}), "has no figures: it was stopped before its first window ended"),
        (bench(3, windows=None), "must have machine, load, bundle, summary and windows"),
        (bench(3, machine="a"), "must have machine, load, bundle, summary and windows"),
        (bench(3, times={"networks": {}}), "its times must have routing_ms and the networks' times"),
        (bench(3, times=bench(3)["times"] | {"networks": {"routed": {"mean": 0.1}}}), "its times must have routing_ms"),
        (bench(3, bundle={}), "does not say which bundle was measured"),
        (without("p95_ms"), "p95_ms must be a number in every window, got None"),
        (
            bench(3, windows=[bench(3)["windows"][0] | {"watts": "3"}]),
            "watts must be a number in every window, got '3'",
        ),
        (bench(3, windows=[bench(3)["windows"][0] | {"p50_ms": float("inf")}]), "p50_ms must be a number"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(tmp_path, value, message):
    path = write_json(tmp_path / "bench.json", value)
    with pytest.raises(DuonasError, match=message) as refused:
        read_bench(path)
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(DuonasError, match=r"none\.json does not exist"):
        read_bench(tmp_path / "none.json")
