"""Checks before a run, of all that would make it fail later."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch

from duonas.baselines.baseline import USUAL, Baseline, drawing, find_baseline, rehearse_baseline
from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace
from duonas.core.plugin import is_plugin
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.data.splits import Splits
from duonas.deploy.rehearsal import rehearse
from duonas.deploy.target import check_targets
from duonas.layers.init import initialise
from duonas.pair.build import build
from duonas.pipeline.batch_norms import check_batch_norms
from duonas.pipeline.context import Context
from duonas.pipeline.losses import check_losses
from duonas.pipeline.problem import searched
from duonas.pipeline.spaces import kinds_of
from duonas.recipe.schema import Recipe
from duonas.routing.floor import check_floor
from duonas.routing.route import BUDGETS, class_counts
from duonas.routing.router import Router, make_router
from duonas.routing.routers.learned import Learned
from duonas.rundir.tracker import check_trackers
from duonas.runtime.energy import Meter, MeterError
from duonas.runtime.meters import find_meter, need_meter
from duonas.search.filter import check_filter
from duonas.search.goal import GIVE_TABLE
from duonas.search.problem import Problem
from duonas.search.strategy import make_strategy
from duonas.supernet.family import Family
from duonas.supernet.rehearsal import rehearse_space
from duonas.training.fabric import check_accelerator
from duonas.training.rule import make_rule
from duonas.training.rules.cotrain import Cotrain
from duonas.training.rules.hybrid import Hybrid

WATTS = "[route] watts = 5, or --watts 5"  # how a power is given


def check(context: Context) -> None:
    """Check the accelerator, the search space, and everything else of ``check_stages``.

    Raises:
        DuonasError: one of them cannot be used or met; the message says what is possible.
    """
    if context.recipe.is_given:
        if not context.run.is_done("pair"):
            context.check_networks()
            check_given(context.recipe, context.problem, context.splits, context.device)
        if not context.run.is_done("route"):
            check_meter(context.recipe)
        return
    check_accelerator(context.recipe.train.accelerator)
    check_space(context.recipe, context.family, context.pairs, context.splits)
    problem = context.problem
    with context.stage("limits") if _takes_long(problem) else nullcontext():
        check_stages(context.recipe, problem, context.splits, context.device)
    if not context.run.is_done("finetune"):  # else its teacher may be gone
        check_losses(context.recipe, context.splits)
    if not context.run.is_done("route"):
        check_meter(context.recipe)


def _takes_long(problem: Problem) -> bool:
    """Whether the least of what is constrained is searched for, since measured prices need not grow with MACs."""
    return bool(problem.goal.constraints) and tuple(problem.prices.quantities) != ("macs",)


def check_meter(recipe: Recipe) -> Meter | None:
    """Return what measures the target energy of ``[route]``; ``None`` if there is no such target.

    Raises:
        DuonasError: there is neither a meter that can be read nor a power.
    """
    if recipe.route.energy is None:
        return None
    try:
        return need_meter(find_meter(recipe.route.watts), WATTS)
    except MeterError as error:
        raise DuonasError(f"[route] energy: {error}") from error


def check_space(recipe: Recipe, family: type[Family], pairs: PairSpace, splits: Splits) -> None:
    """Check search spaces of the user's own, and that no batch norm of a space gets a single value.

    Raises:
        DuonasError: the space cannot be used for these images.
    """
    for role, kind in kinds_of(recipe, family).items():
        if is_plugin(kind.table.name) and (role == "big" or recipe.pair.little is not None):
            rehearse_space(kind.family, kind.table, pairs.spaces[role])
    check_batch_norms(recipe, pairs, len(splits.train))


def check_stages(recipe: Recipe, problem: Problem, splits: Splits, device: torch.device) -> None:
    """Check the rule, the strategy, the constraints, the target, the routers, the baselines and what is deployed on.

    Raises:
        DuonasError: one of them cannot be used or met; the message says what is possible.
    """
    check_budget(recipe, problem)
    check_trackers(recipe.trackers)
    check_targets(recipe.export.targets, graphs=recipe.export.converts)
    pairs = problem.pairs
    if recipe.trains_supernet:
        make_rule(pairs, recipe.train)
    check_filter(problem, searched(recipe))
    make_strategy(problem.check(), searched(recipe), recipe.seed)
    check_target(recipe, problem, splits)
    routers = problem.prices.routers
    if recipe.finetune.mode == "independent" and any(router.position == "stem" for router in routers):
        raise DuonasError(
            "a router at position 'stem' needs a stem that both networks share, which [finetune] mode = "
            "'independent' splits."
        )
    _check_gate(recipe, routers)
    _check_baselines(recipe, splits, pairs)
    _rehearse_routers(recipe, problem, device)


def check_given(recipe: Recipe, problem: Problem, splits: Splits, device: torch.device) -> None:
    """Check the constraints, the target, the routers and the baselines of a recipe whose networks are given.

    Raises:
        DuonasError: one of them cannot be used or met; the message says what is possible.
    """
    if any(router.position == "stem" for router in problem.prices.routers):
        raise DuonasError(
            "a router at position 'stem' needs a stem that both networks share, and given networks share nothing: take "
            "'input' or 'after_little'."
        )
    check_targets(recipe.export.targets, graphs=True)
    check_budget(recipe, problem)
    problem.check()
    check_target(recipe, problem, splits)
    _check_gate(recipe, problem.prices.routers)
    _check_baselines(recipe, splits)
    _rehearse_routers(recipe, problem, device)


def _check_baselines(recipe: Recipe, splits: Splits, pairs: PairSpace | None = None) -> None:
    for name in recipe.baselines.networks:
        baseline = find_baseline(name)
        baseline.check()
        about = splits.num_classes, splits.image_size, splits.mean, splits.std
        if is_plugin(name):
            rehearse_baseline(baseline, *about)
        elif baseline.role is not None:
            _check_on_pair(baseline, recipe, splits, pairs)
        elif baseline.name != USUAL:  # it may not bear as many exits as its name asks for
            baseline.network(*about, stream(recipe.seed, "rehearsal"))


def _check_on_pair(baseline: Baseline, recipe: Recipe, splits: Splits, pairs: PairSpace | None) -> None:
    """Build a baseline that is put on one of the pair's networks on the largest one that there may be."""
    role = baseline.role
    if pairs is None or role is None:
        raise DuonasError(
            f"[baselines] networks: {baseline.network_name!r} puts exits on a network of a search space, and those of "
            "[pair.given] are from none: name a network of timm."
        )
    space, rng = pairs.spaces[role], stream(recipe.seed, "rehearsal")
    blocks = space.blocks(space.largest())
    network = build(blocks)
    initialise(network, rng)
    with drawing(rng):
        baseline.build_on(network, [block.stage for block in blocks], splits.num_classes, splits.image_size)


