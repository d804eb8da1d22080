"""The plain network beside a pair: the best arch of the search at the pair's mean cost, trained alone for as long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from duonas.core.pair import Subnet
from duonas.core.plan import PLAIN, Unit
from duonas.core.protocols import Progress
from duonas.core.tensors import read_header
from duonas.costs.analytic import analytic
from duonas.data.batches import outputs
from duonas.pair.pair import Pair
from duonas.pair.plain import Alone, PlainNetwork
from duonas.pipeline.context import Context
from duonas.pipeline.fitting import Fitting, fit, steps_per_epoch
from duonas.pipeline.pairs import fresh_network
from duonas.pipeline.route import choose_threshold, fit_router
from duonas.pipeline.timing import timing_of
from duonas.routing.route import needs_times
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front
from duonas.search.single import SAME
from duonas.training.fabric import one_process
from duonas.training.finetune import SupervisedTraining


def train_plain(context: Context, progress: Progress) -> list[Path]:
    """Train a plain network on the train split, on labels alone, and save it.

    With ``[budget] minutes`` it is trained for as long as supernet, search and pair took, or for what is left of the
    minutes where that is less; without, for as many steps as supernet and pair.
    """
    run, recipe = context.run, context.recipe
    front = Front.load(run.front)
    subnet = best_alone(front, *mean_cost(context, front), little=context.pairs.subnets(front.best.pair)[0])
    network = _fresh(context, subnet)
    options = recipe.baselines.over(context.training)
    fabric = one_process(options)

    def timed() -> tuple[Unit, float]:
        timing = timing_of(context)
        return timing.plain(_fresh(context, subnet)), timing.after(Pair.load(run.pair), plain=True)

    with context.spending(PLAIN, timed) as planned:
        options = replace(options, steps=planned or trained_steps(run))
        rule, path = SupervisedTraining(network, options), run.plain / "training" / "weights.safetensors"
        fit(context, Fitting("plain", network, rule, options, path, fabric), progress)
    context.recalibrate(network)
    val, steps = context.splits.val.to(context.device), options.steps or 0
    right = outputs(network, val.pixels, recipe.search.batch_size).argmax(1) == val.labels.cpu()
    spent = context.plan.parts[PLAIN].used / 60 if context.plan else None
    blocks, values = context.pairs.blocks(subnet), context.pairs.spaces[subnet.role].values(subnet.arch)
    plain = PlainNetwork(
        network, blocks, analytic(blocks), values, float(right.float().mean()),
        Alone(steps, steps / steps_per_epoch(context.splits, options), spent),
    )  # fmt: skip
    return plain.save(run.plain)


def mean_cost(context: Context, front: Front) -> tuple[str, float]:
    """Return the quantity that the search compares by, and what the pair is going to cost on average in it.

    The threshold is chosen as it is going to be. Only where that takes the times of an export, the share of the search
    stands for it, since what is timed differs from time to time.
    """
    quantity = context.problem.prices.compared
    if needs_times(context.recipe.route):
        return quantity, float(front.best.figures[f"expected_{quantity}"])
    policy, calibration = fit_router(context, Pair.load(context.run.pair))
    policy = choose_threshold(context, policy, calibration)
    share = next(row.little_share for row in policy.table if row.tau == policy.tau)
    return quantity, float(({"macs": policy.costs} | dict(calibration.prices))[quantity].expected(share))


def best_alone(front: Front, quantity: str, cost: float, little: Subnet) -> Subnet:
    """Return the best of the search's networks that cost no more; the pair's little if there is none.

    No other one beats them in both, so the best is the dearest.

    Args:
        front: of the search.
        quantity: of the cost.
        cost: of the pair, on average.
        little: of the pair.
    """
    known = [each for each in (*front.single, front.plain) if each is not None]
    fit_in = [each for each in known if each.figures[quantity] <= cost * (1 + SAME)]
    if not fit_in:
        return little
    return max(fit_in, key=lambda each: each.figures[quantity]).subnet


def trained_steps(run: RunFolder) -> int:
    """Return the optimiser steps of the supernet and of the pair."""
    weights = [run.supernet, *sorted(run.finetune.rglob("weights.safetensors"))]
    return sum(int(read_header(path)["steps"]) for path in weights)


def _fresh(context: Context, subnet: Subnet) -> nn.Sequential:
    return fresh_network(context, subnet, "plain").to(memory_format=torch.channels_last)
