"""The verdict on a routed pair on another device: that device's times with the accuracies of the test images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from duonas.measure.judge import judge
from duonas.runtime.comparison import sentence, times_of

ROLES = ("routed", "big", "little", "plain")


def verdict_on(measured: Mapping[str, Any], bench: Mapping[str, Any]) -> str:
    """Say what the networks take on a device, and whether routing pays there.

    Args:
        measured: the content of ``measure.json``, whose accuracies are used.
        bench: what ``python -m duonas.runtime bench`` wrote on the device.

    Returns:
        Some sentences; that there are no times, where the file is of a version that did not compare the networks.
    """
    found = bench.get("times")
    if not found:
        return "The networks were not timed one against another there: measure with this version of duonas."
    times = times_of(found)
    if not {"big", "little"} <= times.keys():
        return sentence(found)
    if np.float32(float(bench["bundle"]["tau"])) != np.float32(float(measured["tau"])):
        return (
            f"{sentence(found)} The threshold there was another one than that of the test images, whose accuracies say "
            "nothing of it, so there is no verdict."
        )
    judged = judge(_figures(measured, found))
    return f"{sentence(found)} {judged.sentence} {judged.reason}".strip()


def _figures(measured: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """``measure.json`` with the times of a device in the place of its own."""
    times = times_of(found)
    known = [role for role in ROLES if role in times and role in measured]
    here = (*ROLES, "verdict", "environment", "precision")  # of this machine
    rest = {name: value for name, value in measured.items() if name not in here}
    roles = {
        role: {**measured[role], "latency_ms": {"mean": times[role].mean}, "times_ms": {"1": times[role].to_json()}}
        for role in known
    }
    routed = times["routed"].mean
    ideal = max(routed - found["routing_ms"], 1e-3 * routed)
    return rest | roles | {"ratio_to_ideal": {"batch_1": routed / ideal}}
