"""What a recipe may not ask for where ``[train] epochs = 0``: whatever needs a trained supernet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duonas.core.registry import find
from duonas.recipe.errors import Mistake
from duonas.search.goal import Goal

if TYPE_CHECKING:
    from duonas.recipe.schema import Recipe


def check_untrained(recipe: Recipe) -> None:
    """Refuse keys that need a trained supernet, if the recipe does not train one.

    Raises:
        Mistake: the message names such a key.
    """
    if recipe.is_given or recipe.trains_supernet:
        return
    if recipe.train.steps is not None:
        raise Mistake(
            f"[train] epochs = 0 trains no supernet, and steps = {recipe.train.steps} trains one: leave out one of "
            "them", "train.epochs", "train.steps",
        )  # fmt: skip
    _check_search(recipe)
    if recipe.finetune.mode == "none":
        raise Mistake(
            "[finetune] mode = 'none' leaves the pair with the weights of the supernet, which [train] epochs = 0 does "
            "not train: take mode = 'scratch', 'joint' or 'independent'", "finetune.mode", "train.epochs",
        )  # fmt: skip
    if recipe.budget.minutes is None and recipe.finetune.epochs is None and recipe.finetune.steps is None:
        raise Mistake(
            "[finetune] is as long as [train] by default, where epochs = 0: give [finetune] epochs or steps, or "
            "[budget] minutes", "finetune.epochs", "train.epochs",
        )  # fmt: skip
    static = recipe.baselines
    if static.networks and static.epochs is None and static.steps is None:
        raise Mistake(
            "[baselines] networks are trained as long as [train] by default, where epochs = 0: give [baselines] epochs "
            "or steps", "baselines.epochs", "train.epochs",
        )  # fmt: skip


def _check_search(recipe: Recipe) -> None:
    search = recipe.search
    if search.pair is None and find("strategy", search.strategy).needs_accuracies:
        raise Mistake(
            f"[search] strategy = {search.strategy!r} needs accuracies, and [train] epochs = 0 trains no supernet to "
            "get them from: take strategy = 'zero_cost', or name the pair in [search.pair], or train the supernet",
            "search.strategy", "train.epochs",
        )  # fmt: skip
    metrics = Goal(("accuracy",), search.constraints).metrics
    for name in (name for name, metric in metrics.items() if metric.late):
        raise Mistake(
            f"[search.constraints] {name} is not known before archs are evaluated, and [train] epochs = 0 trains no "
            "supernet to evaluate them with: leave it out, or train the supernet",
            f"search.constraints.{name}", "train.epochs",
        )  # fmt: skip
