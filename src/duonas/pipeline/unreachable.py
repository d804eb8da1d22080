"""What to do where the threshold cannot be chosen as it was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duonas.core.text import plural
from duonas.routing.options import TARGETS, FloorOn, RouteOptions
from duonas.routing.route import CalibrationSet
from duonas.routing.threshold import Unreachable
from duonas.runtime.units import percentage


def another(error: Unreachable, options: RouteOptions, folder: Path, calibration: CalibrationSet) -> str:
    """Name the command that chooses the nearest possible threshold; without a full stop.

    A floor that a constant answer keeps, too, is no use: the command then has another target.

    Args:
        error: holds the nearest possible value of the target.
        options: the ``[route]`` table with the target that cannot be met.
        folder: of the run.
        calibration: the images that tau is chosen on.
    """
    target = next(name for name in TARGETS if getattr(options, name) is not None)
    watts = f" --watts {options.watts:g}" if target == "energy" and options.watts is not None else ""
    if target != "floor":
        unit = options.priced[0].rpartition("_")[2] if options.priced else ""  # of a budget: macs, ms or mj
        possible = error.possible + {"ms": "ms", "mj": "mJ"}.get(unit, "")
        return f"choose another threshold, such as `duonas route {folder} --{target} {possible}{watts}`"
    highest, constant = float(error.possible), constant_answer(calibration, options.floor_on)
    if highest > constant:
        return f"choose another threshold, such as `duonas route {folder} --floor {percentage(highest)}`"
    images = plural(len(calibration.labels), "image")
    return (
        f"always giving the same answer reaches {constant:.1%}, so the {images} that choose tau (half of the calib "
        "split) are too few, or the pair is too weak, for a useful floor; give [data] calib more images, or choose "
        f"another target, such as `duonas route {folder} --share 50%`"
    )


def constant_answer(calibration: CalibrationSet, floor_on: FloorOn) -> float:
    """Return what the best constant answer reaches of the kind of accuracy that a floor is on, in [0, 1]."""
    count = np.bincount(calibration.labels, minlength=calibration.classes)
    if floor_on == "accuracy":
        return float(count.max() / count.sum())
    return 1 / int((count > 0).sum()) if floor_on == "balanced" else 0.0
