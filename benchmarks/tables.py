"""Markdown tables of studies that `duonas compare` ran.

python benchmarks/tables.py runs/STUDY/STUDY.json [...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROLES = ("little", "routed", "big")


def spread(figure: dict[str, float | None], signed: bool = False) -> str:
    """Mean and standard deviation in per cent."""
    mean = f"{100 * figure['mean']:+.2f}" if signed else f"{100 * figure['mean']:.2f}"
    return mean if figure["std"] is None else f"{mean} ± {100 * figure['std']:.2f}"


def table(found: dict) -> str:
    """One study."""
    lines = [
        f"{found['title']} (seeds {', '.join(map(str, found['seeds']))})\n",
        "| variant | little | routed | big | routed over the first | oracle router | expected MACs | AUROC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, variant in enumerate(found["variants"]):
        figures = variant["figures"]
        over = spread(variant["over_first"]["routed"], signed=True) if number else "–"
        lines.append(
            f"| {variant['name']} | {' | '.join(spread(figures[role]) for role in ROLES)} | {over} | "
            f"{spread(figures['oracle'])} | {figures['expected_macs']['mean'] / 1e6:.3f}M | "
            f"{figures['auroc']['mean']:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(table(json.loads(Path(path).read_text())) for path in sys.argv[1:]))
