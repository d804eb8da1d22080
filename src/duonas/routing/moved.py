"""How far the target of ``[route]`` moves a threshold away from the point that the search chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duonas.routing.bounds import paired_difference
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet

ASKED = ("share", "budget", "budget_ms", "budget_mj", "latency", "energy")  # targets that give up accuracy unseen


def moved(policy: Policy, calibration: CalibrationSet, searched: float, reached: float, folder: Path | str) -> str:
    """Say that the deployed threshold is less accurate than that of the search by more than chance; empty if it is not.

    Both are judged on the images that tau was chosen on, that of the search at its little share, by the exact interval
    of paired answers. A floor is a choice of accuracy itself, so nothing is said of it.

    Args:
        policy: the deployed threshold.
        calibration: the images that it was chosen on.
        searched: the little share of the point that the search chose, in [0, 1].
        reached: its accuracy on the val split.
        folder: of the run, for the command that goes back.
    """
    target = next((name for name in ASKED if name in policy.choice), None)
    if target is None:
        return ""
    curve = calibration.curve
    tau = curve.tau[curve.at_share(searched)]
    ours, theirs = _right(calibration, policy.tau), _right(calibration, float(tau))
    lost, gained = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
    if paired_difference(gained, lost, len(ours)).upper >= 0:
        return ""
    deployed, key = float(_stays(calibration, policy.tau).mean()), target.partition("_")[0]
    return (
        f"the search chose this pair at a little share of {searched:.1%}, with an accuracy of {reached:.1%} on val, "
        f"but [route] {key} deploys it at {deployed:.1%}, where {ours.mean():.1%} of the answers on calib are right "
        f"instead of {theirs.mean():.1%}: choose that point by `duonas route {folder} --share {searched:.1%}`, or in "
        f"the recipe by `--set route.share={searched:.3g}`."
    )


def _right(calibration: CalibrationSet, tau: float) -> np.ndarray:
    """Return which answers (M,) are right at a threshold."""
    return np.where(_stays(calibration, tau), calibration.little_right, calibration.big_right).astype(bool)


def _stays(calibration: CalibrationSet, tau: float) -> np.ndarray:
    """Return which images (M,) stay little at a threshold."""
    return np.asarray((calibration.score >= tau) & (tau < np.inf))
