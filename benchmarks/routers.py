"""Every router at every position on the pairs of trained runs; prints JSON lines.

    python benchmarks/routers.py RUN [RUN ...] [--signals]

The pairs are those that the runs chose; nothing is trained but routers. Each router is fitted on one half of the run's
calib split, its threshold chosen on the other half for each of three budgets, and judged on the test split. The budgets
are the same for all routers: what little alone costs, and a quarter, a half and three quarters of big on top.
"""

from __future__ import annotations

import argparse
import json
from time import perf_counter

import numpy as np
import torch

from duonas.core.rng import stream
from duonas.data.batches import evaluation_batches
from duonas.pair.pair import Pair
from duonas.pipeline.context import Context
from duonas.recipe.schema import options_for
from duonas.routing.calibration import auroc, ece, fit_temperature, softmax
from duonas.routing.metrics import area, oracle_accuracy
from duonas.routing.options import RouteOptions
from duonas.routing.route import halves, scores
from duonas.routing.routed import observe
from duonas.routing.router import make_router
from duonas.routing.routers.learned import LearnedOptions
from duonas.routing.threshold import keeps_little, sweep
from duonas.rundir.folder import RunFolder

SCORES = ("max_softmax", "margin", "entropy", "logit_margin", "energy", "best")
ROUTERS = {
    **{f"confidence, {score}": options_for("route", score=score) for score in SCORES},
    "window": options_for("route", router="window"),
    "learned, after little": options_for("route", router="learned", position="after_little"),
    "learned, stem": options_for("route", router="learned", position="stem"),
    "learned, input": options_for("route", router="learned", position="input"),
    "difficulty, stem": options_for("route", router="difficulty", position="stem"),
    "difficulty, input": options_for("route", router="difficulty", position="input"),
    "random, input": options_for("route", router="random", position="input"),
}
WAYS = ("straight-through", "gumbel", "reinforce")
LEARNED = {
    **{f"signal {signal}": LearnedOptions(signal=signal) for signal in ("oracle", "entropy", "loss")},
    **{f"oracle, then {way}": LearnedOptions(refine=way) for way in WAYS},
    **{f"{way} alone": LearnedOptions(refine=way, warm_start=False) for way in WAYS},
    **{f"{way} alone, share free": LearnedOptions(refine=way, warm_start=False, hold_share=False) for way in WAYS},
    "oracle, unbalanced": LearnedOptions(balance=False),
}
SIGNALS = {
    f"{name}, {position.replace('_', ' ')}": options_for("route", router="learned", position=position, learned=options)
    for position in ("after_little", "stem")
    for name, options in LEARNED.items()
}


class View:
    """What routers see of a run's calib and test split; both networks are asked once a kind and position."""

    def __init__(self, context: Context) -> None:
        self._splits, self.pair, self._known = context.splits, Pair.load(context.run.pair), {}

    def of(self, router):
        key = router.name, router.position
        if key not in self._known:
            self._known[key] = [
                observe(self.pair, router, evaluation_batches(images.pixels, 250), images.labels)
                for images in (self._splits.calib, self._splits.test)
            ]
        return self._known[key]


def judged(context: Context, view: View, options: RouteOptions) -> dict[str, object]:
    """One router, fitted and chosen on calib, on the test split."""
    blank, pair_cost = make_router(options), view.pair.facts.cost
    calib, test = view.of(blank)
    fitting, choosing = halves(len(calib.answers), context.recipe.seed)
    start = perf_counter()
    held = calib.answers.take(fitting)
    router = blank.fit(calib.described[fitting], held, stream(context.recipe.seed, "route", blank.name))
    seconds = perf_counter() - start
    cost, chosen_on = pair_cost.routed_by(router.macs, before=router.before), calib.answers.take(choosing)
    curve = sweep(scores(router, calib.described[choosing]), chosen_on.little_right, chosen_on.big_right)
    score, little, big = scores(router, test.described), test.answers.little_right, test.answers.big_right
    temperature = fit_temperature(held.little, held.labels)
    rows = []
    for part in (0.25, 0.5, 0.75):
        budget = pair_cost.least + part * pair_cost.big
        tau = float(curve.tau[curve.at_budget(budget, cost)])
        kept = keeps_little(torch.from_numpy(score), tau).numpy()
        right = np.where(kept, little, big)
        rows.append({"budget": budget, "macs": float(cost.expected(kept.mean())), "accuracy": float(right.mean()),
                     "little_share": float(kept.mean())})  # fmt: skip
    return {
        "at": rows, "macs": router.macs, "overhead": router.macs / rows[1]["macs"], "fit_seconds": round(seconds, 2),
        "area": area(sweep(score, little, big)), "auroc": auroc(score, little),
        "auroc_needed": auroc(-score, ~little & big), "oracle_gap": oracle_accuracy(little, big) - rows[1]["accuracy"],
        "ece": ece(softmax(test.answers.little, temperature), test.answers.labels),
        "ece_before": ece(softmax(test.answers.little), test.answers.labels),
        "little": float(little.mean()), "big": float(big.mean()), "oracle": oracle_accuracy(little, big),
        "router": getattr(router, "function", None), "report": dict(getattr(router, "report", {})),
        "fell_back": getattr(router, "network", 0) is None,
    }  # fmt: skip


def main() -> None:
    """One JSON line a run and router."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--signals", action="store_true", help="training signals of the learned router instead")
    arguments = parser.parse_args()
    for path in arguments.runs:
        run = RunFolder(path)
        context = Context(run.recipe, run)
        view = View(context)
        for name, options in (SIGNALS if arguments.signals else ROUTERS).items():
            found = judged(context, view, options)
            about = {"data": run.recipe.data.name, "seed": run.recipe.seed, "router_name": name}
            print(json.dumps(about | found), flush=True)


if __name__ == "__main__":
    main()
