"""Taking over the supernet that another run trained, with what is known of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_bytes
from duonas.pipeline.context import Job
from duonas.recipe.schema import Recipe
from duonas.rundir.run import Run


def adopt(job: Job, other: Path) -> None:
    """Take the supernet that another run trained, if it is the one that this recipe asks for.

    With it come what its rule learned, what its archs answered, and the static networks where they are trained alike.

    Raises:
        DuonasError: it was trained by another recipe or on other images, or is not there yet.
    """
    theirs = Run(other).recipe
    tables = ("space", "pair", "train", "data", "seed")  # what says most comes first
    others = [table for table in tables if _as_trained(theirs, table) != _as_trained(job.recipe, table)]
    if others:
        named = " and ".join(name if name == "seed" else f"[{name}]" for name in others)
        raise DuonasError(f"{other} was trained by another {named}: its supernet is not the one this recipe asks for.")
    if not Run(other).is_done("train"):
        raise DuonasError(f"{other} has no trained supernet yet: finish `duonas train {other}` first.")
    if read_json(Run(other).splits) != job.splits.hashes:
        raise DuonasError(
            f"{other} was trained on other images than {job.recipe.data.path or job.recipe.data.name} holds."
        )
    trained = {Run(other).supernet: job.run.supernet, Run(other).gate: job.run.gate, Run(other).beta: job.run.beta}
    taken = {source: target for source, target in trained.items() if source.exists()}
    for source, target in taken.items():
        write_bytes(target, source.read_bytes())
    if Run(other).logits.exists():  # what its archs answered is known too
        for answer in Run(other).logits.glob("*.safetensors"):
            write_bytes(job.run.logits / answer.name, answer.read_bytes())
    if replace(theirs.baselines, networks=()) == replace(job.recipe.baselines, networks=()):
        known = Run(other).baseline_weights  # static networks go on from where they are there
        for state in known.rglob("*.safetensors"):
            write_bytes(job.run.baseline_weights / state.relative_to(known), state.read_bytes())
    job.run.finish("train", list(taken.values()), seconds=0.0)


def _as_trained(recipe: Recipe, table: str) -> Any:
    """A table of a recipe, less what changes no weights: where the images lay."""
    options = getattr(recipe, table)
    return replace(options, store="memory", cache=None) if table == "data" else options
