"""A Markdown table of what `duonas rank` found of several supernets.

    python benchmarks/ranking_tables.py rankings/*.json

Each file is a run's ``ranking/ranking.json``; its name is the row's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAD = """| supernet | archs | mean | deviation | best | tau with the table | tau of #params | rho |
|---|---|---|---|---|---|---|---|"""


def row(path: Path) -> str:
    """One supernet."""
    found = json.loads(path.read_text())
    accuracy, agreement = found["accuracy"], found["agreement"]
    cells = [path.stem, str(found["archs"]), *(f"{100 * accuracy[name]:.2f}" for name in ("mean", "std", "best"))]
    taus = [agreement["accuracy"]["kendall"], agreement["params"]["kendall"], agreement["accuracy"]["spearman"]]
    return f"| {' | '.join(cells + [f'{tau:.3f}' for tau in taus])} |"


if __name__ == "__main__":
    print(HEAD)
    for name in sys.argv[1:]:
        print(row(Path(name)))
