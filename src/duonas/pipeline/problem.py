"""The search problem of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from duonas.core.pair import PairArch, PairSpace
from duonas.core.protocols import CostModel
from duonas.recipe.schema import Recipe
from duonas.search.goal import Goal, default_objectives
from duonas.search.options import SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.routers import make_routers


def make_problem(recipe: Recipe, pairs: PairSpace, model: CostModel, first: Sequence[PairArch] = ()) -> Problem:
    """Return the recipe's search problem over a pair space by a cost model, without checking it.

    Args:
        recipe: the recipe.
        pairs: the pair space.
        model: the cost model.
        first: pairs of a warm start.
    """
    options, routers = searched(recipe), make_routers(recipe.search, recipe.route)
    prices = Prices(pairs, model, routers)
    objectives = options.objectives or default_objectives(prices.quantities)
    return Problem(Goal(objectives, dict(options.constraints)), prices, first, recipe.assumed_share)


def searched(recipe: Recipe) -> SearchOptions:
    """Return the ``[search]`` table, with the routing budget as a constraint if ``budget_in_search`` is set."""
    if recipe.route.priced is None or not recipe.route.budget_in_search:
        return recipe.search
    return replace(recipe.search, constraints=recipe.route.limiting(recipe.search.constraints))
