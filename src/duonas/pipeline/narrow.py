"""The parts of a search space in which the most of what is allowed is large (MCUNet)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.files import read_object, reading, write_json
from duonas.core.linear import LinearSpace
from duonas.core.processes import process_count
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import CostModel, Progress
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.costs.options import HERE
from duonas.data.splits import Splits, load_splits
from duonas.pipeline.problem import make_problem
from duonas.pipeline.spaces import pairs_of
from duonas.pipeline.table import priced
from duonas.recipe.schema import Recipe, check_recipe
from duonas.rundir.folder import RunFolder
from duonas.runtime.units import percentage, written_count
from duonas.search.problem import Problem
from duonas.supernet.family import Family

DRAWN = 1000  # pairs of each part
KINDS = ("resolution", "width")  # of the axes that are narrowed


@dataclass(frozen=True)
class SubSpace:
    """A part of a search space: one resolution, and widths up to a bound.

    Args:
        axes: what ``[space] axes`` keeps of the two, besides what the recipe narrows itself.
        fits: the fraction of the drawn pairs that can meet the constraints.
        little_macs: the mean over these; NaN if there are none.
        big_macs: the same of big.
    """

    axes: Mapping[str, list[Any]]
    fits: float
    little_macs: float
    big_macs: float

    @property
    def macs(self) -> float:
        """What parts are ranked by: the mean MACs of both networks together."""
        return self.little_macs + self.big_macs


@dataclass(frozen=True)
class Narrowing:
    """The parts of a recipe's search space, the best first.

    Args:
        parts: each resolution with each bound of the widths.
        others: the axes that the recipe narrows itself, which the parts keep.
    """

    parts: tuple[SubSpace, ...]
    others: Mapping[str, list[Any]]

    @property
    def axes(self) -> dict[str, list[Any]]:
        """``[space] axes`` for the best part."""
        return {**self.others, **self.parts[0].axes}

    @property
    def line(self) -> str:
        """The line of the recipe for the best part."""
        return f"axes = {{ {_written(self.axes)} }}"

    @property
    def said(self) -> str:
        """What the best part is, and why, in a sentence."""
        best = self.parts[0]
        return (
            f"The search is narrowed to the part of the space with {_written(best.axes)}: of {len(self.parts)} parts "
            f"it has the largest pairs that can meet the constraints, on average {written_count(best.little_macs)} "
            f"MACs in little and {written_count(best.big_macs)} in big; {percentage(round(best.fits, 3))} of the pairs "
            "drawn from it can meet them."
        )

    def within(self, recipe: Recipe) -> Recipe:
        """A recipe within the best part, which need not be narrowed any more."""
        return _within(recipe, self.axes)


def narrow(
    recipe: Recipe,
    family: type[Family] | None = None,
    progress: StageProgress | None = None,
    splits: Splits | None = None,
    run: RunFolder | None = None,
) -> Narrowing:
    """Rank the parts of a recipe's search space by the mean MACs of those of their pairs that meet the constraints.

    The more operations a network has within its limits, the more accurate it is likely to be, so a space is good if
    what fits is large (Lin et al., "MCUNet: Tiny Deep Learning on IoT Devices", 2020, section 3.1). A part has one
    resolution, and in each stage the widths up to a bound.

    Args:
        recipe: the recipe.
        family: kind of network, if not the recipe's.
        progress: of drawing pairs; silent by default.
        splits: the recipe's images, if they are loaded already.
        run: the run that keeps the prices, if there is one.

    Raises:
        DuonasError: there is no constraint, nothing to narrow, or no pair that meets all constraints.
    """
    check_recipe(recipe)
    watch = progress or Silent()
    if recipe.is_given:
        raise DuonasError("--narrow: networks of [pair.given] have no search space that could be narrowed.")
    splits = splits or load_splits(recipe.data, recipe.seed)
    family = family or find("space", recipe.space.name)
    pairs = pairs_of(recipe, family, splits)
    problem = make_problem(recipe, pairs, priced(recipe, pairs, watch, run))
    parts = list(_parts(pairs.space))
    _check(recipe, problem, parts)
    own: Mapping[str, list[Any]] = getattr(recipe.space, "axes", {})
    others = {name: values for name, values in own.items() if name.rpartition(".")[2] not in KINDS}
    with watch.stage("narrow") as report:
        found = _drawn(recipe, family, splits, problem.prices.model, others, parts, report)
    ranked = sorted(found, key=lambda each: (np.isnan(each.macs), -np.nan_to_num(each.macs)))
    if np.isnan(ranked[0].macs):
        raise DuonasError(
            f"none of the {DRAWN:,} pairs drawn from each of the {len(ranked)} parts of the search space meets all "
            "constraints: relax one, or do not narrow."
        )
    return Narrowing(tuple(ranked), others)


def noted_part(recipe: Recipe, run: RunFolder) -> Recipe | None:
    """The recipe within the part of its space that a run has noted; ``None`` if it has noted none."""
    if not run.narrow.exists():
        return None
    found = read_object(run.narrow)
    with reading(run.narrow):
        return _within(recipe, found["axes"])


def note_part(found: Narrowing, run: RunFolder) -> None:
    """Note the best part in a run, so that it goes on with this part, whatever is timed or drawn later.

    Raises:
        DuonasError: several processes train, and each would time this machine by itself.
    """
    if process_count() > 1 and run.recipe.search.device.table == HERE:
        raise DuonasError(
            "[search] narrow: several processes may time this machine differently and then train different parts of "
            "the space: write the table to a file by `duonas device`, and give that as [search.device] table."
        )
    if run.writes:
        write_json(run.narrow, {"axes": found.axes, "said": found.said})


def _within(recipe: Recipe, axes: Mapping[str, list[Any]]) -> Recipe:
    space: Any = recipe.space
    search = replace(recipe.search, narrow=False)
    return replace(recipe, space=replace(space, axes=dict(axes)), search=search)


def _check(recipe: Recipe, problem: Problem, parts: list[dict[str, list[Any]]]) -> None:
    goal, name = problem.goal, problem.pairs.space.name
    if all(goal.metrics[each].late for each in goal.constraints):
        raise DuonasError(
            "narrowing ranks the parts of a space by what meets the constraints, and the recipe has none that is known "
            "before archs are evaluated: set [search.constraints], such as peak_memory_bytes or expected_latency_ms."
        )
    if len(parts) < 2 or not hasattr(recipe.space, "axes"):
        raise DuonasError(
            f"narrowing takes one resolution and widths up to a bound, and search space {name!r} has neither several "
            "resolutions nor several widths in [space.axes]."
        )
    if getattr(recipe.space, "width_range", None) is not None:
        raise DuonasError("narrowing takes widths from a list: give [space.axes] width in place of width_range.")
    problem.check()


def _parts(space: SearchSpace) -> Iterator[dict[str, list[Any]]]:
    """What ``[space] axes`` keeps in each part: one resolution, and of each stage the widths up to a bound."""
    axes = space.free.axes if isinstance(space, LinearSpace) else space.axes  # a line has no widths between its ends
    sides = next((axis.values for axis in axes.values() if axis.kind == "resolution"), ())
    stages = {name: list(axis.values) for name, axis in axes.items() if axis.kind == "width"}
    bounds = sorted({value for values in stages.values() for value in values})
    for side, bound in product(sides or (None,), bounds or (None,)):
        widths = {name: [value for value in values if value <= bound] for name, values in stages.items()}
        if not all(widths.values()):
            continue
        alike = len({tuple(values) for values in widths.values()}) == 1
        shown = {"width": next(iter(widths.values()))} if alike else widths
        yield ({} if side is None else {"resolution": [side]}) | shown


def _drawn(
    recipe: Recipe,
    family: type[Family],
    splits: Splits,
    model: CostModel,
    others: Mapping[str, list[Any]],
    parts: list[dict[str, list[Any]]],
    report: Progress,
) -> list[SubSpace]:
    """Draw pairs of each part."""
    found = []
    for number, axes in enumerate(parts):
        report(number, len(parts))
        table: Any = recipe.space
        narrowed = replace(recipe, space=replace(table, axes={**others, **axes}))
        pairs = pairs_of(narrowed, family, splits)
        if any(pairs.smallest()):
            found.append(_of_part(make_problem(narrowed, pairs, model), axes, recipe.seed))
    report(len(parts), len(parts))
    return found


def _of_part(problem: Problem, axes: Mapping[str, list[Any]], seed: int) -> SubSpace:
    rng, pairs = stream(seed, "narrow"), problem.pairs
    drawn = [pairs.sample(rng) for _ in range(DRAWN)]
    fitting = [pairs.subnets(pair) for pair in drawn if problem.feasible(pair)]
    macs = np.array([[problem.prices.subnet(subnet).macs for subnet in members] for members in fitting], float)
    little, big = macs.mean(0).tolist() if len(macs) else (np.nan, np.nan)
    return SubSpace(axes, len(fitting) / DRAWN, little, big)


def _written(axes: Mapping[str, list[Any]]) -> str:
    return ", ".join(f"{_key(name)} = {_listed(values)}" for name, values in axes.items())


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _listed(values: list[Any]) -> str:
    return f"[{', '.join(f'{each:g}' if isinstance(each, int | float) else repr(each) for each in values)}]"
