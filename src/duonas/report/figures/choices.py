"""How sure a differentiable search became of its choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duonas.report.charts import FILTERED, SHARE, chart, colours, crosshair, of, x, y
from duonas.report.fields import Field, Row, table
from duonas.report.figure import Figure

NETWORKS = ("big", "little")


def choices(found: dict[str, Any]) -> Figure | None:
    """The entropies of both networks' choices over the steps; ``None`` where the strategy noted none.

    Args:
        found: the content of ``front.json``.
    """
    learned = found.get("strategy") or {}
    rows: list[dict[str, Any]] = learned.get("history") or []
    if len(rows) < 2 or not all(f"{role}_entropy" in rows[0] for role in NETWORKS):
        return None
    about = {"entropy": ("entropy", "share"), "depth": ("layers", "number"), "skip": ("skip connections", "share")}
    fields = [Field("step", "Step", "whole"), Field("aim", "Aim", "whole")]
    fields += [
        Field(f"{role}_{key}", f"{role}: {text}", kind)
        for role in NETWORKS
        for key, (text, kind) in about.items()
        if f"{role}_{key}" in rows[0]
    ]
    macs = learned["quantity"] == "macs"
    fields.append(Field(f"expected_{learned['quantity']}", "Expected cost", "count" if macs else "number"))
    shown = [{field.name: row[field.name] for field in fields} | {"aim": row["aim"] + 1} for row in rows]
    return Figure("The choices", [plot(shown, fields)], str(learned.get("said", "")), table(shown, fields))


def plot(rows: Sequence[Row], fields: Sequence[Field]) -> dict[str, Any]:
    """A line for the entropy of each network.

    Args:
        rows: ``step``, ``big_entropy`` and ``little_entropy``.
        fields: what hovering shows.
    """
    lines = [
        {"series": role, "step": row["step"], "entropy": row[f"{role}_entropy"]} for role in NETWORKS for row in rows
    ]
    along = x("step", "Step", nice=False)
    return chart(
        "Entropy of the choices over the steps",
        {"lines": lines, "rows": rows},
        [
            of("lines").mark_line().encode(
                x=along, y=y("entropy", "Entropy, of the largest", SHARE), opacity=FILTERED,
                color=colours({role: role for role in NETWORKS}),
            ),
            crosshair(of("rows"), along, fields),
        ],
        260, filtered=True,
    )  # fmt: skip
