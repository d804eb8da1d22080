"""Fit a router on the calib split, then choose its threshold tau: the result is a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.core.tensors import load_arrays, save_tensors
from duonas.core.text import plural
from duonas.pair.facts import PairFacts
from duonas.routing.bounds import lower_bound
from duonas.routing.calibration import fit_temperature
from duonas.routing.constraints import Constraint, ConstraintCheck, Prediction, allowed
from duonas.routing.floor import Rungs, fixed_sequence
from duonas.routing.options import TARGETS, FloorOn, RouteOptions
from duonas.routing.policy import Policy, tabulate
from duonas.routing.routed import Observed
from duonas.routing.router import Router
from duonas.routing.threshold import Curve, sweep
from duonas.runtime import machine
from duonas.runtime.units import percentage


class _Budget(NamedTuple):
    """A kind of budget: its key in a policy's ``choice``, its unit, and the target without a table in its place."""

    key: str
    unit: str
    instead: str = ""


BUDGETS = {
    "macs": _Budget("budget", "MACs"),
    "latency_ms": _Budget("budget_ms", "ms", "latency, which is timed on this machine"),
    "energy_mj": _Budget("budget_mj", "mJ", "energy, which is measured on this machine"),
}
WITHIN_BIG = 0.005
LEAST = 2  # calib images: one to fit the router, one to choose tau


@dataclass(frozen=True)
class CalibrationSet:
    """Scores and correctness on the images that tau is chosen on; enough to choose tau again without the networks.

    Args:
        ladder: (G,) float32 thresholds from the images that the router was fitted on, descending from +inf to -inf. As
            tau is chosen on other images, an accuracy floor can be guaranteed for these.
        score: (M,) float32 scores of the fitted router.
        little_right: (M,) bool, whether little is correct.
        big_right: (M,) bool, whether big is correct.
        labels: (M,) int64 class numbers.
        classes: number K of classes.
        constraints: of the search that found the pair.
        prices: what the pair costs by the search's device table, by quantity.
        table: that device table; ``None`` if there is none.
    """

    ladder: np.ndarray
    score: np.ndarray
    little_right: np.ndarray
    big_right: np.ndarray
    labels: np.ndarray
    classes: int
    constraints: tuple[Constraint, ...] = ()
    prices: Mapping[str, PairCost] = field(default_factory=dict)
    table: Prediction | None = None

    @property
    def curve(self) -> Curve:
        """The trade-off curve of the images."""
        return sweep(self.score, self.little_right, self.big_right)

    def rungs(self, floor_on: FloorOn, confidence: float) -> Rungs:
        """Return the thresholds of the ladder, and the floor that each guarantees."""
        shares, correct = [], []
        for tau in self.ladder:
            keeps = (self.score >= tau) & (tau < np.inf)
            right = np.where(keeps, self.little_right, self.big_right)
            shares.append(keeps.mean())
            correct.append(np.bincount(self.labels[right], minlength=self.classes))
        count = np.bincount(self.labels, minlength=self.classes)
        holds = fixed_sequence(lower_bound(floor_on, np.array(correct), count, confidence))
        proof = f" with {percentage(confidence)} confidence on {plural(len(self.labels), 'image')}"
        return Rungs(self.ladder, np.array(shares), holds, floor_on, proof)

    def save(self, path: Path) -> Path:
        """Write a safetensors file, atomically."""
        arrays = {name: getattr(self, name) for name in ("ladder", "score", "little_right", "big_right", "labels")}
        arrays |= {f"constraint.{number}": each.figures for number, each in enumerate(self.constraints)}
        about = [dict(each.about()) for each in self.constraints]
        prices = {quantity: asdict(cost) for quantity, cost in self.prices.items()}
        table = {} if self.table is None else {"table": asdict(self.table)}
        return save_tensors(path, arrays, {"classes": self.classes, "constraints": about, "prices": prices, **table})

    @classmethod
    def load(cls, path: Path) -> CalibrationSet:
        """Read a file written by ``save``.

        Raises:
            DuonasError: the file is missing or damaged.
        """
        try:
            arrays, header = load_arrays(path)
            about = header["constraints"]
            constraints = tuple(
                Constraint.of(each, arrays.pop(f"constraint.{number}")) for number, each in enumerate(about)
            )
            prices = {quantity: PairCost(**cost) for quantity, cost in header.get("prices", {}).items()}
            table = Prediction(**header["table"]) if "table" in header else None
            return cls(**arrays, classes=int(header["classes"]), constraints=constraints, prices=prices, table=table)
        except KeyError as error:
            raise DuonasError(
                f"{path} cannot be used: it lacks {error.args[0]!r}; delete it, and the same command fits the router "
                "again."
            ) from error
        except (DuonasError, TypeError, ValueError) as error:
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
        preparation=facts.preprocessing.preparation,
        little_temperature=fit_temperature(held.little, held.labels),
        big_temperature=fit_temperature(held.big, held.labels),
        class_names=facts.class_names,
        splits=dict(splits or {}),
    )
    return policy, CalibrationSet(
        ladder=known.tau[known.thinned()].astype(np.float32),
        score=scores(router, described[choosing]),
        little_right=judged.little_right,
        big_right=judged.big_right,
        labels=judged.labels.astype(np.int64),
        classes=facts.num_classes,
    )


