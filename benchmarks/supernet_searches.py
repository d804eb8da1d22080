"""What strategies find with the supernet of a finished run, at equal evaluations.

    python benchmarks/supernet_searches.py runs/cells --evaluations 40 --seeds 3

The hypervolume is that of the front of all pairs of the evaluated archs (``front.json``), the accuracy that of the best
pair tried, both on val. Evaluations are cached in the run, so the seconds of processor time are those of what is new.
The table has means over the seeds, and in brackets the standard deviation.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from duonas.pipeline.context import Context
from duonas.recipe.schema import options_for
from duonas.rundir.folder import RunFolder
from duonas.search.search import search

SEARCHES: dict[str, dict[str, Any]] = {
    "random": {},
    "nsga2": {"population": 10},
    "drnas": {"drnas": {"steps": 120, "aims": 2}},
    "drnas frozen": {"drnas": {"steps": 120, "aims": 2, "weights": "frozen"}},
}


def main() -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), choices=list(SEARCHES))
    arguments = parser.parse_args()
    folder = RunFolder(arguments.run)
    context = Context(folder.recipe, folder)
    print(f"{context.space.name}, {arguments.evaluations} evaluations, {arguments.seeds} seeds")
    for name in arguments.searches:
        options = options_for("search", strategy=name.split()[0], evaluations=arguments.evaluations, **SEARCHES[name])
        rows = []
        for seed in range(arguments.seeds):
            begun = time.process_time()
            found = search(context.problem, context.evaluator, options, seed, fitting=context.fitting)
            best = max(row["accuracy"] for row in found.trials)
            rows.append((found.front.hypervolume, best, time.process_time() - begun))
        (volume, accuracy, seconds), (apart, _, _) = np.mean(rows, 0), np.std(rows, 0)
        print(f"{name:<14} {volume:.4f} ({apart:.4f})  best {accuracy:.4f}  {seconds:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
