"""The search spaces of a recipe for its images: one for both networks, or one for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace, Role
from duonas.core.registry import adapted, find
from duonas.core.space import SearchSpace
from duonas.data.splits import Splits
from duonas.pair.facts import ROLES
from duonas.pipeline.weights import advice_on_weights
from duonas.recipe.schema import Recipe
from duonas.supernet.family import Family, build_space
from duonas.supernet.options import SpaceOptions


class Kind(NamedTuple):
    """The kind of a network: its family, and the table of its search space."""

    family: type[Family]
    table: SpaceOptions


def kinds_of(recipe: Recipe, family: type[Family]) -> dict[Role, Kind]:
    """Return the kinds of both networks of a recipe.

    Args:
        recipe: the recipe.
        family: of ``[space]``.
    """
    own = recipe.pair.little
    theirs = family if own is None or own.name == recipe.space.name else find("space", own.name)
    return {"big": Kind(family, recipe.space), "little": Kind(theirs, recipe.pair.of_little(recipe.space))}


def pairs_of(recipe: Recipe, family: type[Family], splits: Splits) -> PairSpace:
    """Return the pair space of a recipe for the images of ``splits``."""
    big, little = kinds_of(recipe, family).values()
    size, classes = splits.image_size, splits.num_classes
    space = build_space(big.family, big.table, size, classes)
    with in_table_of("little", recipe):
        other = build_space(little.family, little.table, size, classes)
    return pair_space(space, recipe.pair.coupling, recipe.pair.splits, other)


def advice_on_spaces(recipe: Recipe, family: type[Family], splits: Splits) -> str:
    """Return advice on the options of big's and little's space for images of this size; empty if there is none."""
    big, little = (
        kind.family.advice(adapted(kind.table, kind.family.Options), splits.image_size)
        for kind in kinds_of(recipe, family).values()
    )
    return " ".join(dict.fromkeys(filter(None, (big, said_in_table_of("little", recipe, little)))))


def advice_on_precision(recipe: Recipe, pairs: PairSpace) -> str:
    """Say which blocks of a run in int8 have no integer form in most runtimes; empty if there are none."""
    if recipe.export.precision != "int8":
        return ""
    found = {role: _without_integers(pairs.spaces[role]) for role in ROLES}
    if not any(found.values()):
        return ""
    where = " and ".join(f"{role}'s space has {' and '.join(names)}" for role, names in found.items() if names)
    return (
        f"[export] precision = 'int8': {where}, around which a quantised network goes to float and back; blocks of "
        "ReLU alone take int8 better, such as [space] blocks = 'simple' of the mobilenet space or its presets fast-32 "
        "to fast-224."
    )


def _without_integers(space: SearchSpace) -> list[str]:
    blocks = space.blocks(space.largest())
    activations = {layer.activation for block in blocks for layer in block.layers} | {b.activation for b in blocks}
    gates = any("squeeze" in block for block in blocks)
    return [*(["h-swish"] if "hswish" in activations else []), *(["squeeze-and-excite"] if gates else [])]


@contextmanager
def in_table_of(role: Role, recipe: Recipe) -> Iterator[None]:
    """Say of what is wrong with a space of little's own that it is in ``[pair.little]``."""
    try:
        yield
    except DuonasError as error:
        raise DuonasError(said_in_table_of(role, recipe, str(error))) from error


def said_in_table_of(role: Role, recipe: Recipe, sentence: str) -> str:
    """A sentence on keys of ``[space]``, on those of the table that has the space of ``role``."""
    if role != "little" or recipe.pair.little is None:
        return sentence
    named = sentence.replace("[space", "[pair.little").replace("--set space.", "--set pair.little.")
    return named.replace("the supernet starts", "little starts")


def weights_advice(recipe: Recipe, family: type[Family], pairs: PairSpace) -> str:
    """Say which pretrained weights are not at hand, without which a tower starts from nothing; empty if none lack.

    Raises:
        DuonasError: weights that the recipe asks for are not there, or do not fit.
    """
    said = []
    for role in pairs.towers:
        with in_table_of(role, recipe):
            advice = advice_on_weights(*kinds_of(recipe, family)[role], pairs.spaces[role])
        said.append(said_in_table_of(role, recipe, advice))
    return " ".join(dict.fromkeys(filter(None, said)))
