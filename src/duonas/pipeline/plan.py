"""Plan the minutes of a run, before it trains anything."""

from __future__ import annotations

from collections.abc import Mapping

from duonas.core.errors import DuonasError
from duonas.core.plan import PAIR, PLAIN, SEARCH, SUPERNET, Division, Plan
from duonas.core.processes import process_count
from duonas.pipeline.timing import Timing
from duonas.recipe.schema import PLAIN_FROM, Recipe

AFTER = 15.0  # seconds to keep for routing, export, measurement and report
QUANTIZED = 20.0  # more of them, for networks in fp16 or int8
AFTER_PART = 0.03  # and this part of the minutes


def plan_minutes(timing: Timing, before: float, *, trained: bool = False) -> Plan:
    """Time the work of a recipe that has ``[budget] minutes``, and return its plan.

    Args:
        timing: of its work.
        before: seconds that the run took already, for images and prices.
        trained: whether there is a trained supernet already.

    Raises:
        DuonasError: the minutes are too few, or several processes would train; the message says what is possible.
    """
    recipe = timing.recipe
    minutes = recipe.budget.minutes
    if minutes is None:
        raise ValueError("the recipe has no minutes to plan.")
    if process_count() > 1:
        raise DuonasError(
            f"[budget] minutes plans a run of one process, and torchrun started {process_count()}: give [train] and "
            "[finetune] epochs or steps instead."
        )
    begin = timing.clock()

    def division() -> Division:
        spent = before + timing.clock() - begin
        after = AFTER + (QUANTIZED if recipe.export.converts else 0.0)
        return Division(minutes, spent, after, shares(recipe, trained=trained), AFTER_PART)

    units = timing.units(trained=trained)
    if recipe.baselines.plain is None and PLAIN not in units and division().least(units) > max(minutes, PLAIN_FROM):
        units[PLAIN] = timing.plain()  # which there is in runs of as many minutes as would be enough
    return division().plan(units)


def shares(recipe: Recipe, *, trained: bool) -> Mapping[str, float]:
    """Return the shares of the parts that a run has; what a part that it lacks would have had goes to the others."""
    budget, tunes = recipe.budget, recipe.finetune.mode != "none"
    found = {SEARCH: budget.search}
    if not trained:
        found[SUPERNET] = budget.supernet + (0.0 if tunes else budget.pair)
    if tunes:
        found[PAIR] = budget.pair + (budget.supernet if trained else 0.0)
    return found