def _rehearse_routers(recipe: Recipe, problem: Problem, device: torch.device) -> None:
    """Try the routers of the user's own."""
    space = problem.pairs.space
    for router in problem.prices.routers:
        if router.own:
            shape = _router_input(space, router)
            rehearse(router, shape, space.classes, device=device, opset=recipe.export.opset)


def check_budget(recipe: Recipe, problem: Problem) -> None:
    """Check that a budget in ms or mJ has a device table to be priced by.

    Raises:
        DuonasError: there is none, or it has no figures of this quantity.
    """
    route = recipe.route
    if route.priced is None or route.priced[0] in problem.prices.quantities:
        return
    quantity = route.priced[0]
    raise DuonasError(
        f"[route] budget = {route.budget} needs a device table with figures of {quantity}: {GIVE_TABLE}, a budget in "
        f"MACs, or {BUDGETS[quantity].instead}."
    )


def check_target(recipe: Recipe, problem: Problem, splits: Splits) -> None:
    """Check the target of ``[route]`` as far as data and space decide it: the floor and the budget.

    Raises:
        DuonasError: no pair could meet it; the message says what is possible.
    """
    route, names = recipe.route, splits.class_names
    count = class_counts(splits.calib.labels.numpy(), len(names), recipe.seed)
    if route.floor is not None:
        check_floor(route.floor, count, names, route.floor_on, route.confidence)
    if route.priced is not None and not route.budget_in_search:  # else it is a constraint of the search
        quantity, budget = route.priced
        Problem(replace(problem.goal, constraints={f"expected_{quantity}": budget}), problem.prices).check()


def _check_gate(recipe: Recipe, routers: Sequence[Router]) -> None:
    table, train = recipe.route, recipe.train
    if not isinstance(table, Learned.Options) or table.learned.joint != "keep":
        return
    rule = train.then if isinstance(train, Hybrid.Options) else train.rule
    has_gate = isinstance(train, Hybrid.Options | Cotrain.Options) and train.loss.gate == "learned"
    if rule != "cotrain" or not has_gate or not recipe.trains_supernet:
        raise DuonasError(
            "[route.learned] joint = 'keep' needs a gate that was trained with the pair: "
            "[train] rule = 'cotrain' with [train.loss] gate = 'learned'."
        )
    if not recipe.search.routers:
        routers = (make_router(table),)
    if any(isinstance(router, Learned) and router.before for router in routers):
        raise DuonasError(
            "[route.learned] joint = 'keep' is for a learned router at position 'after_little': "
            "the gate that was trained with the pair reads little's logits."
        )


def _router_input(space: SearchSpace, router: Router) -> tuple[int, ...]:
    """Return the shape of a router's input for one image; at the stem, that of the smallest arch."""
    if router.position == "stem":
        stem = [block for block in space.blocks(space.smallest()) if block.stage == 0][-1]
        return stem.out_channels, stem.out_resolution, stem.out_resolution
    return (3, space.image_size, space.image_size) if router.position == "input" else (space.classes,)
