"""What two keys of a recipe, of one table or of two, cannot both say."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from duonas.core.errors import DuonasError
from duonas.costs.options import HERE, NONE
from duonas.deploy.options import ExportOptions
from duonas.recipe.budget import BudgetOptions
from duonas.recipe.errors import Mistake
from duonas.recipe.untrained import check_untrained
from duonas.routing.options import TARGETS, RouteOptions
from duonas.search.goal import Goal
from duonas.search.metric import find_filter
from duonas.search.options import SearchOptions
from duonas.supernet.options import PairOptions
from duonas.training.options import LossOptions, PairLossOptions

if TYPE_CHECKING:
    from duonas.recipe.schema import Recipe


def check_together(recipe: Recipe) -> None:
    """Refuse keys that contradict each other.

    Raises:
        Mistake: the message names two that do.
    """
    _check_targets(recipe.route)
    if recipe.train.class_weights == recipe.train.sampling == "balanced":
        raise Mistake(
            "[train] class_weights = 'balanced' and sampling = 'balanced' would make up for rare classes twice: "
            "choose one of them", "train.class_weights", "train.sampling",
        )  # fmt: skip
    _check_shares(recipe.budget)
    _check_losses(recipe)
    _check_precision(recipe.export)
    _check_little(recipe.pair)
    _check_given(recipe)
    _check_search(recipe.search)
    check_untrained(recipe)
    if recipe.baselines.ofa_pair and not recipe.trains_supernet:
        raise Mistake(
            "[baselines] ofa_pair takes the best networks of the search by their accuracy, and no supernet is trained "
            "to know that: leave it out", "baselines.ofa_pair",
        )  # fmt: skip


def _check_targets(route: RouteOptions) -> None:
    given = [name for name in TARGETS if getattr(route, name) is not None]
    if len(given) > 1:
        keys = [f"route.{name}" for name in given]
        raise Mistake(f"[route] takes one of {', '.join(TARGETS)}, got {' and '.join(given)}", *keys)


def _check_search(search: SearchOptions) -> None:
    for column in ("latency", "energy"):
        if getattr(search.device, column) is not None and search.device.table in (HERE, NONE):
            raise Mistake(
                f"[search.device] {column} names a column of a table: give table = the file", f"search.device.{column}"
            )
    if search.narrow and search.pair is not None:
        raise Mistake(
            "[search] narrow chooses a part of the space, and [search.pair] names the pair: leave out one of them",
            "search.narrow", "search.pair",
        )  # fmt: skip
    try:
        Goal(("accuracy",) if search.objectives is None else search.objectives, search.constraints)
    except DuonasError as error:
        raise Mistake(str(error), "search.objectives", "search.constraints") from error
    if search.filter is not None:
        try:
            find_filter(search.filter.metric)
        except DuonasError as error:
            raise Mistake(str(error), "search.filter.metric") from error
    if search.ranking is not None:
        try:
            find_filter(search.ranking, "zero_cost metric")
        except DuonasError as error:
            raise Mistake(str(error), "search.zero_cost.metric") from error


def _check_given(recipe: Recipe) -> None:
    given = recipe.pair.given
    if not recipe.is_given:
        if given is not None:
            raise Mistake(
                f"[pair.given] names the networks of the pair, with which coupling must be 'given', got "
                f"{recipe.pair.coupling!r}: leave out coupling, or [pair.given]", "pair.coupling", "pair.given",
            )  # fmt: skip
        return
    if given is None or not given.little or not given.big:
        raise Mistake(
            "[pair] coupling = 'given' needs the networks: [pair.given] little = [\"little.onnx\"] and big = "
            "[\"big.onnx\"]", "pair.given", "pair.coupling",
        )  # fmt: skip
    if recipe.finetune.mode != "none":
        raise Mistake(
            f"networks of [pair.given] are not trained on, so [finetune] mode must be 'none', got "
            f"{recipe.finetune.mode!r}", "finetune.mode",
        )  # fmt: skip
    if recipe.budget.minutes is not None:
        raise Mistake(
            "[budget] minutes divides the time of training, and networks of [pair.given] are not trained: leave it out",
            "budget.minutes",
        )
    if recipe.search.device.table not in (HERE, NONE):
        raise Mistake(
            "[search.device] table has times of blocks, and networks of [pair.given] have none: write 'here' to time "
            "them on this machine, or 'none'", "search.device.table",
        )  # fmt: skip


def _check_shares(budget: BudgetOptions) -> None:
    shares = {name: getattr(budget, name) for name in ("supernet", "search", "pair")}
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        given = ", ".join(f"{name} = {share:g}" for name, share in shares.items())
        raise Mistake(
            f"supernet, search and pair of [budget] must sum to 1, and {given} sum to {sum(shares.values()):g}",
            *(f"budget.{name}" for name in shares),
        )


def _check_losses(recipe: Recipe) -> None:
    """Refuse losses of a pair that train nothing of little."""
    tables = [("train.loss", getattr(recipe.train, "loss", None))]
    if recipe.finetune.mode in ("joint", "scratch"):
        tables.append(("finetune.loss", recipe.finetune.loss))
    for where, loss in tables:
        if loss is None or not loss.alpha == loss.beta == 0 or _has_terms(loss):
            continue
        raise Mistake(
            f"[{where}] alpha and beta are 0, so little learns nothing: give one of them a weight, or leave both out",
            f"{where}.alpha", f"{where}.beta",
        )  # fmt: skip


def _has_terms(loss: Any) -> bool:
    """Whether a loss has further terms, of which little may learn."""
    known = {each.name for options in (LossOptions, PairLossOptions) for each in fields(options)}
    return bool(loss.terms) or any(
        getattr(loss, each.name) not in (each.default, None, 0) for each in fields(loss) if each.name not in known
    )


def _check_precision(export: ExportOptions) -> None:
    if export.most_points_lost is None:
        return
    if export.precision != "int8":
        raise Mistake(
            f"[export] most_points_lost is for precision = 'int8', and precision is {export.precision!r}: leave it out",
            "export.most_points_lost", "export.precision",
        )  # fmt: skip
    if export.layer_images == 0:
        raise Mistake(
            "[export] most_points_lost leaves the worst layers in float, which are not known with layer_images = 0: "
            "leave that out", "export.most_points_lost", "export.layer_images",
        )  # fmt: skip


def _check_little(pair: PairOptions) -> None:
    if pair.little is None:
        return
    if pair.coupling != "independent":
        raise Mistake(
            f"[pair.little] gives little a search space of its own, with which coupling must be 'independent', got "
            f"{pair.coupling!r}: leave out coupling, or [pair.little]", "pair.coupling", "pair.little",
        )  # fmt: skip
    for key in ("little_squeeze_excite", "little_blocks"):
        if getattr(pair, key) != "same":
            raise Mistake(
                f"[pair] {key} varies the blocks of [space] for little, which has a space of its own in [pair.little]: "
                "give its blocks there", f"pair.{key}", "pair.little",
            )  # fmt: skip
