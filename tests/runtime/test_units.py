"""Figures with units, as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime.units import (
    BYTES,
    COUNT,
    FIGURE,
    MACS,
    MILLIJOULES,
    MILLISECONDS,
    SECONDS,
    SHARE,
    WATTS,
    parse,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("2ms", MILLISECONDS, 2), ("0.2 ms", MILLISECONDS, 0.2), ("2", MILLISECONDS, 2), (".5", MILLISECONDS, 0.5),
        ("2s", MILLISECONDS, 2000), ("1500us", MILLISECONDS, 1.5), ("1500 µs", MILLISECONDS, 1.5),
        ("1500μs", MILLISECONDS, 1.5), ("900ns", MILLISECONDS, 0.0009), ("1e-1ms", MILLISECONDS, 0.1),
        (" 2 ms ", MILLISECONDS, 2), ("10min", SECONDS, 600), ("1h", SECONDS, 3600), ("250ms", SECONDS, 0.25),
        ("0.003J", MILLIJOULES, 3), ("3mJ", MILLIJOULES, 3), ("3mj", MILLIJOULES, 3), ("5uJ", MILLIJOULES, 0.005),
        ("5W", WATTS, 5), ("750 mW", WATTS, 0.75), ("750mw", WATTS, 0.75),
        ("5e6", MACS, 5_000_000), ("5M", MACS, 5_000_000), ("2.4 M", MACS, 2_400_000), ("5_000_000", MACS, 5_000_000),
        ("1.2G", MACS, 1.2e9), ("56.7k", COUNT, 56_700), ("56.7K", COUNT, 56_700), ("5 MMACs", MACS, 5_000_000),
        ("5M MACs", MACS, 5_000_000), ("800 MACs", MACS, 800),
        ("300KB", BYTES, 300_000), ("300 kb", BYTES, 300_000), ("300KiB", BYTES, 307_200), ("1.5MB", BYTES, 1_500_000),
        ("1mb", BYTES, 1_000_000), ("5m", MACS, 5_000_000),
        ("2S", MILLISECONDS, 2000), ("1MiB", BYTES, 1_048_576), ("512", BYTES, 512), ("512B", BYTES, 512),
        ("90%", SHARE, 0.9), ("90 %", SHARE, 0.9), ("0.9", SHARE, 0.9), ("57%", SHARE, 0.57), ("99.5%", SHARE, 0.995),
        ("-3", FIGURE, -3), ("+3k", FIGURE, 3000), ("12.5%", FIGURE, 0.125),
    ],
)  # fmt: skip
def test_a_figure_is_a_number_of_its_base_unit(text, quantity, value):
    assert parse(text, quantity, "it") == value


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("fast", MILLISECONDS), ("", MILLISECONDS), ("ms", MILLISECONDS), ("2m", MILLISECONDS), ("2mJ", MILLISECONDS),
        ("2MS", MILLISECONDS), ("5M", MILLISECONDS), ("90%", MILLISECONDS), ("2ms 3", MILLISECONDS),
        ("1h30min", MILLISECONDS), ("nan", MILLISECONDS), ("inf", MILLISECONDS), ("0x10", MILLISECONDS),
        ("3MJ", MILLIJOULES), ("5MW", WATTS), ("2,5M", MACS), ("1__0", MACS), ("5 ms", MACS),
        ("300 KBit", BYTES), ("0.9x", SHARE), ("½", SHARE), ("٣", SHARE), ("--5", COUNT), ("1e9999", COUNT),
        ("2ms\n3", MILLISECONDS), ("9" * 5000, COUNT),
    ],
)  # fmt: skip
def test_what_is_no_such_figure_is_told_the_units(text, quantity):
    with pytest.raises(ValueError) as caught:
        parse(text, quantity, "--name")
    assert str(caught.value).startswith(f"--name must be {quantity.noun} such as {quantity.example} (units: ")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("text", "quantity"), [("2m s", MILLISECONDS), ("5 M A C s", MACS), ("9 0%", SHARE)])
def test_a_space_stands_between_number_and_unit_only(text, quantity):
    with pytest.raises(ValueError, match="must be"):
        parse(text, quantity, "it")


def test_a_number_without_end_is_refused():
    with pytest.raises(ValueError, match="--budget must be a finite number, got '1e999'"):
        parse("1e999", MACS, "--budget")


@given(number=st.floats(1e-6, 1e9), quantity=st.sampled_from([MILLISECONDS, MACS, BYTES, SHARE]))
def test_a_text_without_a_unit_is_the_number_to_the_last_bit(number, quantity):
    assert parse(repr(number), quantity, "it") == number


@given(percent=st.integers(0, 100))
def test_percent_are_rounded_once(percent):
    assert parse(f"{percent}%", SHARE, "it") == float(f"{percent / 100:.2f}")


@given(text=st.text(max_size=60))
def test_any_text_is_a_finite_number_or_one_sentence(text):
    try:
        assert math.isfinite(parse(text, FIGURE, "it"))
    except ValueError as error:
        assert str(error).startswith("it must be ")
