"""What a pair answers on the val split after it was trained on, beside what the search knew of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from duonas.core.files import read_json, reading
from duonas.core.rng import stream
from duonas.data.batches import evaluation_batches
from duonas.pair.pair import Pair
from duonas.pipeline.context import Context
from duonas.pipeline.pairs import chosen_router
from duonas.routing.route import LEAST, halves, scores
from duonas.routing.routed import Observed, observe
from duonas.routing.router import Router
from duonas.routing.threshold import sweep
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front


def renew(context: Context, tuned: Pair) -> dict[str, Any]:
    """Return the accuracies of the trained pair on val, and those of the search (if it knew any), as JSON.

    ``routed`` is the pair's at the little share of the search, so at the same cost. The router is fitted on one half of
    the images and judged on the other, and the other way round.

    Args:
        context: of a run whose search is done.
        tuned: the pair after its training.
    """
    front, val = Front.load(context.run.front), context.splits.val.to(context.device)
    best, known = front.best, None
    if not front.is_assumed:
        little, big = (context.evaluator.evaluate(subnet).accuracy for subnet in context.pairs.subnets(best.pair))
        known = {"little": little, "big": big, "routed": best.accuracy}
    router = chosen_router(context.recipe, context.run)
    batches = evaluation_batches(val.pixels, context.recipe.search.batch_size)
    observed = observe(tuned.to(context.device), router, batches, val.labels)
    answers = observed.answers
    routed = accuracy_at_share(router, observed, best.little_share, context.recipe.seed)
    now = {"little": answers.little_right.mean(), "big": answers.big_right.mean(), "routed": routed}
    return {
        "mode": context.recipe.finetune.mode,
        "val_images": len(val),
        "little_share": best.little_share,
        "search": known,
        "now": {name: float(value) for name, value in now.items()},
    }


def accuracy_at_share(router: Router, observed: Observed, share: float, seed: int) -> float:
    """Return the accuracy of a pair where little answers a share of the images, with the router fitted on others."""
    described, answers = observed
    whole = np.arange(len(answers))
    one, other = halves(len(answers), seed) if len(answers) >= LEAST else (whole, whole)
    right = 0.0
    for fitting, judging in ((one, other), (other, one)):
        fitted = router.fit(described[fitting], answers.take(fitting), stream(seed, "renewal", router.name))
        held = answers.take(judging)
        curve = sweep(scores(fitted, described[judging]), held.little_right, held.big_right)
        right += float(curve.accuracy[curve.at_share(share)]) * len(judging)
    return right / (len(one) + len(other))


def renewed_accuracy(run: RunFolder, searched: float) -> float:
    """Return the accuracy on val of the pair as it is now; that of the search if the pair was not trained on."""
    if not run.finetuned.exists():
        return searched
    found: Mapping[str, Any] = read_json(run.finetuned)
    with reading(run.finetuned):
        return float(found["now"]["routed"])
