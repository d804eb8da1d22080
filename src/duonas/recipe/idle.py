"""Keys of a recipe that have no effect because of another key, in one table: each is said in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from duonas.core.registry import find
from duonas.core.text import listed
from duonas.recipe.schema import Recipe

SHOWN = 3  # keys in a sentence


@dataclass(frozen=True)
class Idle:
    """Keys that have no effect in some recipes.

    Args:
        keys: such as ``finetune.epochs``; ``finetune`` stands for all keys of that table.
        when: whether a recipe leaves them without effect.
        why: what it has that does so.
        but: keys of these tables that do have an effect.
    """

    keys: tuple[str, ...]
    when: Callable[[Recipe], bool]
    why: str
    but: tuple[str, ...] = ()

    def said(self, recipe: Recipe) -> str:
        """A sentence on the keys that the recipe sets and that have no effect; empty if there are none."""
        if not self.when(recipe):
            return ""
        given = [key for key in _set(recipe) if _is_among(key, self.keys) and not _is_among(key, self.but)]
        if not given:
            return ""
        return f"{listed(given, SHOWN)} {'has' if len(given) == 1 else 'have'} no effect: {self.why}."


def _loss(recipe: Recipe) -> Any:
    return getattr(recipe.train, "loss", None)


def _warms_up(recipe: Recipe) -> bool:
    tables = [recipe.space, *filter(None, [recipe.pair.little])]
    return any(find("weights", table.weights.name).warms_up for table in tables)


def _learns_from_labels(recipe: Recipe) -> bool:
    """Whether the supernet's training has labels alone, and no teacher."""
    return recipe.train.rule == "uniform" and getattr(recipe.train, "students", "auto") != "soft"


