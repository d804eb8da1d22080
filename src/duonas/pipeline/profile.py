"""Size of a search space, costs of its archs, and feasibility of constraints, before any training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from duonas.core.cost import Cost
from duonas.core.couplings import possible_pairs
from duonas.core.errors import DuonasError
from duonas.core.files import expand
from duonas.core.pair import Role
from duonas.core.plan import Plan
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import silent
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.costs.calibration import prices_in_words
from duonas.data.splits import Splits, load_splits
from duonas.given.candidates import read_all
from duonas.pair.facts import ROLES
from duonas.pipeline.check import check_budget, check_given, check_meter, check_space, check_stages
from duonas.pipeline.choice import advice_on_ranking, choice_in_words
from duonas.pipeline.context import cpu_threads, find_device
from duonas.pipeline.given import candidates_of, data_of, facts_of, networks_of
from duonas.pipeline.losses import check_losses
from duonas.pipeline.narrow import narrow
from duonas.pipeline.plan import expected, plan_minutes
from duonas.pipeline.problem import make_problem, searched
from duonas.pipeline.spaces import advice_on_precision, advice_on_spaces, kinds_of, pairs_of, weights_advice
from duonas.pipeline.start import find_starts
from duonas.pipeline.table import priced
from duonas.pipeline.timing import Timing
from duonas.pipeline.warm import pairs_of_run
from duonas.recipe.idle import idle_keys
from duonas.recipe.schema import Recipe, check_recipe
from duonas.routing.floor import highest_floor
from duonas.routing.options import FloorOn
from duonas.routing.route import LEAST, class_counts
from duonas.search.goal import Goal, default_objectives
from duonas.search.metric import ACCURACY
from duonas.search.problem import Problem
from duonas.supernet.family import Family
from duonas.training.timing import Clock

SIZES = ("weight_bytes", "peak_memory_bytes")
PROFILED = 2000  # number of archs sampled for the median


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of a figure over archs."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Feasibility:
    """Whether a constraint can be met, with the reason in ``why``, such as ``"little 0.4M ... 3.1M"``."""

    name: str
    limit: float
    met: bool
    why: str


@dataclass(frozen=True)
class Promise:
    """The highest floor that the calib split can guarantee, which takes right answers to all of its images.

    Args:
        floor: in [0, 1].
        floor_on: what the floor is on: ``accuracy``, ``balanced`` or ``worst_class``.
        confidence: of the guarantee.
        images: number of images that tau is going to be chosen on.
    """

    floor: float
    floor_on: FloorOn
    confidence: float
    images: int


@dataclass(frozen=True)
class Profile:
    """The figures of a recipe's search space.

    Args:
        archs: exact number of archs; of big, where little has a search space of its own.
        couplings: exact number of pairs by coupling, for all couplings that there can be (paper D, appendix E.1).
        coupling: the recipe's coupling.
        splits: the stages after which little may branch off, if the coupling can be partial.
        figures: figures of the archs by ``Cost``'s names; ``latency_ms`` and ``energy_mj`` with a device table.
        constraints: feasibility of each constraint of the recipe.
        promise: the highest accuracy floor that calib can guarantee.
        measured: number of archs in the device table, if it is one of whole networks.
        refusal: error message of a run that would be refused, such as for constraints that no pair meets, or ``None``.
        advice: on the search space for images of this size, and on keys without effect; empty if there is none.
        prices: what the prices are from and how far they are off, in words; empty if they are counted.
        possible: the least of any pair that was found, by metric: below it no constraint can be met. The expected cost
            is that of a pair whose little answers every image.
        plan: how the minutes of ``[budget]`` would be divided on this machine; without minutes, where a plain network
            is trained for as long as all else, what the run is going to take; ``None`` otherwise.
        choice: how the pair is chosen where that is before any accuracy is known, in words; else empty.
        narrowed: the part of the space that the figures are of, where ``[search] narrow`` chose one, in words; else
            empty.
        little_archs: exact number of archs of a search space of little's own; ``None`` if it has none.
        little_figures: figures of these archs; empty if it has none.
    """

    archs: int
    couplings: Mapping[str, int]
    coupling: str
    splits: tuple[int, ...]
    figures: Mapping[str, Spread]
    constraints: tuple[Feasibility, ...] = ()
    promise: Promise | None = None
    measured: int | None = None
    refusal: str | None = None
    advice: str = ""
    prices: str = ""
    possible: Mapping[str, float] = field(default_factory=dict)
    plan: Plan | None = None
    choice: str = ""
    narrowed: str = ""
    little_archs: int | None = None
    little_figures: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        """The exact number of pairs of the recipe's coupling."""
        return self.couplings[self.coupling]