@dataclass(frozen=True)
class Timed:
    """What the two ways through a deployed pair take.

    Args:
        times: in ms.
        energy: in mJ; ``None`` if it is not known.
        watts: power by which ``energy`` is a multiple of ``times``; ``None`` if a meter measured it.
    """

    times: PairCost
    energy: PairCost | None = None
    watts: float | None = None


def decide(policy: Policy, calibration: CalibrationSet, options: RouteOptions, timed: Timed | None = None) -> Policy:
    """Return the policy with the threshold chosen by ``options``, and its table of other thresholds.

    Args:
        policy: a policy with a fitted router.
        calibration: that router's scores on the images that tau is chosen on.
        options: the ``[route]`` table.
        timed: what the pair takes; needed for the targets latency and energy.

    Raises:
        Unreachable: no threshold meets the target.
        DuonasError: there is more than one target, or times or energies are missing.
    """
    curve, rungs = calibration.curve, calibration.rungs(options.floor_on, options.confidence)
    costs = {**calibration.prices, "macs": policy.costs}
    times = None if timed is None else timed.times
    tau, choice = choose(curve, rungs, calibration.constraints, options, costs, timed)
    share = float(curve.at(np.array([tau])).little_share[0])
    return replace(
        policy,
        tau=tau,
        choice=choice,
        table=tabulate(curve, rungs, tau, options.confidence, policy.costs, times),
        times=times,
        confidence=options.confidence,
        floor_on=options.floor_on,
        constraints=_checked(calibration, options, share, timed),
        onnx={},
    )


def _checked(
    calibration: CalibrationSet, options: RouteOptions, share: float, timed: Timed | None
) -> tuple[ConstraintCheck, ...]:
    """Return what the pair takes of the search's constraints, and of a target in ms or mJ that is none of them."""
    found = tuple(each.check(share) for each in calibration.constraints)
    name, limit, cost, source = options.limited, None, None, calibration.table
    if options.priced is not None:
        limit, cost = options.priced[1], calibration.prices.get(options.priced[0])
    elif timed is not None and needs_times(options):
        limit, cost = (options.latency, timed.times) if options.latency is not None else (options.energy, timed.energy)
        source = Prediction("", machine.device_name())
    if limit is None or cost is None or any((each.name, each.limit) == (name, limit) for each in found):
        return found
    return (*found, ConstraintCheck(name, limit, "min", float(cost.expected(share)), True, source, "route"))