# Strategies that have no generation to begin with.
COLD = ("random", "sequential", "every", "splines", "drnas", "zero_cost")
TABLE = (
    Idle(
        (
            "space", "train", "search.strategy", "search.evaluations", "search.filter", "search.workers", "search.ray",
            "search.warm_start", "search.narrow",
        ),
        lambda r: r.is_given and not r.baselines.networks,
        "networks of [pair.given] are neither searched for nor trained",
    ),
    Idle(
        (
            "train.rule", "train.sampler", "train.warm_start", "train.resolution", "train.coefficients",
            "train.coefficient_epochs", "train.phases", "search.evaluations", "search.objectives", "search.filter",
            "search.workers", "search.ray",
        ),
        lambda r: not r.is_given and not r.trains_supernet,
        "[train] epochs = 0 trains no supernet, so nothing is evaluated in the search",
    ),
    Idle(
        ("search.evaluations", "search.filter"),
        lambda r: r.trains_supernet and r.search.ranking is not None,
        "strategy = 'zero_cost' proposes a single pair",
    ),
    Idle(
        ("search.share",), lambda r: r.assumed_share == 1,
        "the search finds the little share, which only strategy = 'zero_cost' and [train] epochs = 0 assume",
    ),
    Idle(
        ("finetune",), lambda r: r.finetune.mode == "none", "[finetune] mode = 'none' trains no pair",
        but=("finetune.mode",),
    ),
    Idle(
        ("finetune.loss.alpha", "finetune.loss.beta", "finetune.temperature", "finetune.divergence"),
        lambda r: r.finetune.mode == "independent",
        "[finetune] mode = 'independent' trains each network by itself, on labels",
    ),
    Idle(
        ("finetune.loss.little_share",),
        lambda r: r.finetune.mode != "none" and r.finetune.loss.weighting == "equal",
        "only the weightings of [finetune.loss] ask for it, and weighting is 'equal'",
    ),
    Idle(
        ("export.calibration_images", "export.layer_images"),
        lambda r: r.export.precision != "int8",
        "[export] precision is not 'int8'",
    ),
    Idle(("train.epochs",), lambda r: r.train.steps is not None, "[train] steps takes the place of epochs"),
    Idle(
        ("finetune.epochs",),
        lambda r: r.finetune.mode != "none" and r.finetune.steps is not None,
        "[finetune] steps takes the place of epochs",
    ),
    Idle(("baselines.epochs",), lambda r: r.baselines.steps is not None, "[baselines] steps takes the place of epochs"),
    Idle(
        ("baselines",),
        lambda r: not r.baselines.networks and not r.trains_plain,
        "[baselines] names no networks, and no plain network is trained",
        but=("baselines.networks", "baselines.plain", "baselines.ofa_pair"),
    ),
    Idle(
        ("baselines.epochs", "baselines.steps"),
        lambda r: not r.baselines.networks and r.trains_plain,
        "the plain network is trained for as long as supernet and pair",
    ),
    Idle(("budget",), lambda r: r.budget.minutes is None, "[budget] has no minutes to share"),
    Idle(
        ("train.warm_start",), lambda r: r.train.rule == "largest",
        "[train] rule = 'largest' trains the largest arch anyway",
    ),
    Idle(
        ("train.coefficients", "train.coefficient_epochs"),
        lambda r: not _warms_up(r),
        "[space.weights] has no coefficients that could warm up",
    ),
    Idle(
        ("train.temperature", "train.divergence"), _learns_from_labels,
        "[train] rule = 'uniform' learns from labels alone",
    ),
    Idle(("train.lr_end",), lambda r: r.train.schedule != "exponential", "[train] schedule = 'cosine' falls to zero"),
    Idle(
        ("train.pretrained_lr",),
        lambda r: all(each.pretrained == "none" for each in (r.space, *filter(None, [r.pair.little]))),
        "no pretrained weights are asked for",
    ),
    Idle(
        ("train.loss.gate", "train.loss.gate_tau", "train.loss.gate_width"),
        lambda r: _loss(r) is not None and not (_loss(r).gamma or _loss(r).cost or _loss(r).peak),
        "gamma, cost and peak of [train.loss] are 0, so nothing has a gate",
    ),
    Idle(
        ("train.loss.cost_budget",), lambda r: _loss(r) is not None and not _loss(r).cost,
        "the weight cost of [train.loss] is 0",
    ),
    Idle(
        ("train.loss.peak_budget",), lambda r: _loss(r) is not None and not _loss(r).peak,
        "the weight peak of [train.loss] is 0",
    ),
    Idle(("pair.splits",), lambda r: r.pair.coupling != "partial", "only [pair] coupling = 'partial' has split points"),
    Idle(
        ("route.confidence", "route.floor_on"), lambda r: r.route.floor is None,
        "[route] has no floor that could be guaranteed",
    ),
    Idle(("route.budget_in_search",), lambda r: r.route.budget is None, "[route] has no budget"),
    Idle(("route.watts",), lambda r: r.route.energy is None, "[route] has no energy as a target"),
    Idle(
        ("search.warm_start",), lambda r: r.search.strategy in COLD,
        "only the strategies that begin with several pairs of all sizes take those of another run",
    ),
    Idle(
        ("search.workers",), lambda r: r.search.ray is not None and not r.is_given,
        "[search] ray has as many workers as the cluster has cores for",
    ),
    Idle(
        ("search.strategy", "search.evaluations", "search.objectives", "search.filter", "search.zero_cost"),
        lambda r: r.search.pair is not None,
        "[search.pair] names the pair, so none is searched",
    ),
)  # fmt: skip


def idle_keys(recipe: Recipe) -> tuple[str, ...]:
    """Return a sentence for each key of the recipe that is set and has no effect because of others."""
    return tuple(said for each in TABLE if (said := each.said(recipe)))


def _set(recipe: Recipe) -> Iterator[str]:
    """Yield the keys whose values are not the defaults, such as ``finetune.loss.alpha``."""
    for each in fields(recipe):
        if is_dataclass(getattr(recipe, each.name)):
            yield from _changed(getattr(recipe, each.name), each.name)


def _changed(options: Any, where: str) -> Iterator[str]:
    for each in fields(options):
        value, key = getattr(options, each.name), f"{where}.{each.name}"
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if is_dataclass(value) and not isinstance(value, type):
            yield from _changed(value, key)
        elif value != default and not (isinstance(value, Mapping) and not value):
            yield key


def _is_among(key: str, keys: tuple[str, ...]) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in keys)
