"""What a run's pair reaches at other budgets than its own, at thresholds that are chosen as its own was."""

from __future__ import annotations

from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.tensors import load_arrays
from duonas.paper.runs import Run
from duonas.routing.threshold import sweep

OUTPUTS = "test_outputs.safetensors"
FIGURES = ("accuracy", "little_share", "macs")


def at_budget(run: Run, budget: float) -> dict[str, float] | None:
    """Return the figures of ``FIGURES`` on the test images; ``None`` where no threshold keeps to the budget.

    The threshold is the most accurate one on the images of the calib split, of those in ``policy.json``, whose expected
    MACs there are within the budget. So the test images choose nothing.

    Args:
        run: a finished run.
        budget: expected MACs of an image.
    """
    policy: dict[str, Any] | None = run.find("policy")
    if policy is None or not (run.folder / OUTPUTS).is_file():
        return None
    within = [row for row in policy["table"] if row["expected_macs"] <= budget]
    if not within:
        return None
    tau = float(max(within, key=lambda row: row["accuracy"])["tau"])
    arrays = load_arrays(run.folder / OUTPUTS)[0]
    little, big = (arrays[f"{role}_logits"].argmax(1) == arrays["labels"] for role in ("little", "big"))
    point = sweep(arrays["score"].reshape(-1), little, big).at(np.array([tau]))
    share = float(point.little_share[0])
    cost = PairCost(**policy["costs"])
    return {"accuracy": float(point.accuracy[0]), "little_share": share, "macs": float(cost.expected(share))}
