"""The constraints of a search, at every threshold of the pair that is deployed."""

from __future__ import annotations

import numpy as np

from duonas.core.cost import ON_DEVICE, PairCost
from duonas.core.pair import PairArch
from duonas.pipeline.context import Context
from duonas.pipeline.pairs import final_coupling
from duonas.routing.constraints import Constraint, Prediction
from duonas.routing.router import Router
from duonas.search.front import Front, FrontPoint
from duonas.search.metric import ArchMetric, Metric, PairMetric
from duonas.search.prices import Prices


def constraints_of(context: Context, router: Router, images: int) -> tuple[Constraint, ...]:
    """Return the constraints of the search, with the figures of the chosen pair by the search's own prices.

    The pair may differ from what the search constrained: by its threshold, by its fitted router, and by weights that
    fine-tuning separated.

    Args:
        context: of a run whose search is done.
        router: the fitted router.
        images: number of images that the threshold is chosen on.
    """
    goal = context.problem.goal
    if not goal.constraints:
        return ()
    best = Front.load(context.run.front).best
    prices = Prices(final_coupling(context), context.problem.prices.model, (router,))
    return tuple(
        Constraint(
            name, limit, metric.direction, _figures(prices, metric, best, images),
            table_of(context) if metric.quantity in ON_DEVICE else None,
        )
        for name, limit, metric in ((name, limit, goal.metrics[name]) for name, limit in goal.constraints.items())
    )  # fmt: skip


def table_of(context: Context) -> Prediction | None:
    """Return the device table that the search was priced by; ``None`` without one."""
    found = context.problem.prices.model.origin()
    return Prediction(str(found.get("path", "")), str(found.get("device", ""))) if found else None


def prices_of(context: Context, router: Router) -> dict[str, PairCost]:
    """Return what the chosen pair costs by the device table of the search, by quantity; empty without a table.

    Args:
        context: of a run whose search is done.
        router: the fitted router.
    """
    model = context.problem.prices.model
    if tuple(model.quantities) == ("macs",):
        return {}
    prices = Prices(final_coupling(context), model, (router,))
    parts = prices.price(Front.load(context.run.front).best.pair, router).parts
    return {quantity: cost for quantity, cost in parts.items() if quantity != "macs"}


def _figures(prices: Prices, metric: Metric, best: FrontPoint, images: int) -> np.ndarray:
    """Return the figures (images + 1,) by little share, or (1,) for a metric that does not vary."""
    if isinstance(metric, PairMetric):
        shares = np.arange(images + 1) / images if metric.varies else np.ones(1)
        value = np.asarray(metric.value(prices.price(best.pair, prices.routers[0]), shares), np.float64)
        return np.array(np.broadcast_to(value, shares.shape))
    if isinstance(metric, ArchMetric) and not metric.late:
        little, big = _members(prices, best.pair, metric)
        return np.array([float(metric.worse(little, big))])
    return np.array([float(best.figures.get(metric.called, np.nan))])  # known from the search


def _members(prices: Prices, pair: PairArch, metric: ArchMetric) -> tuple[float, float]:
    little, big = (prices.arch_value(metric, subnet) for subnet in prices.pairs.subnets(pair))
    return little, big
