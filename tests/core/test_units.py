"""The quantity of a figure, and the error of a text that is none."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.units import Either, parse, quantity_of
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


PRICE = Either((MACS, MILLISECONDS, MILLIJOULES))


@pytest.mark.parametrize(
    ("given", "value", "quantity", "number"),
    [
        (5, 5.0, MACS, 5.0), ("5M", 5e6, MACS, 5e6), ("0.2 ms", "0.2ms", MILLISECONDS, 0.2),
        ("0.5 s", "500.0ms", MILLISECONDS, 500.0), ("5mJ", "5.0mJ", MILLIJOULES, 5.0),
        ("1us", "0.001ms", MILLISECONDS, 1e-3),
    ],
)  # fmt: skip
def test_a_figure_of_one_of_several_quantities_is_of_that_of_its_unit(given, value, quantity, number):
    """What is read is written so that it is read again, as in the recipe of a run."""
    assert PRICE.parse(given, "budget") == value == PRICE.parse(value, "budget")
    assert PRICE.read(value) == (quantity, number)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("5 apples", "budget must be a number of MACs such as 5e6 or 5M or a time such as 2ms or an energy such as "
                     "3mJ, got '5 apples'"),
        ("0ms", "budget must be above 0, got '0ms'"), (-1, "budget must be above 0, got -1"),
        (float("nan"), "budget must be above 0"), (True, "must be a number of MACs .* got True"),
        ([3], r"must be a number of MACs .* got \[3\]"),
    ],
)  # fmt: skip
def test_what_is_of_none_of_them_is_a_mistake_in_the_input(given, message):
    with pytest.raises(DuonasError, match=message):
        PRICE.parse(given, "budget")
