"""Markdown tables of what routers.py printed.

python benchmarks/router_tables.py routers.jsonl [...]
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev


def spread(values: list[float]) -> str:
    """Mean and standard deviation in per cent."""
    deviation = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.2f}{deviation}"


def signals(title: str, rows: list[dict]) -> str:
    """What learned routers were taught and what became of it, one data set."""
    routers: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        routers[row["router_name"]].append(row)
    lines = [
        f"{title}: {len(next(iter(routers.values())))} pairs\n",
        "| taught by | gain over chance, held out (points of area) | stay little at score 0 | believed |",
        "|---|---|---|---|",
    ]
    for name, mine in routers.items():
        reports = [row["report"] for row in mine]
        believed = sum(not row["fell_back"] for row in mine)
        lines.append(
            f"| {name} | {spread([report['held_out_gain'] for report in reports])} | "
            f"{100 * mean(report['gate_share'] for report in reports):.0f} % | {believed} of {len(mine)} |"
        )
    return "\n".join(lines)


def table(title: str, rows: list[dict]) -> str:
    """One data set."""
    routers: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        routers[row["router_name"]].append(row)
    first = next(iter(routers.values()))
    ends = ", ".join(f"{name} {spread([row[name] for row in first])}" for name in ("little", "big", "oracle"))
    lines = [
        f"{title}: {len(first)} pairs; {ends}\n",
        "| router | at 25 % | at 50 % | at 75 % | area | AUROC | ECE | oracle gap | overhead | learned nothing |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, mine in routers.items():
        budgets = [spread([row["at"][at]["accuracy"] for row in mine]) for at in range(3)]
        fell = sum(name.startswith("learned") and row["macs"] == 0 for row in mine)  # it draws lots
        lines.append(
            f"| {name} | {' | '.join(budgets)} | {spread([row['area'] for row in mine])} | "
            f"{mean(row['auroc'] for row in mine):.3f} | {mean(row['ece'] for row in mine):.3f} | "
            f"{100 * mean(row['oracle_gap'] for row in mine):.1f} | "
            f"{100 * mean(row['overhead'] for row in mine):.2f} % | {f'{fell} of {len(mine)}' if fell else ''} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    found: dict[str, list[dict]] = defaultdict(list)
    for path in sys.argv[1:]:
        for line in Path(path).read_text().splitlines():
            row = json.loads(line)
            found[row["data"]].append(row)
    learned = all(row.get("report") for rows in found.values() for row in rows)
    print("\n\n".join((signals if learned else table)(name, rows) for name, rows in found.items()))
