"""Extract the chosen pair from the supernet, and build its router."""

from __future__ import annotations

from dataclasses import asdict, replace

from torch import nn

from duonas.core.couplings import PairsTrainedApart
from duonas.core.pair import PairArch, PairSpace, Role, Subnet
from duonas.core.rng import stream
from duonas.layers.init import initialise
from duonas.pair.facts import ROLES, PairFacts
from duonas.pair.pair import Pair
from duonas.pair.plain import PlainNetwork
from duonas.pipeline.context import Context
from duonas.pipeline.given import GivenContext
from duonas.recipe.schema import Recipe
from duonas.routing.router import Router, make_router
from duonas.routing.routers.learned import Learned
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front
from duonas.training.checkpoint import load_tensors


def take_pair(context: Context, chosen: PairArch) -> Pair:
    """Return a pair of archs as plain networks, or of given networks as they are.

    Weights are those that the search evaluated. For the modes of fine-tuning that start from scratch they are drawn, or
    the pretrained ones that the supernet started from.
    """
    if isinstance(context, GivenContext):
        return context.take_pair(chosen)
    mode = context.recipe.finetune.mode
    subnets: dict[Role, Subnet] = dict(zip(ROLES, context.pairs.subnets(chosen), strict=True))
    networks: dict[str, nn.Sequential]
    if mode in ("none", "joint"):
        networks = {role: context.evaluator.network(subnet) for role, subnet in subnets.items()}
    else:
        networks = {role: fresh_network(context, subnet, "finetune", role) for role, subnet in subnets.items()}
    facts = PairFacts.of(
        final_coupling(context), chosen, context.problem.prices.model, context.splits.class_names, mode
    )
    made = context.splits.inspected.preparation
    seen = replace(facts.preprocessing, **asdict(made))
    return Pair.join(networks["little"], networks["big"], replace(facts, preprocessing=seen))


def fresh_network(context: Context, subnet: Subnet, *path: str) -> nn.Sequential:
    """Return a subnet as a plain network that is not trained yet; it has pretrained weights where the supernet had.

    Args:
        context: of the run.
        subnet: the subnet.
        path: of the stream of random numbers that its weights are drawn from.
    """
    network = context.fresh_supernet().extract(subnet)
    if not context.starts_from_weights:
        initialise(network, stream(context.recipe.seed, *path))
    return network


def take_plain(context: Context, front: Front) -> PlainNetwork | None:
    """Return the plain network that the pair is compared with, with the weights that the search evaluated.

    It is the most accurate single network that the search saw at no more cost than the chosen pair; ``None`` if it is
    one of the pair's own two, or if there is none.
    """
    found = front.plain
    if found is None or found.subnet in context.pairs.subnets(front.best.pair):
        return None
    blocks = context.pairs.blocks(found.subnet)
    network = context.evaluator.network(found.subnet)
    return PlainNetwork(network, blocks, context.evaluator.cost(found.subnet), found.values, found.accuracy)


def final_coupling(context: Context) -> PairSpace:
    """Return the coupling of the pair's weights after fine-tuning, which separates towers that were shared."""
    mode = context.recipe.finetune.mode
    if mode == "independent":
        return PairsTrainedApart(context.pairs)
    return context.pairs if mode == "none" else context.pairs.parted()


def chosen_router(recipe: Recipe, run: RunFolder) -> Router:
    """Return the router that the search chose, or else the recipe's, not fitted yet.

    A learned router after little starts from the gate that was trained with the pair, if there is one.
    """
    route = recipe.route
    if recipe.search.routers:
        best = Front.load(run.front).best
        route = replace(route, router=best.router, position=best.position)
    router = make_router(route)
    if isinstance(router, Learned) and run.gate.exists():
        return router.starting_at(load_tensors(run.gate)[0])
    return router
