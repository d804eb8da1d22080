"""The networks of a bundle in turns, on sessions that take as long as a test says."""

from __future__ import annotations

import shutil
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from duonas.runtime import comparison
from duonas.runtime.comparison import Time, compare, is_faster, middle, sentence, times_of
from duonas.runtime.files import POLICY
from duonas.runtime.policy import load_policy
from duonas.runtime.timing import Clock

IMAGES = np.zeros((3, 3, 12, 12), np.uint8)
MS = {"dynamic.onnx": (0.5, 4.0), "big.onnx": 3.0, "little.onnx": 0.4, "single.onnx": 1.0}


class Machine:
    """A clock that only the calls of the networks move, and their sessions."""

    def __init__(self, ms, noise=lambda call: 1.0):
        self.now, self.ms, self.calls, self.noise = 0.0, ms, count(), noise

    def open(self, path, threads, *, spinning):
        return SimpleNamespace(
            run=lambda outputs, given: self.run(path.name, given), get_inputs=lambda: [SimpleNamespace(name="images")]
        )

    def run(self, name, given):
        ms = self.ms[name]
        if name == "dynamic.onnx":
            ms = ms[0] if given["tau"] == -np.inf else ms[1]
        self.now += ms * self.noise(next(self.calls)) / 1e3


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported[2], tmp_path / "export")


def found(folder, monkeypatch, ms=MS, noise=lambda call: 1.0, seconds=600.0):
    device = Machine(ms, noise)
    monkeypatch.setattr(comparison, "open_session", device.open)
    monkeypatch.setattr(comparison, "check_file", lambda path, most, checksums: path)  # see test_strangers
    policy = load_policy(folder / POLICY)
    return compare(folder, policy, IMAGES, (1, False), seconds, Clock(lambda: device.now)), policy, device


def test_the_ways_of_the_pair_are_weighted_by_the_little_share_of_the_policy(folder, monkeypatch):
    result, policy, _ = found(folder, monkeypatch)
    share = policy.little_share
    assert 0 < share < 1 and share == next(row.little_share for row in policy.table if row.tau == policy.tau)
    times = times_of(result)
    assert list(times) == ["routed", "big", "little"]
    assert times["routed"].mean == pytest.approx(0.5 * share + 4.0 * (1 - share)) and result["little_share"] == share
    assert times["big"].mean == pytest.approx(3.0) and result["routing_ms"] == pytest.approx(0.1)


def test_a_plain_network_that_is_there_is_timed_and_one_that_is_left_behind_is_not(folder, monkeypatch):
    (folder / "single.onnx").touch()
    (folder / "big.onnx").unlink()
    result, _, _ = found(folder, monkeypatch)
    assert list(times_of(result)) == ["routed", "little", "plain"]
    said = sentence(result)
    assert "little 0.4 ms, the plain network 1 ms an image. big.onnx is not in the folder: bring it" in said


def test_it_takes_a_tenth_of_the_time_of_the_load_and_three_rounds_at_least(folder, monkeypatch):
    _, _, device = found(folder, monkeypatch, seconds=10.0)
    assert 0.5 < device.now < 1.2
    _, _, hurried = found(folder, monkeypatch, seconds=1e-6)
    assert hurried.now < device.now


def test_bursts_that_something_disturbs_do_not_count(folder, monkeypatch):
    result, _, _ = found(folder, monkeypatch, noise=lambda call: 10.0 if call % 200 < 20 else 1.0)
    assert times_of(result)["big"].mean == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("big", "said"),
    [
        (0.25, "On this device: routed 0.12 ms, big 0.25 ms an image: routing is 2.1 times as fast as big."),
        (0.1205, "routing takes as long as big, within the noise of timing."),
        (0.06, "routing takes 2 times as long as big."),
    ],
)
def test_it_says_how_routing_compares_with_big(big, said):
    networks = {name: {"mean": ms, "lower": 0.99 * ms, "upper": 1.01 * ms} for name, ms in
                (("routed", 0.12), ("big", big))}  # fmt: skip
    assert said in sentence({"networks": networks})


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=300))
def test_the_interval_of_a_median_is_that_of_order_statistics(values):
    found, ordered = middle(values), sorted(values)
    rank = max(int(binom.ppf(0.025, len(values), 0.5)) - 1, 0)
    assert found.mean == pytest.approx(np.median(values)) and found.lower <= found.mean <= found.upper
    assert (found.lower, found.upper) == (ordered[rank], ordered[-1 - rank])


def test_what_noise_explains_is_not_faster():
    assert is_faster(Time(1, 0.9, 1.1), Time(2, 1.9, 2.1))
    assert not is_faster(Time(1, 0.9, 1.95), Time(2, 1.9, 2.1)) and not is_faster(Time(1, 1, 1), Time(1.01, 1.01, 1.01))
