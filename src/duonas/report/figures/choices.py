"""How sure a differentiable search became of its choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.files import Row
from duonas.report.formatting import count, percent, tick, tick_percent
from duonas.report.scale import span
from duonas.report.svg import canvas, frame

NETWORKS = ("big", "little")


def choices(found: dict[str, Any]) -> Figure | None:
    """The entropies of both networks' choices over the steps; ``None`` where the strategy noted none.

    Args:
        found: the content of ``front.json``.
    """
    learned = found.get("strategy") or {}
    rows: list[Row] = learned.get("history") or []
    if len(rows) < 2 or not all(f"{role}_entropy" in rows[0] for role in NETWORKS):
        return None
    cost = f"expected_{learned['quantity']}"
    steps = np.array([row["step"] for row in rows], dtype=float)
    entropies = {role: np.array([row[f"{role}_entropy"] for row in rows]) for role in NETWORKS}
    x, y = span(steps, pad=0), span(np.concatenate(list(entropies.values())), floor=0, ceiling=1)

    def draw(width: int) -> Markup:
        plot = frame(width, 300, x, y)
        marks = [[(entropies[role][i], role) for role in NETWORKS] for i in range(len(rows))]
        return canvas(
            width, 300, "Entropy of the choices over the steps",
            plot.axes("Step", "Entropy (% of the largest)", tick, tick_percent),
            (plot.line(steps, entropies[role], role) for role in NETWORKS),
            plot.strips(steps.tolist(), marks, [_tip(row, cost) for row in rows]),
        )  # fmt: skip

    return figure("The choices", draw, str(learned.get("said", "")), [Key("line", role, role) for role in NETWORKS])


def _tip(row: Row, cost: str) -> str:
    lines = [f"step {row['step']}, aim {row['aim'] + 1}"]
    for role in NETWORKS:
        skip = f", skip connections {percent(row[f'{role}_skip'])}" if f"{role}_skip" in row else ""
        lines.append(f"{role}: entropy {percent(row[f'{role}_entropy'])}, {row[f'{role}_depth']:g} layers{skip}")
    known = count(row[cost], "MACs") if cost.endswith("macs") else f"{row[cost]:.3g} {cost.rpartition('_')[2]}"
    return "\n".join([*lines, f"expected cost {known}"])
