"""How fast work goes, and how figures and times are written."""

from __future__ import annotations

import pytest

from duonas.cli.pace import Pace, format_figures
from duonas.core.text import format_seconds


def test_what_was_done_before_does_not_count_as_speed():
    pace = Pace(now=0.0)
    pace.update(1.0, 5000, 10000)  # resumed here
    pace.update(11.0, 5100, 10000)
    assert pace.left == pytest.approx(490)


def test_a_second_piece_of_work_is_paced_by_itself():
    pace = Pace(now=0.0)
    pace.update(100.0, 10, 10)
    assert pace.update(101.0, 1, 50)
    pace.update(102.0, 2, 50)
    assert pace.left == pytest.approx(48)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (125, "2:05"), (3599.7, "1:00:00"), (3725, "1:02:05")],
)
def test_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_figures():
    assert format_figures({"loss": 0.43214, "little_share": 0.7}) == "loss 0.4321, little share 70.0 %"
