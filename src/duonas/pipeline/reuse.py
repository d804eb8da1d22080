"""Reuse the supernet that another run trained, with its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.core.plugin import is_plugin
from duonas.core.tensors import read_header
from duonas.data.splits import Splits
from duonas.pipeline.context import Context
from duonas.pipeline.fitting import steps_per_epoch
from duonas.pipeline.narrow import noted_part
from duonas.pipeline.start import check_kept, origins
from duonas.recipe.locations import file_hashes, flat, identity
from duonas.recipe.schema import Recipe, plugin_hashes, to_tables
from duonas.rundir.folder import RunFolder

TABLES = ("space", "pair", "train", "data")  # that a supernet depends on, the most telling difference first
LENGTH = ("epochs", "steps")  # keys of [train] that a plan overrides, see ``asked_steps``
OF_THE_MACHINE = ("accelerator", "checkpoint_seconds", "timeout_seconds")  # keys that do not change what is trained


def adopt(context: Context, other: Path) -> None:
    """Copy the supernet that another run trained, if it equals the one of this recipe.

    The weights of its training rule, the logits of its archs, and static networks with equal options are copied too.

    Raises:
        DuonasError: it was trained by another recipe, on other images, from other pretrained weights, or with a part of
            the user's own that was edited since, or its training is not finished.
    """
    theirs = RunFolder(other).recipe
    theirs = noted_part(theirs, RunFolder(other)) or theirs
    if unlike := difference(theirs, context.recipe):
        raise DuonasError(f"{other} was trained with another {unlike}, so its supernet does not fit this recipe.")
    sources = plugin_hashes(context.recipe, TABLES) | file_hashes(context.recipe, TABLES)
    RunFolder(other).check_sources(sources, "leave out --supernet")
    if not RunFolder(other).is_done("train"):
        raise DuonasError(f"{other} has no trained supernet yet: finish `duonas train {other}` first.")
    if RunFolder(other).split_hashes() != context.splits.hashes:
        data = to_tables(context.recipe)["data"]
        raise DuonasError(f"{other} was trained on other images than those of {data.get('path', data['name'])}.")
    check_kept(RunFolder(other), origins(context.kinds, context.pairs), "leave out --supernet")
    _check_length(RunFolder(other), context)
    trained = {
        RunFolder(other).supernet: context.run.supernet,
        RunFolder(other).gate: context.run.gate,
        RunFolder(other).beta: context.run.beta,
        RunFolder(other).pretrained: context.run.pretrained,
        RunFolder(other).start_weights: context.run.start_weights,
    }
    taken = {source: target for source, target in trained.items() if source.exists()}
    for source, target in taken.items():
        write_bytes(target, source.read_bytes())
    if RunFolder(other).logits.exists():
        for answer in RunFolder(other).logits.glob("*.safetensors"):
            write_bytes(context.run.logits / answer.name, answer.read_bytes())
    own = [name for name in context.recipe.baselines.networks if is_plugin(name)]  # may have been edited since
    if not own and _trains_baselines_alike(theirs, context.recipe):
        known = RunFolder(other).baseline_weights
        for state in known.rglob("*.safetensors"):
            write_bytes(context.run.baseline_weights / state.relative_to(known), state.read_bytes())
    context.run.finish("train", list(taken.values()), seconds=0.0)


def difference(theirs: Recipe, ours: Recipe) -> str:
    """Say in which tables two recipes differ that a supernet depends on; empty if they would train the same one.

    How long it is trained is not compared, since a plan may have decided that; see ``asked_steps``.
    """
    found = []
    for name in (*TABLES, "seed"):
        there, here = (_as_trained(recipe, name) for recipe in (theirs, ours))
        if there != here:
            found.append(name if name == "seed" else f"[{name}]{_first_key(there, here)}")
    return " and ".join(found)


def asked_steps(recipe: Recipe, splits: Splits) -> int | None:
    """Return the steps that a recipe trains its supernet for; ``None`` where that is planned by its minutes."""
    if not recipe.trains_supernet:
        return 0
    if recipe.budget.minutes is not None:
        return None
    return recipe.train.length(steps_per_epoch(splits, recipe.train))


def _check_length(other: RunFolder, context: Context) -> None:
    """Compare the steps that a supernet was trained for with those that the recipe asks for, if it does.

    Raises:
        DuonasError: they are others.
    """
    asked, found = asked_steps(context.recipe, context.splits), int(read_header(other.supernet)["steps"])
    if asked == found or (asked is None and found > 0):
        return
    if found == 0 or asked == 0:
        trained = "is not trained, since its recipe has" if found == 0 else "is trained, and this recipe has"
        raise DuonasError(f"the supernet of {other.folder} {trained} [train] epochs = 0: leave out --supernet.")
    minutes = other.recipe.budget.minutes
    planned = "" if minutes is None else f", as it was planned for {minutes:g} minutes,"
    raise DuonasError(
        f"the supernet of {other.folder} was trained for {found:,} steps{planned} and this recipe asks for {asked:,}: "
        f"set train.steps={found}, or leave out --supernet."
    )


def _trains_baselines_alike(theirs: Recipe, ours: Recipe) -> bool:
    """Whether two recipes train their static networks in the same way, whichever they are."""
    one, other = (_without_length(asdict(each.baselines.over(each.train))) for each in (theirs, ours))
    lengths = [
        (each.baselines.epochs, each.baselines.steps, each.train.epochs, each.train.steps) for each in (theirs, ours)
    ]
    return one == other and lengths[0] == lengths[1]


def _as_trained(recipe: Recipe, table: str) -> Any:
    """Return a table of a recipe without the keys that do not affect weights, such as where the images are."""
    found = identity(recipe)[table]
    return _without_length(found) if table == "train" else found


def _without_length(train: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in train.items() if key not in (*LENGTH, *OF_THE_MACHINE)}


def _first_key(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say what the first key that differs is there and here, such as ``(lr is 0.1 there and 0.9 here)``."""
    mine, other = (dict(flat(each)) for each in (here, there))
    key = next(key for key in (*other, *mine) if mine.get(key) != other.get(key))
    values = ("not set" if each.get(key) is None else repr(each[key]) for each in (other, mine))
    return " ({} is {} there and {} here)".format(key, *values)
