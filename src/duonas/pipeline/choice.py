"""What is said before a run of a pair that is chosen by an assumed little share."""

from __future__ import annotations

from duonas.core.text import plural
from duonas.recipe.schema import Recipe
from duonas.runtime.units import percentage


def choice_in_words(recipe: Recipe) -> str:
    """Say how the pair is chosen where that is before any accuracy is known; empty where it is searched for."""
    if recipe.assumed_share == 1:
        return ""
    ranking, search, share = recipe.search.ranking, recipe.search, percentage(recipe.assumed_share)
    said = f"the constraints hold where little answers {share} of the images"
    if ranking is not None:
        pairs = plural(search.wanted, "drawn pair")
        said = f"the best of {pairs} by {ranking} alone is taken; {said}"
    if recipe.trains_supernet:
        return f"search: {said}."
    return f"search: {said}. The supernet is not trained, so no accuracy is known before the pair is trained."


def share_of_supernet(recipe: Recipe) -> str:
    """Say at the end of a plan who has the share of a supernet that is not trained; empty if one is."""
    return "" if recipe.trains_supernet else "; the supernet is not trained, so its share of the time is the pair's"


def advice_on_ranking(recipe: Recipe) -> str:
    """Say that a ranking without limits takes one of the largest pairs; empty if there are some, or no ranking."""
    limited = recipe.search.constraints or (recipe.route.priced is not None and recipe.route.budget_in_search)
    if recipe.search.ranking is None or limited:
        return ""
    return (
        f"[search] strategy = {recipe.search.strategy!r} has no limit, and its metrics grow with the networks, so it "
        "takes one of the largest pairs: give [search.constraints], such as expected_macs, or a [route] budget."
    )
