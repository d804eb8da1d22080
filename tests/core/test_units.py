"""The quantity of a figure, and the error of a text that is none."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.units import parse, quantity_of
from duonas.runtime.units import BYTES, COUNT, FIGURE, MACS, MILLIJOULES, MILLISECONDS, SHARE


@pytest.mark.parametrize(
    ("figure", "quantity"),
    [
        ("peak_latency_ms", MILLISECONDS), ("expected_energy_mj", MILLIJOULES), ("little_weight_bytes", BYTES),
        ("expected_macs", MACS), ("params", COUNT), ("accuracy", SHARE), ("own.py:Colour", FIGURE),
    ],
)  # fmt: skip
def test_the_quantity_of_a_figure_follows_from_its_name(figure, quantity):
    assert quantity_of(figure) is quantity


def test_a_text_that_is_no_figure_is_a_mistake_in_the_input():
    assert parse("2s", MILLISECONDS, "--latency") == 2000
    with pytest.raises(DuonasError, match="--latency must be a time such as 2ms"):
        parse("fast", MILLISECONDS, "--latency")
