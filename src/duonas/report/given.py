"""The networks that a pair was chosen from, where they were given, and all pairs of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from duonas.report.files import Row
from duonas.report.formatting import NOTHING, count, milliseconds, percent, size
from duonas.report.table import Table

AXIS = "network"


def candidates(given: Mapping[str, Any], archs: Sequence[Row] | None) -> Table:
    """What each network is, costs, and is right about on the val split."""
    right = {json.loads(row["values"])[AXIS]: row["accuracy"] for row in archs or ()}
    rows = []
    for name, each in given["networks"].items():
        roles = " and ".join(role for role in ("little", "big") if name in given[role])
        time = milliseconds(each["latency_ms"]) if "latency_ms" in each else NOTHING
        seen = percent(right[name]) if name in right else NOTHING
        rows.append((name, roles, seen, count(each["macs"]), time, size(each["weight_bytes"]), each["about"]))
    heads = ("Candidate", "For", "Right on val", "MACs", "Time", "Weights", "What is known of it")
    return Table(heads, rows, {6: "words"})


def pairs(trials: Sequence[Row] | None) -> Table:
    """Every pair at its best threshold within the constraints, the most accurate first."""
    rows = []
    for row in sorted(trials or (), key=lambda row: -_accuracy(row)):
        little, big = (json.loads(row[f"{role}_values"])[AXIS] for role in ("little", "big"))
        if _accuracy(row) < 0:
            rows.append((little, big, NOTHING, NOTHING, NOTHING, NOTHING))
            continue
        time = milliseconds(row["expected_latency_ms"]) if row.get("expected_latency_ms") is not None else NOTHING
        share = percent(row["little_share"])
        rows.append((little, big, share, percent(row["accuracy"]), count(row["expected_macs"]), time))
    return Table(("Little", "Big", "Stay little", "Right on val", "Expected MACs", "Expected time"), rows)


def origin(pair: Mapping[str, Any]) -> str:
    """Which networks the pair is made of."""
    names = [pair["pair"][role]["values"][AXIS] for role in ("little", "big")]
    stored = sum(int(pair["networks"][role]["params"]) for role in ("little", "big"))
    return f"Both were given, and share nothing: little is {names[0]}, big {names[1]}. Together they have " + (
        f"{count(stored, 'params')}."
    )


def _accuracy(row: Row) -> float:
    known = row["accuracy"]
    return float(known) if known is not None and known == known else -1.0