def class_counts(labels: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """Return the number of images (K,) by class that tau is going to be chosen on.

    Args:
        labels: (N,) of the calib split.
        classes: K.
        seed: random seed of the halves.

    Raises:
        DuonasError: there are fewer than two images.
    """
    return np.bincount(labels[halves(len(labels), seed)[1]], minlength=classes)


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the indices 0 to ``count`` - 1 into two random halves: one to fit the router, one to choose tau."""
    if count < LEAST:
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
    curve: Curve,
    rungs: Rungs,
    constraints: Sequence[Constraint],
    options: RouteOptions,
    costs: Mapping[str, PairCost],
    timed: Timed | None = None,
) -> tuple[float, dict[str, float]]:
    """Return the threshold chosen by ``options``, and how it was chosen.

    A floor is a guarantee, so its threshold comes from the rungs; every other target takes the best threshold of the
    curve. Without a target it is the cheapest that is at most half a point less accurate than big.

    Of the thresholds that meet the target, one that also keeps the constraints of the search is taken where there is
    one. Without a target the constraints come first: where no threshold near big keeps them, the most accurate one
    that does is taken. A share decides alone.

    Args:
        curve: curve of the images that tau is chosen on.
        rungs: thresholds that were fixed without these images, and what each guarantees.
        constraints: of the search.
        options: the ``[route]`` table.
        costs: of the pair by quantity: MACs, and what the search's device table has.
        timed: what the pair takes as measured; needed for the targets latency and energy.
    """
    given: dict[str, Any] = {name: x for name in TARGETS if (x := getattr(options, name)) is not None}
    if len(given) > 1:
        raise DuonasError(f"[route] has {' and '.join(given)}: give one of {', '.join(TARGETS)}.")
    keeps = allowed(constraints, curve.little_share, options.limited)
    if options.floor is not None:
        index = rungs.at_floor(options.floor, allowed(constraints, rungs.little_share))
        return float(rungs.tau[index]), given
    if options.priced is not None:
        quantity, budget = options.priced
        given = {BUDGETS[quantity].key: budget}
        index = curve.at_budget(budget, _price(costs, quantity), "a budget", BUDGETS[quantity].unit, keeps)
    elif options.share is not None:
        index = curve.at_share(options.share)
    elif options.latency is not None:
        index = curve.at_budget(options.latency, _needed(timed).times, "a latency", "ms", keeps)
    elif options.energy is not None:
        index = curve.at_budget(options.energy, _energy(_needed(timed)), "an energy", "mJ", keeps)
        given |= {} if timed is None or timed.watts is None else {"watts": timed.watts}
    else:
        index, given = _by_default(curve, keeps)
    return float(curve.tau[index]), given


def _by_default(curve: Curve, keeps: np.ndarray) -> tuple[int, dict[str, float]]:
    """Return the index of the threshold where no target is given, and how it was chosen."""
    near = curve.near_big(WITHIN_BIG)
    if keeps.any() and not keeps[near].any():
        kept = np.flatnonzero(keeps)
        return int(kept[np.lexsort((-kept, -curve.correct[kept]))[0]]), {"within_constraints": 1.0}
    return int((near[keeps[near]] if keeps[near].any() else near)[-1]), {"within_big": WITHIN_BIG}


def _price(costs: Mapping[str, PairCost], quantity: str) -> PairCost:
    if quantity not in costs:
        raise DuonasError(
            f"[route] budget in {BUDGETS[quantity].unit} needs a pair that was searched with a device table of "
            f"{quantity}: give a budget in MACs, or {BUDGETS[quantity].instead}."
        )
    return costs[quantity]


def needs_times(options: RouteOptions) -> bool:
    """Whether the target is a latency or an energy, for which the pair must be timed."""
    return options.latency is not None or options.energy is not None


def _needed(timed: Timed | None) -> Timed:
    if timed is None:
        raise DuonasError("the targets latency and energy need a pair whose latency was measured.")
    return timed


def _energy(timed: Timed) -> PairCost:
    if timed.energy is None:
        raise DuonasError("the target energy needs a pair whose energy was measured, or is known by its watts.")
    return timed.energy
