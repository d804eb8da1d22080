"""From what a pair does on the calib split to its policy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.options import RouteOptions
from duonas.core.rng import stream
from duonas.routing.calibration import fit_temperature
from duonas.routing.policy import Policy, tabulate
from duonas.routing.routed import Observed
from duonas.routing.router import Router
from duonas.routing.threshold import Curve, sweep

WITHIN_BIG = 0.005


def calibrate(
    router: Router,
    observed: Observed,
    *,
    options: RouteOptions,
    cost: PairCost,
    image_size: int,
    seed: int,
    class_names: tuple[str, ...] = (),
    splits: Mapping[str, str] | None = None,
) -> Policy:
    """Fit router and temperatures on one half of the calib split and choose tau on the other, so that neither flatters.

    Args:
        router: not fitted yet.
        observed: both networks on the calib split, and what the router sees there.
        options: the ``[route]`` table.
        cost: the pair's parts in MACs; the router's part is put in here.
        image_size: side of the square images, in pixels.
        seed: of the halving, and of what is random in the router.
        class_names: (K,), or empty.
        splits: the hashes of the splits.

    Raises:
        DuonasError: fewer than two images, more than one target, or a floor or budget that cannot be met.
    """
    described, answers = observed
    fitting, choosing = halves(len(answers), seed)
    held = answers.take(fitting)
    router = router.fit(described[fitting], held, stream(seed, "route", router.name))
    cost = cost.routed_by(router.macs, before=router.before)
    judged = answers.take(choosing)
    curve = sweep(scores(router, described[choosing]), judged.little_right, judged.big_right)
    chosen, choice = choose(curve, options, cost)
    return Policy(
        router=router,
        tau=float(curve.tau[chosen]),
        choice=choice,
        table=tabulate(curve, cost, options.confidence, chosen),
        costs=cost,
        num_classes=answers.little.shape[1],
        image_size=image_size,
        little_temperature=fit_temperature(held.little, held.labels),
        big_temperature=fit_temperature(held.big, held.labels),
        class_names=class_names,
        splits=dict(splits or {}),
    )


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers 0 to ``count`` - 1 in two disjoint halves, by seed: for the temperature, for tau."""
    if count < 2:
        raise DuonasError(f"routing needs at least two images in the calib split: it has {count}.")
    shuffled = stream(seed, "route", "halves").permutation(count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def scores(router: Router, described: Tensor | np.ndarray) -> np.ndarray:
    """A router's scores (N,) float32 of what it described (N, D)."""
    with torch.inference_mode():
        return router.judge(torch.as_tensor(described, dtype=torch.float32)).numpy()


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
