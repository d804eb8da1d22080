"""How accurate the best of 100 drawn cells by a proxy alone is.

    python benchmarks/2026-11-30-proxies/pools.py cells.csv

``cells.csv`` is what ``cell_proxies.py --figures`` wrote. A thousand times 100 of its cells are drawn, and the best of
these by each figure is taken, the first of equal ones; the regret is what it lacks of the most accurate of the 100.
"""

from __future__ import annotations

import csv
import sys

import numpy as np

POOLS, SIZE = 1000, 100


def main() -> int:
    """Print mean accuracy and regret by proxy and by target; the exit status."""
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "cell"]
    known = {name: np.array([float(row[name]) for row in rows]) for name in names}
    rng = np.random.default_rng(0)
    pools = [rng.choice(len(rows), SIZE, replace=False) for _ in range(POOLS)]
    for target in (name for name in names if name.endswith("200ep")):
        accuracy = known[target]
        print(f"{target}: mean of the {len(rows)} cells {accuracy.mean():.2f}, best {accuracy.max():.2f}")
        for name in (each for each in names if not each.endswith("200ep")):
            got = np.array([accuracy[pool[known[name][pool].argmax()]] for pool in pools])
            lacks = np.array([accuracy[pool].max() for pool in pools]) - got
            print(f"{name:<10} {got.mean():6.2f}, regret {lacks.mean():5.2f} ({lacks.std():.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