def profile(
    recipe: Recipe,
    family: type[Family] | None = None,
    progress: StageProgress | None = None,
    clock: Clock = time.perf_counter,
) -> Profile:
    """Return the figures of the recipe's search space, before any training.

    Counts are exact. Minimum and maximum of a figure are those of the smallest and the largest arch; the median is over
    2,000 archs sampled with the recipe's seed. Figures of a device table of whole networks are over all its archs;
    those of a table of blocks, which may not grow with the archs, include the sampled minimum and maximum.

    Args:
        recipe: the recipe.
        family: kind of network, if not the recipe's.
        progress: of measuring this machine, where the recipe asks for that; silent by default.
        clock: the time in seconds, by which minutes are planned.
    """
    begin = clock()
    check_recipe(recipe)
    if recipe.is_given:
        return _of_given(recipe, progress or Silent())
    splits = load_splits(recipe.data, recipe.seed)
    family = family or find("space", recipe.space.name)
    narrowed = ""
    if recipe.search.narrow:
        part = narrow(recipe, family, progress, splits)
        recipe, narrowed = part.within(recipe), part.said
    pairs = pairs_of(recipe, family, splits)
    check_space(recipe, family, pairs, splits)
    weights = weights_advice(recipe, family, pairs)
    find_starts(recipe, kinds_of(recipe, family), pairs)
    said = [
        advice_on_spaces(recipe, family, splits), advice_on_precision(recipe, pairs), advice_on_ranking(recipe), weights
    ]  # fmt: skip
    problem = make_problem(recipe, pairs, priced(recipe, pairs, progress or Silent()))
    own = None if recipe.pair.little is None else pairs.spaces["little"]
    couplings = possible_pairs(pairs.space, recipe.pair.splits) if own is None else {pairs.coupling: pairs}
    networks = problem.prices.model.networks
    check_budget(recipe, problem)
    problem.goal.check(problem.prices.quantities)
    refusal, plan = _refusal(problem, recipe, splits), None
    if refusal is None and (recipe.budget.minutes is not None or recipe.trains_plain):
        refusal, plan = _planned(lambda: Timing(recipe, family, pairs, splits, find_device(recipe), clock), begin)
    return Profile(
        archs=pairs.space.size(),
        couplings={name: found.size() for name, found in couplings.items()},
        coupling=pairs.coupling,
        splits=couplings["partial"].splits if "partial" in couplings else (),
        figures=_spreads(problem, "big", recipe.seed),
        constraints=_feasibility(problem, searched(recipe).constraints),
        promise=_promise(recipe, splits),
        measured=len(networks) if networks is not None else None,
        refusal=refusal,
        advice=" ".join(filter(None, [*said, *idle_keys(recipe)])),
        prices=prices_in_words(problem.prices.model.origin()),
        possible=_possible(problem),
        plan=plan,
        choice=choice_in_words(recipe),
        narrowed=narrowed,
        little_archs=None if own is None else own.size(),
        little_figures={} if own is None else _spreads(problem, "little", recipe.seed),
    )


def _of_given(recipe: Recipe, progress: StageProgress) -> Profile:
    """Return the figures of the networks that a recipe gives, which are read, tried and timed."""
    found = read_all(networks_of(recipe), recipe.export.opset)
    splits = load_splits(data_of(recipe, found), recipe.seed)
    every = candidates_of(recipe, found, splits, silent)
    facts = facts_of(recipe, every, splits, progress)
    pairs = facts.pairs(splits.num_classes)
    problem = make_problem(recipe, pairs, facts.prices)
    check_budget(recipe, problem)
    problem.goal.check(problem.prices.quantities)
    about = dict.fromkeys(each.about for role in ROLES for each in every[role])
    return Profile(
        archs=len(every["big"]),
        couplings={pairs.coupling: pairs.size()},
        coupling=pairs.coupling,
        splits=(),
        figures=_over([facts.costs[each.label] for each in every["big"]]),
        constraints=_feasibility(problem, searched(recipe).constraints),
        promise=_promise(recipe, splits),
        refusal=_refusal(problem, recipe, splits),
        prices="\n".join(filter(None, [*about, prices_in_words(facts.prices.origin())])),
        possible=_possible(problem),
        little_archs=len(every["little"]),
        little_figures=_over([facts.costs[each.label] for each in every["little"]]),
    )


