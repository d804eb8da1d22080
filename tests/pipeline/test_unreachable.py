"""What is advised where a threshold cannot be chosen as it was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duonas.pipeline.unreachable import another, constant_answer
from duonas.recipe.schema import options_for
from duonas.routing.route import CalibrationSet
from duonas.routing.threshold import Unreachable

LABELS = np.array([0] * 30 + [1] * 10)
CALIBRATION = CalibrationSet(
    np.array([np.inf], np.float32), np.zeros(40, np.float32), np.ones(40, bool), np.ones(40, bool), LABELS, 3
)


@pytest.mark.parametrize(
    ("target", "possible", "command"),
    [
        ({"floor": 0.9}, "0.8123", "--floor 81.23%"),
        ({"floor": 0.9, "floor_on": "worst_class"}, "0.1234", "--floor 12.34%"),
        ({"budget": 10}, "546144", "--budget 546144"),
        ({"budget": "0.1ms"}, "0.5", "--budget 0.5ms"),
        ({"budget": "1mJ"}, "2.5", "--budget 2.5mJ"),
        ({"energy": 0.1, "watts": 5}, "0.5", "--energy 0.5 --watts 5"),
    ],
)
def test_the_nearest_possible_threshold_is_named_as_a_command(target, possible, command):
    said = another(Unreachable("no.", possible), options_for("route", **target), Path("runs/a"), CALIBRATION)
    assert said == f"choose another threshold, such as `duonas route runs/a {command}`"


@pytest.mark.parametrize(
    ("floor_on", "possible", "constant"),
    [("accuracy", "0.7", 0.75), ("balanced", "0.45", 0.5), ("worst_class", "0.0000", 0.0)],
)
def test_a_floor_that_a_constant_answer_keeps_too_is_not_advised(floor_on, possible, constant):
    assert constant_answer(CALIBRATION, floor_on) == constant
    options = options_for("route", floor=0.9, floor_on=floor_on)
    said = another(Unreachable("no.", possible), options, Path("runs/a"), CALIBRATION)
    assert f"reaches {constant:.1%}, so the 40 images" in said and "--share 50%`" in said and "--floor" not in said
