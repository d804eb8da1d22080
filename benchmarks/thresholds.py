"""How long it takes to choose tau again, table and promise included; JSON lines.

    python benchmarks/thresholds.py [--repeats 9]

Scores are random: no arithmetic here depends on what they are.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, decide
from duonas.routing.routers.confidence import Confidence
from duonas.runtime.prepare import Preparation

COST = PairCost(stem=1e5, router=0, little=4e5, big=2e6)
TARGETS = {
    "budget": options_for("route", budget=1.2e6),
    "floor": options_for("route", floor=0.8),
    "share": options_for("route", share=0.7),
}


def judged(count: int) -> CalibrationSet:
    """Made-up scores of ``count`` images, little right more often where they are high."""
    rng = stream(0, "scores", count)
    score = rng.random(count, dtype=np.float32)
    ladder = np.concatenate([[np.inf], np.linspace(1, 0, 198), [-np.inf]])
    right = {"little_right": rng.random(count) < 0.6 + 0.3 * score, "big_right": rng.random(count) < 0.9}
    return CalibrationSet(score=score, ladder=ladder, **right)


def main() -> None:
    """One JSON line a number of samples and target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    policy = Policy(
        router=Confidence(), tau=0.0, choice={}, table=(), costs=COST, num_classes=10, preparation=Preparation(32)
    )
    for count in (50_000, 1_000_000):
        images = judged(count)
        for name, options in TARGETS.items():
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                decide(policy, images, options)
                times.append(time.perf_counter() - start)
            figures = {"samples": count, "target": name, "median_ms": round(1e3 * float(np.median(times)), 2)}
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
