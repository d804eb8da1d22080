"""Times and energies as people write them."""

from __future__ import annotations

import pytest

from duonas.cli.units import quantity
from duonas.core.errors import DuonasError


@pytest.mark.parametrize(
    ("text", "value"),
    [("2ms", 2), ("0.5 ms", 0.5), ("2", 2), (".5", 0.5), ("2s", 2000), ("1500us", 1.5), ("1e-1ms", 0.1)],
)
def test_a_time_is_in_ms(text, value):
    assert quantity("--latency", text, "ms") == pytest.approx(value)


@pytest.mark.parametrize("text", ["0", "-1ms", "2m", "2mJ", "fast", "", "ms", "nan", "1e999"])
def test_what_is_no_time_is_told_what_is(text):
    with pytest.raises(DuonasError, match="--latency must be a number above 0 in one of s, ms, us, such as 2ms"):
        quantity("--latency", text, "ms")


def test_an_energy_is_in_mj():
    assert quantity("--energy", "0.003J", "mJ") == pytest.approx(3)
    with pytest.raises(DuonasError, match="such as 2mJ, got '3MJ'"):
        quantity("--energy", "3MJ", "mJ")
