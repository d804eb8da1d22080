"""Reuse the supernet that another run trained, with its evaluations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from duonas.baselines.options import BaselineOptions
from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.core.plugin import is_plugin
from duonas.pipeline.context import Context
from duonas.recipe.locations import file_hashes, identity
from duonas.recipe.schema import Recipe, plugin_hashes, to_tables
from duonas.rundir.folder import RunFolder

TABLES = ("space", "pair", "train", "data")  # that a supernet depends on, the most telling difference first


def adopt(context: Context, other: Path) -> None:
    """Copy the supernet that another run trained, if it equals the one of this recipe.

    The weights of its training rule, the logits of its archs, and static networks with equal options are copied too.

    Raises:
        DuonasError: it was trained by another recipe, on other images, from other pretrained weights, or with a part of
            the user's own that was edited since, or its training is not finished.
    """
    theirs = RunFolder(other).recipe
    others = [table for table in (*TABLES, "seed") if _as_trained(theirs, table) != _as_trained(context.recipe, table)]
    if others:
        named = " and ".join(name if name == "seed" else f"[{name}]" for name in others)
        raise DuonasError(f"{other} was trained with another {named}, so its supernet does not fit this recipe.")
    sources = plugin_hashes(context.recipe, TABLES) | file_hashes(context.recipe, TABLES)
    RunFolder(other).check_sources(sources, "leave out --supernet")
    if not RunFolder(other).is_done("train"):
        raise DuonasError(f"{other} has no trained supernet yet: finish `duonas train {other}` first.")
    if RunFolder(other).split_hashes() != context.splits.hashes:
        data = to_tables(context.recipe)["data"]
        raise DuonasError(f"{other} was trained on other images than those of {data.get('path', data['name'])}.")
    trained = {
        RunFolder(other).supernet: context.run.supernet,
        RunFolder(other).gate: context.run.gate,
        RunFolder(other).beta: context.run.beta,
        RunFolder(other).pretrained: context.run.pretrained,
    }
    taken = {source: target for source, target in trained.items() if source.exists()}
    for source, target in taken.items():
        write_bytes(target, source.read_bytes())
    if RunFolder(other).logits.exists():
        for answer in RunFolder(other).logits.glob("*.safetensors"):
            write_bytes(context.run.logits / answer.name, answer.read_bytes())
    own = [name for name in context.recipe.baselines.networks if is_plugin(name)]  # may have been edited since
    if not own and _as_measured(theirs) == _as_measured(context.recipe):
        known = RunFolder(other).baseline_weights
        for state in known.rglob("*.safetensors"):
            write_bytes(context.run.baseline_weights / state.relative_to(known), state.read_bytes())
    context.run.finish("train", list(taken.values()), seconds=0.0)


def _as_measured(recipe: Recipe) -> BaselineOptions:
    """How a recipe trains its static networks, whichever they are."""
    return replace(recipe.baselines, networks=(), plain=None)


def _as_trained(recipe: Recipe, table: str) -> Any:
    """Return a table of a recipe without the keys that do not affect weights: where the images are."""
    return identity(recipe)[table]
