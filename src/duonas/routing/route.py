"""Fit a router on the calib split, then choose its threshold tau: the result is a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.core.tensors import load_arrays, save_tensors
from duonas.pair.facts import PairFacts
from duonas.routing.calibration import fit_temperature
from duonas.routing.options import TARGETS, RouteOptions
from duonas.routing.policy import Policy, tabulate
from duonas.routing.routed import Observed
from duonas.routing.router import Router
from duonas.routing.threshold import Curve, sweep

WITHIN_BIG = 0.005


@dataclass(frozen=True)
class CalibrationSet:
    """Scores and correctness on the images that tau is chosen on; enough to choose tau again without the networks.

    Args:
        ladder: (G,) float32 thresholds from the images that the router was fitted on, descending from +inf to -inf. As
            tau is chosen on other images, an accuracy floor can be guaranteed for these.
        score: (M,) float32 scores of the fitted router.
        little_right: (M,) bool, whether little is correct.
        big_right: (M,) bool, whether big is correct.
    """

    ladder: np.ndarray
    score: np.ndarray
    little_right: np.ndarray
    big_right: np.ndarray

    def save(self, path: Path) -> Path:
        """Write a safetensors file, atomically."""
        return save_tensors(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> CalibrationSet:
        """Read a file written by ``save``.

        Raises:
            DuonasError: the file is missing or damaged.
        """
        try:
            return cls(**load_arrays(path)[0])
        except (DuonasError, TypeError) as error:
            raise DuonasError(f"{path} cannot be used: {str(error).removesuffix('.')}.") from error


def fit(
    router: Router, observed: Observed, facts: PairFacts, seed: int, splits: Mapping[str, str] | None = None
) -> tuple[Policy, CalibrationSet]:
    """Fit router and temperatures on one half of the calib split, and compute the scores of the other half.

    Args:
        router: a router that is not fitted yet.
        observed: predictions of both networks and the router's features on the calib split.
        facts: facts of the pair; the policy's costs are these plus the router's.
        seed: random seed of the halves and of the fit.
        splits: hashes of the splits.

    Returns:
        A policy that sends every image to big until tau is chosen, and the images to choose tau on.

    Raises:
        DuonasError: there are fewer than two images.
    """
    described, answers = observed
    fitting, choosing = halves(len(answers), seed)
    held, judged = answers.take(fitting), answers.take(choosing)
    router = router.fit(described[fitting], held, stream(seed, "route", router.name))
    known = sweep(scores(router, described[fitting]), held.little_right, held.big_right)
    policy = Policy(
        router=router,
        tau=float("inf"),
        choice={},
        table=(),
        costs=facts.cost.routed_by(router.macs, before=router.before),
        images=len(judged),
        num_classes=facts.num_classes,
        image_size=facts.preprocessing.image_size,
        little_temperature=fit_temperature(held.little, held.labels),
        big_temperature=fit_temperature(held.big, held.labels),
        class_names=facts.class_names,
        splits=dict(splits or {}),
    )
    ladder = known.tau[known.thinned()].astype(np.float32)
    return policy, CalibrationSet(ladder, scores(router, described[choosing]), judged.little_right, judged.big_right)


def decide(policy: Policy, calibration: CalibrationSet, options: RouteOptions, times: PairCost | None = None) -> Policy:
    """Return the policy with the threshold chosen by ``options``, and its table of other thresholds.

    Args:
        policy: a policy with a fitted router.
        calibration: that router's scores on the images that tau is chosen on.
        options: the ``[route]`` table.
        times: costs of the pair in ms; needed for the targets latency and energy.

    Raises:
        DuonasError: there is more than one target, or one that cannot be met.
    """
    curve = sweep(calibration.score, calibration.little_right, calibration.big_right)
    tau, choice = choose(curve, calibration.ladder, options, policy.costs, times)
    table = tabulate(curve, calibration.ladder, tau, options.confidence, policy.costs, times)
    return replace(policy, tau=tau, choice=choice, table=table, times=times, confidence=options.confidence, onnx={})


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the indices 0 to ``count`` - 1 into two random halves: one to fit the router, one to choose tau."""
    if count < 2:
        raise DuonasError(f"routing needs at least two images in the calib split: it has {count}.")
    shuffled = stream(seed, "route", "halves").permutation(count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def scores(router: Router, described: Tensor | np.ndarray) -> np.ndarray:
    """Return a router's scores (N,) float32 of its features (N, D)."""
    with torch.inference_mode():
        found = router.judge(torch.as_tensor(described, dtype=torch.float32))
    if found.shape != (len(described),):
        shape = tuple(found.shape)
        raise DuonasError(f"router {router.name!r} must return one score per image, ({len(described)},), got {shape}.")
    return found.numpy()


def choose(
    curve: Curve, ladder: np.ndarray, options: RouteOptions, cost: PairCost, times: PairCost | None = None
) -> tuple[float, dict[str, float]]:
    """Return the threshold chosen by ``options``, and how it was chosen.

    A floor is a guarantee, so its threshold comes from the ladder (see ``Curve.holds``); every other target takes the
    best threshold of the curve. Without a target it is the cheapest that is at most half a point less accurate than
    big.

    Args:
        curve: curve of the images that tau is chosen on.
        ladder: (G,) thresholds that were fixed without these images, descending from +inf.
        options: the ``[route]`` table.
        cost: cost of the pair in MACs.
        times: cost of the pair in ms; needed for the targets latency and energy.
    """
    given = {name: x for name in TARGETS if (x := getattr(options, name)) is not None}
    if len(given) > 1:
        raise DuonasError(f"[route] has {' and '.join(given)}: give one of {', '.join(TARGETS)}.")
    if options.floor is not None:
        rungs = curve.at(ladder)
        return float(rungs.tau[rungs.at_floor(options.floor, options.confidence)]), given
    if options.budget is not None:
        index = curve.at_budget(options.budget, cost)
    elif options.share is not None:
        index = curve.at_share(options.share)
    elif options.latency is not None:
        index = curve.at_budget(options.latency, _timed(times), "a latency", "ms")
    elif options.energy is not None:
        given["watts"] = watts = _watts(options)
        index = curve.at_budget(options.energy, _timed(times).scaled(watts), "an energy", "mJ")
    else:
        index, given = curve.near_big(WITHIN_BIG), {"within_big": WITHIN_BIG}
    return float(curve.tau[index]), given


def needs_times(options: RouteOptions) -> bool:
    """Whether the target is a latency or an energy, for which the pair must be timed."""
    return options.latency is not None or options.energy is not None


def _timed(times: PairCost | None) -> PairCost:
    if times is None:
        raise DuonasError("the targets latency and energy need a pair whose latency was measured.")
    return times


def _watts(options: RouteOptions) -> float:
    if options.watts is None:
        raise DuonasError("[route] energy needs watts, the power that the device draws while it computes.")
    return options.watts
