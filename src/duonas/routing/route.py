"""From what a pair does on the calib split to its policy: the router is fitted, then tau is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.core.options import TARGETS, RouteOptions
from duonas.core.rng import stream
from duonas.routing.calibration import fit_temperature
from duonas.routing.policy import Policy, tabulate
from duonas.routing.routed import Observed
from duonas.routing.router import Router
from duonas.routing.threshold import Curve, sweep

WITHIN_BIG = 0.005


@dataclass(frozen=True)
class Judged:
    """All that choosing tau needs, so that it can be chosen again without the networks and without the images.

    Args:
        ladder: (G,) float32 thresholds from the images that the router was fitted on, falling from +inf to -inf: as tau
            is chosen on other images, a floor can be promised for these.
        score: (M,) float32, the fitted router's on the images that tau is chosen on.
        little_right: (M,) bool.
        big_right: (M,) bool.
    """

    ladder: np.ndarray
    score: np.ndarray
    little_right: np.ndarray
    big_right: np.ndarray

    def save(self, path: Path) -> Path:
        """Write them as safetensors, atomically."""
        return write_bytes(path, save({name: np.ascontiguousarray(values) for name, values in asdict(self).items()}))

    @classmethod
    def load(cls, path: Path) -> Judged:
        """Read what ``save`` wrote.

        Raises:
            DuonasError: it is missing or damaged.
        """
        try:
            return cls(**load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise DuonasError(f"{path} cannot be used: {error}.") from error


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
    """``fit``, and then ``decide`` for a target that needs no times."""
    fitted = fit(router, observed, cost=cost, image_size=image_size, seed=seed, class_names=class_names, splits=splits)
    return decide(*fitted, options)


def fit(
    router: Router,
    observed: Observed,
    *,
    cost: PairCost,
    image_size: int,
    seed: int,
    class_names: tuple[str, ...] = (),
    splits: Mapping[str, str] | None = None,
) -> tuple[Policy, Judged]:
    """Fit router and temperatures on one half of the calib split and judge the other, so that neither flatters.

    Args:
        router: not fitted yet.
        observed: both networks on the calib split, and what the router sees there.
        cost: the pair's parts in MACs; the router's part is put in here.
        image_size: side of the square images, in pixels.
        seed: of the halving, and of what is random in the router.
        class_names: (K,), or empty.
        splits: the hashes of the splits.

    Returns:
        A policy that sends every image to big until tau is chosen, and what it is to be chosen by.

    Raises:
        DuonasError: fewer than two images.
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
        costs=cost.routed_by(router.macs, before=router.before),
        images=len(judged),
        num_classes=answers.little.shape[1],
        image_size=image_size,
        little_temperature=fit_temperature(held.little, held.labels),
        big_temperature=fit_temperature(held.big, held.labels),
        class_names=class_names,
        splits=dict(splits or {}),
    )
    ladder = known.tau[known.thinned()].astype(np.float32)
    return policy, Judged(ladder, scores(router, described[choosing]), judged.little_right, judged.big_right)


def decide(policy: Policy, judged: Judged, options: RouteOptions, times: PairCost | None = None) -> Policy:
    """The policy with the threshold that ``options`` ask for and its table.

    Args:
        policy: of a fitted router.
        judged: by that router.
        options: the ``[route]`` table.
        times: the pair's ways in ms; a latency or an energy needs them.

    Raises:
        DuonasError: more than one target, or one that cannot be met.
    """
    curve = sweep(judged.score, judged.little_right, judged.big_right)
    tau, choice = choose(curve, judged.ladder, options, policy.costs, times)
    table = tabulate(curve, judged.ladder, tau, options.confidence, policy.costs, times)
    return replace(policy, tau=tau, choice=choice, table=table, times=times, confidence=options.confidence, onnx={})


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers 0 to ``count`` - 1 in two disjoint halves, by seed: for the temperature, for tau."""
    if count < 2:
        raise DuonasError(f"routing needs at least two images in the calib split: it has {count}.")
    shuffled = stream(seed, "route", "halves").permutation(count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def scores(router: Router, described: Tensor | np.ndarray) -> np.ndarray:
    """A router's scores (N,) float32 of what it described (N, D)."""
    with torch.inference_mode():
        found = router.judge(torch.as_tensor(described, dtype=torch.float32))
    if found.shape != (len(described),):
        shape = tuple(found.shape)
        raise DuonasError(f"router {router.name!r} must give one score an image, ({len(described)},), got {shape}.")
    return found.numpy()


def choose(
    curve: Curve, ladder: np.ndarray, options: RouteOptions, cost: PairCost, times: PairCost | None = None
) -> tuple[float, dict[str, float]]:
    """The threshold that ``options`` ask for, and how it was chosen.

    A floor takes its threshold from the ladder, since it is a promise (``Curve.holds``); all else takes the exact one
    among all that there are. With no target: as accurate as big to within half a point, as cheaply as possible.

    Args:
        curve: of the images that tau is chosen on.
        ladder: (G,) thresholds that were fixed without these images, falling from +inf.
        options: the ``[route]`` table.
        cost: of the pair in MACs.
        times: likewise in ms; a latency or an energy needs them.
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


def _timed(times: PairCost | None) -> PairCost:
    if times is None:
        raise DuonasError("a latency or an energy can only be held for a pair that was timed.")
    return times


def _watts(options: RouteOptions) -> float:
    if options.watts is None:
        raise DuonasError("[route] energy needs watts, what the device draws while it computes.")
    return options.watts