def _over(costs: Sequence[Cost]) -> dict[str, Spread]:
    """Return the figures of some networks."""
    columns = {name: [each.figures[name] for each in costs] for name in costs[0].figures}
    return {name: Spread(min(column), float(np.median(column)), max(column)) for name, column in columns.items()}


def _possible(problem: Problem) -> dict[str, float]:
    """Return the least of any pair in the cost that the search compares by, in size and in memory."""
    wanted = (*default_objectives(problem.prices.quantities), *SIZES)
    alone = Problem(Goal(wanted, {}), problem.prices)
    if not any(problem.pairs.smallest()):
        return {}
    return {name: alone.lowest(name) for name in wanted if name != ACCURACY}


def _spreads(problem: Problem, role: Role, seed: int) -> dict[str, Spread]:
    model, space, rng = problem.prices.model, problem.pairs.spaces[role], stream(seed, "profile")
    drawn = [model(space.blocks(space.sample(rng))).figures for _ in range(PROFILED)]
    ends = [model(space.blocks(arch)).figures for arch in (space.smallest(), space.largest())]
    columns = {name: np.array([row[name] for row in drawn]) for name in drawn[0]}
    spreads = {}
    for name, column in columns.items():
        least, most = (end[name] for end in ends)
        if name.endswith(("_ms", "_mj")):
            least, most = min(least, float(column.min())), max(most, float(column.max()))
        spreads[name] = Spread(least, float(np.median(column)), most)
    if model.networks is not None:
        for name in [name for name in model.quantities if name != "macs"]:
            column = np.array([row[name] for row in model.networks.values()])
            spreads[name] = Spread(*map(float, (column.min(), np.median(column), column.max())))
    return spreads


def _feasibility(problem: Problem, constraints: Mapping[str, float]) -> tuple[Feasibility, ...]:
    """Return for each constraint alone whether any pair of the space meets it, and why."""
    found = []
    for name, limit in constraints.items():
        alone = Problem(replace(problem.goal, constraints={name: limit}), problem.prices, (), problem.share)
        late = problem.goal.metrics[name].late
        why = "unknown until archs are evaluated" if late else alone.needs(name)
        found.append(Feasibility(name, limit, late or _is_met(alone), why))
    return tuple(found)


def _promise(recipe: Recipe, splits: Splits) -> Promise | None:
    """Return what calib can guarantee; ``None`` if it is too small to choose a threshold on."""
    route, labels = recipe.route, splits.calib.labels.numpy()
    if len(labels) < LEAST:
        return None
    count = class_counts(labels, splits.num_classes, recipe.seed)
    highest = highest_floor(count, route.floor_on, route.confidence)
    return Promise(highest, route.floor_on, route.confidence, int(count.sum()))


def _refusal(problem: Problem, recipe: Recipe, splits: Splits) -> str | None:
    """Return why a run of the recipe is refused, or ``None``; its accelerator may be another machine's."""
    try:
        if recipe.is_given:
            check_given(recipe, problem, splits, torch.device("cpu"))
        else:
            if recipe.search.warm_start is not None:
                pairs_of_run(expand(recipe.search.warm_start, "search.warm_start"), problem.pairs)
            check_stages(recipe, problem, splits, torch.device("cpu"))
            check_losses(recipe, splits)
        check_meter(recipe)
    except DuonasError as error:
        return str(error)
    return None


def _planned(make: Callable[[], Timing], begin: float) -> tuple[str | None, Plan | None]:
    """Return why a run could not keep to its minutes, or its plan, or what it takes; ``begin`` is when it began."""
    try:
        timing = make()
        with cpu_threads(timing.recipe.threads):
            make_plan = expected if timing.recipe.budget.minutes is None else plan_minutes
            return None, make_plan(timing, timing.clock() - begin)
    except DuonasError as error:
        return str(error), None


def _is_met(problem: Problem) -> bool:
    try:
        problem.check()
    except DuonasError:
        return False
    return True
