"""Plan the minutes of a run, before it trains anything."""

from __future__ import annotations

from collections.abc import Mapping

from duonas.core.errors import DuonasError
from duonas.core.plan import PAIR, PLAIN, SEARCH, SUPERNET, Division, Part, Plan
from duonas.core.processes import process_count
from duonas.pipeline.timing import Timing
from duonas.recipe.schema import PLAIN_FROM, Recipe


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
    begin, trained = timing.clock(), trained or not recipe.trains_supernet

    units = timing.units(trained=trained)
    after = {plain: timing.after(plain=plain) for plain in (False, True)}

    def division() -> Division:
        spent = before + timing.clock() - begin
        return Division(minutes, spent, after[PLAIN in units], shares(recipe, trained=trained))

    if recipe.baselines.plain is None and PLAIN not in units and division().least(units) > max(minutes, PLAIN_FROM):
        units[PLAIN] = timing.plain()  # which there is in runs of as many minutes as would be enough
    return division().plan(units)


def expected(timing: Timing, before: float, *, trained: bool = False) -> Plan:
    """Time the work of a recipe without minutes, and return what its parts are going to take, as a plan.

    Args:
        timing: of its work.
        before: seconds that the run took already, for images and prices.
        trained: whether there is a trained supernet already.
    """
    recipe, begin = timing.recipe, timing.clock()
    units = timing.units(trained=trained or not recipe.trains_supernet)
    after, counts, steps = timing.after(plain=recipe.trains_plain), dict[str, int](), 0
    if SUPERNET in units:
        counts[SUPERNET] = steps = recipe.train.length(units[SUPERNET].epoch or 1)
    if SEARCH in units:
        counts[SEARCH] = units[SEARCH].most or 1
    if PAIR in units:
        counts[PAIR] = recipe.finetune.over(recipe.train).length(units[PAIR].epoch or 1)
        steps += counts[PAIR] * (2 if recipe.finetune.mode == "independent" else 1)
    counts |= {PLAIN: steps} if PLAIN in units else {}
    parts = {name: Part(count * units[name].seconds, count, units[name]) for name, count in counts.items()}
    before += timing.clock() - begin
    seconds = before + after + sum(part.seconds for part in parts.values())
    return Plan(round(seconds / 60, 1), before, after, parts)


def shares(recipe: Recipe, *, trained: bool) -> Mapping[str, float]:
    """Return the shares of the parts that a run has; what a part that it lacks would have had goes to the others."""
    budget, tunes = recipe.budget, recipe.finetune.mode != "none"
    found = {SEARCH: budget.search} if recipe.searches else {}
    if not trained:
        found[SUPERNET] = budget.supernet + (0.0 if tunes else budget.pair)
    if tunes:
        found[PAIR] = budget.pair + (budget.supernet if trained else 0.0)
    return found
