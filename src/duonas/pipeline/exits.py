"""Measure a trained network of several exits on the test split, beside the routed pair."""

from __future__ import annotations

from typing import Any

from duonas.core.tensors import load_arrays
from duonas.data.batches import evaluation_batches
from duonas.exits.against import RoutedPair, against
from duonas.exits.answers import answers
from duonas.exits.curve import measure_curve
from duonas.exits.network import ExitNet, count_exits
from duonas.pipeline.context import Context
from duonas.routing.policy import Policy


def measure_exits(context: Context, name: str, network: ExitNet, epochs: int) -> dict[str, Any]:
    """Return what ``baselines.json`` has of a network of N exits.

    Its thresholds are chosen on the calib split, which the pair's threshold is chosen on, too; test is only measured.
    Where the pair was measured, the two are compared at equal mean cost.
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
    pair = _measured_pair(context)
    if pair is not None:
        found["against_pair"] = against(name, curve, choosing, test, pair)
        context.note(found["against_pair"]["sentence"])
    return found


def _measured_pair(context: Context) -> RoutedPair | None:
    """Return the run's pair on the test split; ``None`` where it was not measured."""
    run = context.run
    if not (run.policy.exists() and run.test_outputs.exists()):
        return None
    policy, outputs = Policy.load(run.policy), load_arrays(run.test_outputs)[0]
    labels, is_little = outputs["labels"], outputs["is_little"].astype(bool).reshape(-1)
    right = (outputs[f"{role}_logits"].argmax(1) == labels for role in ("little", "big"))
    row = next(row for row in policy.table if row.tau == policy.tau)
    return RoutedPair.of(
        (outputs["score"].reshape(-1), *right),
        is_little,
        [each.tau for each in policy.table],
        policy.costs,
        row.expected_macs,
    )
