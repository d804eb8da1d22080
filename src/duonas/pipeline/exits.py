"""Measure a trained network of several exits on the test split, beside the routed pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from duonas.core.tensors import load_arrays
from duonas.data.batches import evaluation_batches
from duonas.exits.against import RoutedPair, against, against_in_time
from duonas.exits.answers import answers
from duonas.exits.curve import ExitCurve, measure_curve
from duonas.exits.network import ExitNet, count_exits
from duonas.measure.beside import Beside
from duonas.pipeline.context import Context
from duonas.routing.policy import Policy
from duonas.runtime.comparison import Time


@dataclass(frozen=True)
class MeasuredExits:
    """A network of N exits on the test split.

    Args:
        name: of the network.
        curve: its accuracy against its mean cost.
        found: what ``baselines.json`` has of it, but its times.
        pair: the routed pair that it is compared with; ``None`` where that was not measured.
    """

    name: str
    curve: ExitCurve
    found: dict[str, Any]
    pair: RoutedPair | None

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds (N - 1,) to deploy: those for the pair's cost, or the most accurate ones on calib."""
        same = self.found.get("against_pair", {}).get("at_pair")
        return tuple(same["thresholds"]) if same else self.curve.budgeted[-1].thresholds

    def timed(self, exits: Sequence[Time], beside: Beside) -> dict[str, Any]:
        """Return ``found`` with the mean times of an image.

        Args:
            exits: (N,) of an image that leaves at each exit.
            beside: those of the pair.
        """
        ms, found = [time.mean for time in exits], dict(self.found)
        for row, time in zip(found["anytime"], exits, strict=True):
            row["times_ms"] = {"1": time.to_json()}
        for name in ("budgeted", "geometric"):
            found[name] = [point.to_json() | {"ms": point.mean_ms(ms)} for point in getattr(self.curve, name)]
        if self.pair is None:
            return found
        compared, same = against_in_time(self.name, self.curve, ms, self.pair, beside.ways_ms), None
        if found["against_pair"]["at_pair"] is not None:
            same = {"ms": float(np.dot(found["against_pair"]["at_pair"]["shares"], ms)),
                    "pair_ms": beside.routed_ms(self.pair.own_share), "big_ms": beside.pair["big"].mean}  # fmt: skip
        said = with_times(compared["sentence"], same)
        return found | {"against_pair_in_time": compared | {"at_pair": same, "sentence": said}}


def measure_exits(context: Context, name: str, network: ExitNet, epochs: int, pair: RoutedPair | None) -> MeasuredExits:
    """Measure a network of N exits on the test split, with thresholds that are chosen on the calib split.

    That is the split that the pair's threshold is chosen on, too. Where the pair was measured, the two are compared at
    equal mean cost.
    """
    splits, size = context.splits, context.recipe.search.batch_size
    network.eval()
    image = next(evaluation_batches(splits.test.pixels[:1], 1)).to(context.device)
    macs = count_exits(network, image)
    choosing, test = (answers(network, images.to(context.device), macs, size) for images in (splits.calib, splits.test))
    curve = measure_curve(choosing, test)
    found: dict[str, Any] = {
        "name": name,
        "epochs": epochs,
        "confidence": network.confidence,
        "params": sum(value.numel() for value in network.parameters()),
        "calib_images": len(splits.calib),
        "anytime": [
            {"exit": number, "macs": cost, "accuracy": accuracy}
            for number, (cost, accuracy) in enumerate(zip(macs, curve.anytime, strict=True), 1)
        ],
        "budgeted": [point.to_json() for point in curve.budgeted],
        "geometric": [point.to_json() for point in curve.geometric],
    }
    if pair is not None:
        found["against_pair"] = against(name, curve, choosing, test, pair)
    return MeasuredExits(name, curve, found, pair)


def with_times(said: str, same: dict[str, float] | None) -> str:
    """Add to a sentence the times at the thresholds for the pair's cost, which are deployed."""
    if same is None:
        return said
    return (
        f"{said} Chosen for the pair's mean cost, an image takes {same['ms']:.3g} ms on average, with the pair "
        f"{same['pair_ms']:.3g} ms and with big alone {same['big_ms']:.3g} ms."
    )


def measured_pair(context: Context) -> RoutedPair | None:
    """Return the run's pair on the test split; ``None`` where it was not measured."""
    run = context.run
    if not (run.policy.exists() and run.test_outputs.exists()):
        return None
    policy, outputs = Policy.load(run.policy), load_arrays(run.test_outputs)[0]
    labels, is_little = outputs["labels"], outputs["is_little"].astype(bool).reshape(-1)
    right = (outputs[f"{role}_logits"].argmax(1) == labels for role in ("little", "big"))
    return routed_pair(policy, (outputs["score"].reshape(-1), *right), is_little)


def routed_pair(policy: Policy, answers: Sequence[np.ndarray], is_little: np.ndarray) -> RoutedPair:
    """Return a pair on the test split, with the thresholds of its policy.

    Args:
        policy: with a chosen threshold.
        answers: the router's scores, whether little and whether big is right, (M,) each.
        is_little: (M,) bool, where the images went.
    """
    row = next(row for row in policy.table if row.tau == policy.tau)
    return RoutedPair.of(answers, is_little, [each.tau for each in policy.table], policy.costs, row.expected_macs)
