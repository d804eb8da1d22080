"""From a pair's answers on the calib split to its policy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.options import RouteOptions
from duonas.core.rng import stream
from duonas.routing.calibration import fit_temperature
from duonas.routing.confidence import Confidence
from duonas.routing.policy import Policy, tabulate
from duonas.routing.threshold import Curve, sweep

WITHIN_BIG = 0.005


def calibrate(
    little_logits: np.ndarray,
    big_logits: np.ndarray,
    labels: np.ndarray,
    *,
    options: RouteOptions,
    cost: PairCost,
    image_size: int,
    seed: int,
    class_names: tuple[str, ...] = (),
    splits: Mapping[str, str] | None = None,
) -> Policy:
    """Fit the temperatures on one half of the calib split and choose tau on the other, so that neither flatters.

    Args:
        little_logits: (N, K) float32 of little on the calib split.
        big_logits: (N, K) of big.
        labels: (N,) class numbers.
        options: the ``[route]`` table.
        cost: the pair's parts in MACs.
        image_size: side of the square images, in pixels.
        seed: of the halving.
        class_names: (K,), or empty.
        splits: the hashes of the splits.

    Raises:
        DuonasError: fewer than two images, more than one target, or a floor or budget that cannot be met.
    """
    labels = np.asarray(labels)
    fitting, choosing = halves(len(labels), seed)
    temperature = fit_temperature(little_logits[fitting], labels[fitting])
    router = Confidence(options.score, temperature)
    little, big, truth = little_logits[choosing], big_logits[choosing], labels[choosing]
    curve = sweep(scores(router, little), little.argmax(1) == truth, big.argmax(1) == truth)
    chosen, choice = choose(curve, options, cost)
    return Policy(
        router=router,
        tau=float(curve.tau[chosen]),
        choice=choice,
        table=tabulate(curve, cost, options.confidence, chosen),
        costs=cost,
        num_classes=little_logits.shape[1],
        image_size=image_size,
        big_temperature=fit_temperature(big_logits[fitting], labels[fitting]),
        class_names=class_names,
        splits=dict(splits or {}),
    )


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers 0 to ``count`` - 1 in two disjoint halves, by seed: for the temperature, for tau."""
    if count < 2:
        raise DuonasError(f"routing needs at least two images in the calib split: it has {count}.")
    shuffled = stream(seed, "route", "halves").permutation(count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def scores(router: Confidence, logits: np.ndarray) -> np.ndarray:
    """A router's scores (N,) float32 of logits (N, K)."""
    with torch.inference_mode():
        return router.score(torch.from_numpy(np.ascontiguousarray(logits, np.float32))).numpy()


def choose(curve: Curve, options: RouteOptions, cost: PairCost) -> tuple[int, dict[str, float]]:
    """The index of the threshold that ``options`` ask for, and how it was chosen.

    With none of floor, budget and share given: as accurate as big to within half a point, as cheaply as possible.
    """
    given = {name: x for name in ("floor", "budget", "share") if (x := getattr(options, name)) is not None}
    if len(given) > 1:
        raise DuonasError(f"[route] has {' and '.join(given)}: give one of floor, budget, share.")
    if options.floor is not None:
        return curve.at_floor(options.floor, options.confidence), given
    if options.budget is not None:
        return curve.at_budget(options.budget, cost), given
    if options.share is not None:
        return curve.at_share(options.share), given
    return curve.near_big(WITHIN_BIG), {"within_big": WITHIN_BIG}
