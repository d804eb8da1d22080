"""Numbers as readers see them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.report.formatting import NOTHING, THIN, count, duration, number, percent, points, shorten, size, tick_count


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, f"1{THIN}234"), (0.99999, "1.00"), (-0.0512, "\u22120.0512"),
     (math.inf, "∞"), (-math.inf, "\u2212∞"), (math.nan, NOTHING)],
)  # fmt: skip
def test_a_number_has_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (812, "812"), (2_440_000, "2.44M"), (999_600, "1.00M"), (3.2e9, "3.20G")]
)
def test_counts_carry_a_prefix(value: float, text: str) -> None:
    assert count(value) == text


def test_bytes_shares_differences_and_times() -> None:
    assert size(131072) == f"131{THIN}KB"
    assert percent(0.7149, 0) == f"71{THIN}%"
    assert [points(0.0031), points(-0.0149), points(0.0002)] == ["+0.3 points", "\u22121.5 points", "±0.0 points"]
    assert [duration(4.2), duration(200), duration(3900)] == [
        f"4.2{THIN}s",
        f"3{THIN}min 20{THIN}s",
        f"1{THIN}h 05{THIN}min",
    ]
    assert [tick_count(value) for value in (0, 500_000, 2_500_000)] == ["0", "500k", "2.5M"]


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_number_reads_back_within_its_digits(value: float) -> None:
    assert float(number(value).replace(THIN, "")) == pytest.approx(value, rel=6e-3)


@given(st.text(min_size=1), st.integers(min_value=6, max_value=30))
def test_shortened_text_fits_and_keeps_both_ends(text: str, length: int) -> None:
    short = shorten(text, length)
    assert len(short) <= length
    assert short[0] == text[0] and short[-1] == text[-1]
