"""The verdict on a routed pair as ``measure.json`` has it, which ``judge`` finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verdict_of(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict in ``measure.json``; for a file of an earlier version, that of its figures."""
    found: dict[str, Any] | None = measured.get("verdict")
    if found:
        return found
    from duonas.measure.judge import judge  # loads SciPy, which the command line does without

    return judge(measured).to_json()


def told(verdict: Mapping[str, Any]) -> str:
    """The verdict, its reason and the next step as one paragraph."""
    return " ".join(filter(None, (verdict["sentence"], verdict["reason"], verdict["next"])))
