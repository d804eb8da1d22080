"""The params and MACs of paper T's three archs of search space ``uib``, beside those of its Table 5.

    python benchmarks/uib_costs.py

Ours are counted by ``blocks(arch)`` from Tables 9 to 11, norms included. Table 5's are ours without the classifier (the
last linear layer, 1,280 x 1,000 and a bias), cut to one digit behind the point, not rounded. Exits with 1 where not.
"""

from __future__ import annotations

import sys

from duonas.costs.analytic import analytic
from duonas.spaces.uib import UIB

# Millions of params, billions of MACs.
PUBLISHED = {"khyper-s": (3.9, 0.5), "khyper-m": (6.8, 1.3), "khyper-l": (8.7, 1.8)}


def main() -> int:
    """Print a line for each; the exit status."""
    space = UIB.space(UIB.Options(preset="uib"), 320, 1000)
    print("arch      params  without classifier  Table 5  MACs    without classifier  Table 5")
    agree = True
    for name, (millions, billions) in PUBLISHED.items():
        blocks = space.blocks(space.arch(arch=name))
        cost, classifier = analytic(blocks), blocks[-1]["classify"]
        params, macs = cost.params - classifier.params, cost.macs - classifier.macs
        agree &= (int(params / 1e5), int(macs / 1e8)) == (round(10 * millions), round(10 * billions))
        print(
            f"{name}  {cost.params / 1e6:5.2f}M  {params / 1e6:17.2f}M  {millions:6.1f}M  "
            f"{cost.macs / 1e9:.3f}B  {macs / 1e9:17.3f}B  {billions:6.1f}B"
        )
    return int(not agree)


if __name__ == "__main__":
    sys.exit(main())
