"""Factor and constant that make sums of blocks the time of the network, and the error that is left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from duonas.core.rng import stream
from duonas.costs.calibration import Calibration, NetworkSum, calibrate, error_in_words, kendall, prices_in_words


def networks(factor, constant, number, noise=0.0, seed=0):
    """Networks of 5 to 20 blocks, the sum of whose figures is 0.1 to 5."""
    rng = stream(seed, "networks")
    sums, blocks = rng.uniform(0.1, 5, number), rng.integers(5, 21, number)
    times = (factor * sums + constant * blocks) * np.exp(noise * rng.normal(size=number))
    return [NetworkSum(*row) for row in zip(sums.tolist(), blocks.tolist(), times.tolist(), strict=True)]


@given(st.floats(0.5, 2), st.floats(-0.002, 0.03))
def test_what_made_the_times_is_found(factor, constant):
    found = calibrate(networks(factor, constant, 20), networks(factor, constant, 20, seed=1), least=0.05)
    assert found.factor == pytest.approx(factor, rel=1e-6) and found.constant == pytest.approx(constant, abs=1e-6)
    assert found.median < 1e-6 and found.worst < 1e-6 and found.tau == pytest.approx(1)
    assert (found.networks, found.checked) == (20, 20)
    assert Calibration.from_json(found.to_json()) == found


def test_networks_that_were_disturbed_count_little():
    times = networks(0.9, 0.02, 20, 0.01)
    times[3] = times[3]._replace(measured=3 * times[3].measured)
    assert calibrate(times, (), 0.05).factor == pytest.approx(0.9, rel=0.03)


def test_no_block_costs_less_than_nothing():
    """A constant that would make one do so is cut off, and the factor fitted to that."""
    found = calibrate(networks(1.0, -0.004, 20), networks(1.0, -0.004, 20, seed=1), least=0.001)
    assert found.constant == pytest.approx(-0.001 * found.factor) and 0.8 < found.factor < 1
    assert found.price(0.0005, convolves=True) == 0
    assert found.price(0.0005, convolves=False) == pytest.approx(0.0005 * found.factor)


def test_networks_without_convolutions_give_a_factor_alone():
    found = calibrate([each._replace(convolving=0) for each in networks(1.2, 0.0, 20)], (), least=0.0)
    assert (found.factor, found.constant) == (pytest.approx(1.2), 0)


def test_few_networks_give_a_factor_and_none_gives_neither():
    assert calibrate(networks(0.8, 0.1, 2), (), 0.05).constant == 0
    nothing = calibrate((), (), 0.05)
    assert (nothing.factor, nothing.constant, nothing.median) == (1, 0, None)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_tau_is_kendalls(points):
    ours, theirs = np.array(points, dtype=float).T
    found = kendall(ours, theirs)
    if np.ptp(ours) and np.ptp(theirs):
        assert found == pytest.approx(kendalltau(ours, theirs).statistic)
    else:
        assert found is None


def test_the_error_is_put_into_words():
    known = {"networks": 20, "checked": 20, "median": 0.031, "worst": 0.12, "tau": 0.97}
    said = error_in_words({"blocks": 300, "calibration": known})
    assert "20 other whole networks err by 3.1% (median; worst 12.0%, Kendall's tau 0.97)" in said
    assert "too few" not in said
    two = error_in_words({"blocks": 300, "calibration": known | {"checked": 2}})
    assert "2 other whole networks err by 3.1%" in two and two.endswith("These are too few to tell.")
    assert "the error of predicted figures is not known" in error_in_words({"blocks": 300})
    fitting = {"model": "linear", "rows": 200, "fitted": 100, "median": 0.05, "worst": 0.5}
    assert "100 of 300 blocks were not measured but fitted" in error_in_words({"blocks": 300, "fitting": fitting})
    about = {"blocks": 300, "path": "pi.csv", "device": "Pi 5", "runtime": "onnxruntime 1.24", "threads": "2"}
    whole = prices_in_words({**about, "calibration": known})
    assert whole.startswith(
        "Times and energies come from the device table pi.csv (Pi 5, onnxruntime 1.24, 2 threads). Pred"
    )
    assert prices_in_words({"path": "here", "blocks": 3}).startswith(
        "Times and energies come from a table of this machine."
    )
    assert prices_in_words({"path": "t.parquet", "known_archs": 3}).endswith("from the device table t.parquet.")
    assert error_in_words(None) == prices_in_words(None) == error_in_words({"known_archs": 3}) == ""
